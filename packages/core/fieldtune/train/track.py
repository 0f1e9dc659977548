"""Curves of a run to look at: JSON lines, TensorBoard, Weights & Biases. Off unless asked for; nothing leaves the machine.

Numbers only: losses, learning rates, figures and numeric settings; no text, label or path of the user's. Weights &
Biases writes to disk (``offline``) and is uploaded by nobody but the user, with ``wandb sync``.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fieldtune.errors import ConfigError, MissingExtraError
from fieldtune.evaluate.figures import without_nan
from fieldtune.models.folder import RUN

KINDS = {"jsonl": "json", "tensorboard": "tensorboard", "wandb": "wandb"}
"""Tracker -> the library it needs."""
LINES = "metrics.jsonl"
Write = Callable[[int, Mapping[str, float]], None]


@dataclass(frozen=True)
class Track:
    """Where the numbers of one run go.

    Attributes:
        writers: each takes a step and named numbers.
        closers: called once at the end.
    """

    writers: Sequence[Write] = ()
    closers: Sequence[Callable[[], None]] = ()

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers of one step; nested tables are flattened with slashes, and what is no number is left out."""
        numbers = dict(_numbers(values))
        for write in self.writers:
            write(step, numbers)

    def close(self) -> None:
        """Flush everything."""
        for close in self.closers:
            close()


def kinds(text: str) -> list[str]:
    """``"jsonl,wandb"`` -> names.

    Raises:
        ConfigError: no such tracker. MissingExtraError: its library is not installed.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in KINDS:
            raise ConfigError(f"trackers out of {', '.join(KINDS)}", repr(name), "correct track")
        if find_spec(KINDS[name]) is None:
            raise MissingExtraError(KINDS[name], "it is not installed", "pip install 'fieldtune[track]'")
    return names


def run_name(folder: Path) -> str:
    """A name for the run whose checkpoints lie in ``folder``: a digest of what it is, and which part of it."""
    mark = next((place / RUN for place in (folder, *folder.parents) if (place / RUN).is_file()), None)
    digest = hashlib.sha256(mark.read_bytes() if mark else str(folder).encode()).hexdigest()[:12]
    part = folder.relative_to(mark.parent).as_posix() if mark else "."
    return digest if part == "." else f"{digest}-{part.replace('/', '-')}"


def opened(text: str, folder: Path, run: str, settings: Mapping[str, Any], step: int | None = 0) -> Track:
    """Open the trackers of a run; one that is continued loses what was written after the step it continues from.

    Args:
        text: names, comma-separated.
        folder: ``folder/run`` gets the files.
        run: a name for this run, made of its fingerprint.
        settings: numbers of it are written beside.
        step: continue after this step; None adds to whatever is there.
    """
    made = [_MAKERS[name](folder / run, run, dict(_numbers(settings)), step) for name in kinds(text)]
    return Track([write for write, _ in made], [close for _, close in made])


def _jsonl(folder: Path, run: str, settings: Mapping[str, float], step: int | None) -> tuple[Write, Callable[[], None]]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LINES
    kept = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() and step != 0 else []:
        with suppress(ValueError):  # the last line of a killed run may be cut
            if step is None or json.loads(line)["step"] <= step:
                kept.append(line)
    file.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
    handle = file.open("a", encoding="utf-8")

    def write(at: int, values: Mapping[str, float]) -> None:
        handle.write(json.dumps(without_nan({"step": at, **values}), allow_nan=False) + "\n")
        handle.flush()

    _begin(write, settings, step)
    return write, handle.close


def _tensorboard(
    folder: Path, run: str, settings: Mapping[str, float], step: int | None
) -> tuple[Write, Callable[[], None]]:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def write(at: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, at)

    _begin(write, settings, step)
    return write, writer.close


def _wandb(folder: Path, run: str, settings: Mapping[str, float], step: int | None) -> tuple[Write, Callable[[], None]]:
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    quiet = wandb.Settings(
        silent=True, console="off", x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True,
        disable_code=True, disable_git=True, save_code=False,
    )  # fmt: skip
    session: Any = wandb.init(project="fieldtune", dir=str(folder), mode="offline", id=run, name=run, settings=quiet)

    def write(at: int, values: Mapping[str, float]) -> None:
        session.log(dict(values), step=at)

    _begin(write, settings, step)
    return write, session.finish


def _begin(write: Write, settings: Mapping[str, float], step: int | None) -> None:
    """The settings are the first thing a new run tells."""
    if step == 0:
        write(0, {f"settings/{name}": value for name, value in settings.items()})


_MAKERS = {"jsonl": _jsonl, "tensorboard": _tensorboard, "wandb": _wandb}


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Sequence[tuple[str, float]]:
    """Every number below, with its path. Keys of tables may be labels of the user's, so ``per_class`` stays out."""
    found: list[tuple[str, float]] = []
    for name, value in values.items():
        if name.startswith("per_"):
            continue
        if isinstance(value, Mapping):
            found += _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, (bool, int, float)) or hasattr(value, "item"):
            found.append((f"{prefix}{name}", float(value)))
    return found
