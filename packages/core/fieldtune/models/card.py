"""The model card: ``fieldtune.json`` as a page to read, ``README.md`` of a model folder.

A dictionary in, Markdown out, and the same dictionary gives the same bytes: no time, no machine. Its head is the hub's own,
so a model that is trained on from this folder knows the licence. It measures nothing, and looks at the disk only to tell a
folder's name from one of the hub.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fieldtune.evaluate.figures import brief
from fieldtune.evaluate.significance import wilson
from fieldtune.text.shown import some_of

PAGE = "README.md"
DEFAULT_BASE = ("sentence-transformers/all-MiniLM-L6-v2", "apache-2.0")
"""What ``--model default`` is, and its licence."""
_SHARES = ("accuracy", "exact_match", "subset_accuracy", "in_interval", "in_scope.kept", "in_scope.kept_and_right")
"""Figures that are shares of independent rows; of others the rows' own values would be needed."""
_SIZES = ("n", "folds", "blocks", "candidates", "trainable_share", "in_scope.threshold", "leaked.exact", "leaked.near",
          "privacy.epsilon", "privacy.delta")  # fmt: skip
"""Numbers that were set or counted, not measured on rows."""
_KNOBS = (
    ("temperature", "temperature"),
    ("scope_threshold", "in-scope threshold"),
    ("cut", "probability of the second label from which it is the answer"),
    ("width", "half the width of the 90 % interval"),
)
_CLASSES = 100
"""Classes shown one by one."""
_ASIDE = ("per_class", "per_tag", "per_type", "rivals", "choice")
NOT_UNSEEN = "the figures are not those of unseen rows"
_USES = {
    "seq2seq": "What it writes can be wrong in any way: have a person or a rule check it.",
    "dialogue": "What it writes can be wrong in any way: not for customers without a person who checks it.",
    "regression": "Numbers beyond those it was shown are guesses, and the interval is for rows like the validation rows.",
    "multi-label-classification": "A label it was not shown is never given.",
    "reranking": "It orders what a search found; whether any of it answers, the score says for rows like the training rows.",
    "embedding": "Closeness of two vectors is no probability, and says nothing across models.",
    "object-detection": "Kinds of things it was not shown are not found, or are called by a label it knows.",
    "token-classification": "Types of entities it was not shown are not found.",
}
_LABELS = "It answers with one of its labels whatever it is given; heed `in_scope`, which says when none of them fits."


def base_of(model: str, run: Mapping[str, Any], licence: str | None = None) -> dict[str, str]:
    """What a card tells of the pretrained model: its name without the machine's folders, and its licence where known.

    Args:
        model: as the user named it; ``run``: as :func:`fieldtune.fingerprint.fingerprint` gives it.
    """
    if not run["model"]:
        return {}
    name, known = DEFAULT_BASE if model == "default" else (_name(model), licence)
    return {"base": name, **({"licence": known} if known else {})}


def _name(model: str) -> str:
    """A hub name as it is; of a path the last part: a name on the hub has one slash at most, between plain words, and a folder
    that is there goes first."""
    path = Path(model).absolute()
    hub = re.fullmatch(r"[\w.-]+/[\w.-]+", model) and not model.startswith(".") and not path.is_dir()
    return model if hub else path.name


