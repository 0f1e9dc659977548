"""Public data sets: where each comes from, its licence, and the digest of the file we measured on.

``FIELDTUNE_DATA`` names a folder of sets already downloaded. None of the data is part of fieldtune.
"""

import hashlib
import os
import shutil
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from fieldtune.errors import InputError, RefusedError

LARGEST = 2**24
"""Bytes of a file that is downloaded; the largest known one has 5 million."""
_INTENTS = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/master/banking_data"


@dataclass(frozen=True)
class DataSet:
    """One set.

    Attributes:
        name: folder name.
        what: one line.
        licence: as its authors state it.
        source: the official page.
        files: file name -> (address, sha256) where the official address is a plain file.
    """

    name: str
    what: str
    licence: str
    source: str
    files: dict[str, tuple[str, str]] = field(default_factory=dict)


SETS = (
    DataSet("banking77", "77 fine-grained banking intents", "CC BY 4.0", "github.com/PolyAI-LDN/task-specific-datasets", {
        "train.csv": (f"{_INTENTS}/train.csv", "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b"),
        "test.csv": (f"{_INTENTS}/test.csv", "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d"),
    }),
    DataSet("squad", "paragraphs and questions with answer spans", "CC BY-SA 4.0", "rajpurkar.github.io/SQuAD-explorer", {
        "dev-v1.1.json": ("https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json", "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9"),
    }),
    DataSet("financial_phrasebank", "finance sentences in three tones", "CC BY-NC-SA 3.0", "Malo et al. 2014, ResearchGate"),
    DataSet("twitter_fin_sentiment", "short finance posts", "MIT by its card", "zeroshot/twitter-financial-news-sentiment"),
    DataSet("headlines_2018_2020", "dated business headlines", "publishers'", "github.com/notlongp/financial-news-sentiment"),
    DataSet("goodbooks", "ratings of books by readers, in time order", "CC BY-SA 4.0", "github.com/zygmuntz/goodbooks-10k"),
    DataSet("bccd", "blood cells in boxes, three kinds", "MIT", "github.com/Shenggan/BCCD_Dataset"),
    DataSet("pneumoniamnist", "chest X-rays of 28 x 28 pixels, two classes", "CC BY 4.0", "medmnist.com"),
)  # fmt: skip


def local(name: str) -> Path | None:
    """The set's folder under ``FIELDTUNE_DATA``; None when it is not there."""
    root = os.environ.get("FIELDTUNE_DATA")
    folder = Path(root) / name if root else None
    return folder if folder is not None and folder.is_dir() else None


def fetch(name: str, out: Path) -> Path:
    """Put a set into ``out/name``: copied from ``FIELDTUNE_DATA``, else downloaded and checked.

    Raises:
        InputError: no set of this name, or its owner offers no plain download.
        RefusedError: what arrived is not the file that was measured.
    """
    known = {entry.name: entry for entry in SETS}
    if name not in known:
        raise InputError(f"a set out of {', '.join(known)}", repr(name), "see: fieldtune data list")
    target = out / name
    here = local(name)
    if here is not None:
        shutil.copytree(here, target, dirs_exist_ok=True)
        return target
    entry = known[name]
    if not entry.files:
        raise InputError(
            "a set that can be downloaded without asking its owner",
            f"{name}, which cannot",
            f"get it from {entry.source} and point FIELDTUNE_DATA to its parent folder",
        )
    target.mkdir(parents=True, exist_ok=True)
    for file, (address, digest) in entry.files.items():
        _download(address, digest, target / file)
    return target


def _download(address: str, digest: str, file: Path) -> None:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            raw = answer.read(LARGEST + 1)
    except OSError as error:
        raise InputError(
            f"an answer from {address}", str(error), "try again with a network, or set FIELDTUNE_DATA"
        ) from error
    if len(raw) > LARGEST:
        raise RefusedError(f"at most {LARGEST:,} bytes of {file.name}", "more", "the set changed; report it")
    found = hashlib.sha256(raw).hexdigest()
    if found != digest:
        raise RefusedError(f"sha256 {digest[:12]}... of {file.name}", f"{found[:12]}...", "the set changed; report it")
    file.write_bytes(raw)
