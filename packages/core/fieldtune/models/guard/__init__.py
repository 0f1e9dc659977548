"""What is looked at before anything of a model folder is loaded: kinds of files, JSON, weights, configs, tokenizers.

Every file of a folder is written by somebody: a manifest proves that nothing changed, not that the author meant well.
Knows nothing of tasks. Nothing here executes, unpickles or follows what a file says.
"""

from collections.abc import Collection
from pathlib import Path

from fieldtune.errors import ArtefactError
from fieldtune.models.guard import configs, files, jsons, tokenizers, weights

CONFIG = "config.json"
CARD = "fieldtune.json"
"""What a folder of a single model of ours holds."""


def harmless(folder: Path) -> None:
    """Refuse a folder that holds more than data: code, pickles, archives, links out of it, files of absurd size.

    Reads no more than the beginning of each file, so it may run before digests are compared.

    Raises:
        ArtefactError: such a file, by name.
    """
    for file in files.below(folder):
        files.check(file)


def readable(folder: Path) -> None:
    """Refuse JSON and safetensors files that are not what they seem: nested, doubled, overlapping, out of bounds.

    Raises:
        ArtefactError: such a file, by name.
    """
    for file in files.below(folder):
        if file.suffix == ".json":
            jsons.read(file)
        elif file.suffix == ".safetensors":
            weights.header(file)


def pretrained(folder: Path, kinds: Collection[str], parts: Collection[str] = ()) -> None:
    """Refuse the folder of a pretrained model that is not of one of ``kinds``, or names code, or bombs.

    Args:
        folder: holds ``config.json``, safetensors and a tokenizer, as transformers and sentence-transformers save them.
        kinds: the ``model_type`` values allowed.
        parts: those allowed in it too, where a model is made of others.

    Raises:
        ArtefactError: what was found, by file and key.
    """
    if not (folder / CONFIG).exists():  # a folder of something else: said before any of its files is blamed
        if (folder / CARD).exists():
            found = f"a model of fieldtune without one in {folder}"
            raise ArtefactError("an encoder", found, "go on from one trained by --method head, full or continual")
        configs.config(None, folder / CONFIG, kinds, parts)
    harmless(folder)
    below = files.below(folder)
    texts = {file.relative_to(folder).as_posix(): jsons.read(file) for file in below if file.suffix == ".json"}
    shapes = {file: weights.header(file) for file in below if file.suffix == ".safetensors"}
    config = configs.config(texts.get(CONFIG), folder / CONFIG, kinds, parts)
    configs.modules(texts.get("modules.json"), folder)
    configs.index(texts, folder)
    configs.no_adapter(folder)
    configs.fits(config, [shape for file, one in shapes.items() if file.parent == folder for shape in one], folder)
    tokenizers.check(texts, folder, config)
