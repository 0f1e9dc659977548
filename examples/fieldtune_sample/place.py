"""Where everything of the demo lies."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """The folders below `root`; `later` is what users will do after the company's records end."""

    root: Path

    @property
    def company(self) -> Path:
        return self.root / "company"

    @property
    def later(self) -> Path:
        return self.root / "later"

    @property
    def chatbot(self) -> Path:
        return self.root / "chatbot"

    @property
    def monitor(self) -> Path:
        return self.root / "monitor"

    @property
    def recommender(self) -> Path:
        return self.root / "recommender"

    @property
    def config(self) -> Path:
        return self.monitor / "monitor.toml"

    @property
    def alerts(self) -> Path:
        return self.monitor / "alerts.jsonl"

    def pages(self) -> list[str]:
        """The lines that open the three pages."""
        home = f"FIELDTUNE_HOME={self.root / 'home'}"
        return [
            f"{home} fieldtune chatbot ui --store {self.chatbot}",
            f"{home} fieldtune monitor ui --config {self.config}",
            f"{home} fieldtune recommender ui --model {self.recommender}",
        ]
