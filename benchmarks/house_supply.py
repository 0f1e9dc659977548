"""What is installed against the lock, its licences, and the bill of materials made of the lock. Needs the package index."""

import json
import subprocess
import sys
from collections import Counter
from importlib.metadata import distributions

from benchmarks.common import ROOT, report
from benchmarks.supply import EXCEPTIONS, allowed, licences, off_the_lock, pinned


def main() -> None:
    """Print what is off the lock, what is not allowed, and whether the bill holds the lock and nothing else."""
    pins, found = pinned(), licences(distributions())
    hashed = pinned("requirements.lock")
    report({"pinned": len(pins), "not_hashed": sorted(pins.keys() - hashed.keys()), "installed": len(found),
            "all_but_torch_hashed": hashed == {name: pins[name] for name in pins if name != "torch"},
            "off_the_lock": (off := off_the_lock(distributions(), pins)), "strangers": len(off),
            "licences": dict(Counter(found.values()).most_common()),
            "not_allowed": sum(not allowed(name, said) for name, said in found.items()),
            "exceptions": {name: " ".join(why) for name, why in EXCEPTIONS.items() if name in found},
            "bill": _bill({f"{name}=={version}" for name, version in pins.items()})})  # fmt: skip


def _bill(pins: set[str]) -> dict[str, object]:
    """Make the bill of materials, which its own tool checks against the schema, and compare it with the lock."""
    done = subprocess.run(["make", "sbom"], cwd=ROOT, stdout=sys.stderr)
    if done.returncode:
        return {"valid": False}
    bill = json.loads((ROOT / "dist" / "fieldtune.cdx.json").read_text())
    found = {component["purl"].removeprefix("pkg:pypi/").replace("@", "==") for component in bill["components"]}
    return {"valid": True, "format": bill["bomFormat"], "version": bill["specVersion"], "components": len(found),
            "is_the_lock": found == pins}  # fmt: skip


if __name__ == "__main__":
    main()
