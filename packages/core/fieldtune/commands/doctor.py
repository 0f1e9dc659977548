"""``fieldtune doctor``: what this machine has, what was chosen for it, and what is missing."""

import importlib.metadata
import importlib.util
import platform
from typing import Any

import typer

from fieldtune.cli_kit import Json, show

_ALWAYS = ("fieldtune", "torch", "transformers", "scikit-learn", "numpy", "pandas")


def register(app: typer.Typer) -> None:
    """Add these commands to the root."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> None:
    """Versions, device, threads, number format, back end, and what is missing with the line that installs it."""
    from fieldtune.runtime import home, set_threads

    extras = _extras()
    versions = {name: _version(name) for name in dict.fromkeys((*_ALWAYS, *extras))}
    missing = [
        {"package": name, "install": f"pip install 'fieldtune[{extra}]'"}
        for name, extra in extras.items()
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


def _extras() -> dict[str, str]:
    """Package -> the first extra that brings it, as the installed distribution says; no list of our own can go stale."""
    from packaging.requirements import Requirement

    try:
        told = importlib.metadata.metadata("fieldtune").get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:  # the sources alone, on the path
        return {}
    wanted = [Requirement(line) for line in importlib.metadata.requires("fieldtune") or []]
    found: dict[str, str] = {}
    for extra in told:
        for one in wanted:
            marker = one.marker
            brought = marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})
            if brought and one.name != "fieldtune":  # of the extra that is all the others together
                found.setdefault(one.name, extra)
    return found


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _torch() -> dict[str, Any]:
    import torch

    from fieldtune.infer.probe import compute_dtype

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    return {
        "device": device,
        "torch_threads": torch.get_num_threads(),
        "dtype": str(compute_dtype()).split(".")[-1],
        "back_end": {"models": f"torch on {'cuda' if torch.cuda.is_available() else 'cpu'}", "exported": _runtime()},
    }


def _runtime() -> str:
    """What runs an exported graph here."""
    version = _version("onnxruntime")
    return f"onnxruntime {version} on cpu" if version else "none: onnxruntime is not installed"


def _warnings() -> list[str]:
    import torch

    found = (
        []
        if _version("fieldtune")
        else ["fieldtune is not installed, only on the path: what its extras lack is not known"]
    )
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