def markdown(card: Mapping[str, Any]) -> str:
    """The page.

    Args:
        card: as ``fieldtune.json`` holds it; what is missing is left out, or said not to be known.
    """
    parts = [
        _head(card),
        f"# A model for {card['task']}",
        f"Trained by fieldtune with method `{card['method']}`. Every file of this folder is listed in `MANIFEST.json` with "
        "its sha256; `fieldtune models verify` checks them.",
        _table("Origin", _origin(card)),
        _figures(card),
        _others(card),
        _classes(card),
        _table("Calibration", _calibration(card)),
        f"## Not meant for\n\n{_USES.get(card['task'], _LABELS)} Texts or pictures unlike the training rows (another "
        "language, another trade, another time) were not measured. Decisions about people need a person.",
        '## Use\n\n```python\nimport fieldtune\n\nmodel = fieldtune.load("this folder")\n```\n\n'
        + _commands(card["task"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(card: Mapping[str, Any]) -> str:
    lines = {"license": card.get("licence"), "base_model": card.get("base"), "library_name": "fieldtune"}
    return "\n".join(["---", *(f"{name}: {value}" for name, value in lines.items() if value), "---"])


def _origin(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    run = card.get("run", {})
    yield "begins with", _code(card["base"]) if card.get("base") else "no pretrained weights"
    if run.get("model"):
        yield "digest of these weights", ", ".join(_code(digest[:16]) for digest in run["model"])
    if card.get("base"):
        yield "their licence", card.get("licence") or "not known: see where they come from"
    yield "labelled rows it learnt from", f"{card['rows']}" if "rows" in card else "not known"
    if card.get("left_out"):
        yield "rows left out", f"{card['left_out']}, whose label is likely wrong (`--set noisy=keep` keeps them)"
    if card.get("hidden"):
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(card["hidden"].items()))
        yield "personal data hidden in the training table", f"{kinds}; the model hides it in what it reads, too"
    if "privacy" in card:
        yield "privacy of each of them", "epsilon {epsilon:.4g}, delta {delta:.4g}".format(**card["privacy"])
    if card.get("settings"):
        yield "settings", ", ".join(_code(f"{name}={value}") for name, value in sorted(card["settings"].items()))
    if "fewshot" in card:
        yield "where its weights ended", _way(**card["fewshot"])
    if "data" in run:
        yield "fingerprint of the data", _code(run["data"])
    if "seed" in run:
        yield "seed", str(run["seed"])
    if "threads" in card:
        yield "threads", str(card["threads"])
    if card.get("labels"):
        names = list(map(str, card["labels"]))
        yield "labels", some_of(map(_code, names), 20)
    yield "versions", ", ".join(f"{name} {number}" for name, number in sorted(card.get("versions", {}).items()))


def _way(told_apart: float | None, way: float) -> str:
    place = "at the new weights" if way == 1 else f"{way:.0%} of the way from the old weights to the new"
    if told_apart is None:
        return f"{place}: one row a class does not tell what the encoder knew before"
    return f"{place}, since the encoder told the classes of {told_apart:.0%} of the rows before it was tuned"


def _figures(card: Mapping[str, Any]) -> str:
    metrics = card.get("metrics", {})
    n = int(metrics.get("n", 0))
    if not n:
        return "## Figures\n\nNot measured (n = 0): no rows were kept apart."
    shares = () if card.get("task") == "dialogue" else _SHARES  # whose rows are turns, those of one dialogue alike
    rows = [
        (name, _number(value), _interval(value, n) if name in shares else "no interval")
        for name, value in flat(metrics)
        if name not in _SIZES
    ]
    lines = [f"| {_code(name)} | {value} | {interval} |" for name, value, interval in rows]
    told = f"Measured on {n} rows{_apart(card)}"
    if "folds" in metrics:
        told += (
            f" Thresholds and temperature were fitted on these rows too; the figures are from {metrics['folds']:.0f} folds, "
            "each judged by what the others fitted."
        )
    told += _selected(card)
    refit = " It was then trained again on all of them." if card.get("trained_again") else ""
    better = outdone(card["method"], metrics, card["figure"]) if "figure" in card else ""
    warning = f"\n\n**Another method is the better choice on these rows:** {better}." if better else ""
    return "\n".join(
        [f"## Figures\n\n{told}{refit}{warning}\n", "| figure | value | 95 % interval |", "|---|---|---|", *lines]
    )


def _selected(card: Mapping[str, Any]) -> str:
    """What was chosen on the rows that the figures are of."""
    if card.get("selected"):
        return (
            " Its weights are those that did best on these rows, of several looks at them, which flatters it a little."
        )
    if "epochs" in card.get("settled", {}):
        return " In how many epochs it learns was chosen on these rows, which flatters it a little."
    return ""


def _others(card: Mapping[str, Any]) -> str:
    """The task's other methods, measured on the same rows."""
    metrics = card.get("metrics", {})
    if not metrics.get("rivals") or "figure" not in card:
        return ""
    names = [name for name, _ in flat(metrics) if name not in _SIZES and "." not in name]
    found = {card["method"]: metrics, **metrics["rivals"]}
    names = [name for name in names if all(name in figures for figures in found.values())]
    rows = [
        f"| {_code(method)} | {' | '.join(_number(figures[name]) for name in names)} |"
        for method, figures in found.items()
    ]
    head = f"| method | {' | '.join(map(_code, names))} |"
    return "\n".join(["## Other methods on these rows\n", head, "|---" * (len(names) + 1) + "|", *rows])


def _classes(card: Mapping[str, Any]) -> str:
    """Each class on the same rows, the rarest last; the first of very many."""
    table = card.get("metrics", {}).get("per_class") or {}
    known = {name: found for name, found in table.items() if isinstance(found, Mapping) and "support" in found}
    if not known:
        return ""
    ordered = sorted(known.items(), key=lambda one: -one[1]["support"])
    names = [name for name in ordered[0][1] if name != "support"]
    rows = [
        f"| {_code(label)} | {found['support']:.0f} | {' | '.join(_number(found[name], 3) for name in names)} |"
        for label, found in ordered[:_CLASSES]
    ]
    more = [f"\nand {len(ordered) - _CLASSES} more classes"] if len(ordered) > _CLASSES else []
    columns = f"| class | rows | {' | '.join(map(_code, names))} |"
    head = ["## Classes on these rows\n", columns, "|---" * (len(names) + 2) + "|"]
    return "\n".join([*head, *rows, *more])


def _apart(card: Mapping[str, Any]) -> str:
    if leak := leakage(card):
        return f". **{leak[0].upper()}{leak[1:]}.**"
    counts = card.get("metrics", {}).get("leaked")
    if counts is None and not card.get("split_off"):  # a private model does not tell
        return "; whether it learnt from any of them is not told."
    near = (counts or {}).get("near", 0)
    if card.get("metrics", {}).get("continual", {}).get("blocks", 1) > 1:
        return " that this block did not teach; whether an earlier one taught any of them is not told."
    return (
        f" that were kept apart from those it learnt from{f'; {near} of them are nearly one of those' if near else ''}."
    )


def leakage(card: Mapping[str, Any]) -> str:
    """What to say where the model was measured on rows that it learnt from, or nearly did; else "".

    Rows that fieldtune split off itself are never the same as a training row, and customers write alike: of these, ones
    nearly the same are no leak.
    """
    counts = card.get("metrics", {}).get("leaked", {})
    exact, near = counts.get("exact", 0), 0 if card.get("split_off") else counts.get("near", 0)
    if not exact + near:
        return ""
    return f"{exact} of these rows also stand among the training rows, {near} more nearly do: {NOT_UNSEEN}"


def outdone(method: str, metrics: Mapping[str, Any], figure: str) -> str:
    """What to say where a rival measured beside a model did better: which, by how much, and what to do; else "".

    Args:
        figure: the metric by which the task's methods are compared, higher is better.
    """
    rivals = {name: figures[figure] for name, figures in metrics.get("rivals", {}).items()}
    found = {name: value for name, value in {method: metrics[figure], **rivals}.items() if _number(value) != "none"}
    if method not in found:
        return ""
    best = max(found, key=lambda one: found[one])  # the first of equals is the method asked for
    if best == method:
        return ""
    return (
        f"{best} did better, {figure} {brief(found[best])} against {brief(found[method])}: consider --method {best}, "
        "or --method auto where the task has it"
    )


def flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """Numbers of nested tables as ``outer.inner``, NaN for null; tables per class and those of rivals are left out."""
    for name, value in table.items():
        if isinstance(value, Mapping) and name not in _ASIDE:
            yield from flat(value, f"{above}{name}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{above}{name}", float(value)
        elif value is None:
            yield f"{above}{name}", math.nan


def _number(value: float | None, digits: int = 4) -> str:
    """A figure; none where it could not be had."""
    return "none" if value is None or not math.isfinite(value) else f"{value:.{digits}g}"


def _interval(value: float, n: int) -> str:
    if not 0 <= value <= 1:
        return "no interval"
    low, high = wilson(value * n, n)
    return f"{low:.4g} to {high:.4g}"


def _calibration(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, title in _KNOBS:
        if isinstance(card.get(name), (int, float)):
            yield title, f"{card[name]:.4g}"
    if lacking := card.get("metrics", {}).get("not_calibrated"):
        yield "not calibrated", "; ".join(lacking)
    if "ece" in card.get("metrics", {}):
        yield "expected calibration error", _number(card["metrics"]["ece"])


def _table(title: str, rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"## {title}\n", "| | |", "|---|---|", *lines]) if lines else ""


def _commands(task: str) -> str:
    verb = "encode" if task == "embedding" else "predict"
    end = "npy" if task == "embedding" else "csv"
    return f"`fieldtune {verb} --model DIR --data F --out OUT.{end}`, `fieldtune evaluate --model DIR --data F`."


def _code(text: Any) -> str:
    """A name as code in a cell of a table, whatever it holds."""
    plain = " ".join(str(text).split()).replace("|", "\\|").replace("`", "'")
    return f"`{plain}`"
