"""One report of a classifier on held-out rows: figures, pictures, and the rows it got most wrong. Writes a folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldtune.evaluate import pictures
from fieldtune.evaluate.classification import confusion
from fieldtune.evaluate.report import Report
from fieldtune.models.trained import OUT_OF_SCOPE, Classifier

WORST = 10


def classifier_report(model: Classifier, table: pd.DataFrame, figures: dict[str, Any], folder: Path) -> Path:
    """Write ``report.html`` (with JSON and Markdown beside it) and return its path.

    Args:
        model: the classifier.
        table: columns text, label; rows labelled ``oos`` are left out of the pictures.
        figures: what ``metrics`` of the task gave for these rows.
        folder: where to write.
    """
    table = table[table["label"] != OUT_OF_SCOPE]
    probabilities = model.probabilities(table["text"].tolist())
    predicted = np.asarray(model.labels)[probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    right = predicted == table["label"].to_numpy(dtype=str)
    report = Report("A classifier on labelled rows")
    names = list(figures["per_class"])  # the model's, then what else the rows are labelled: all rows are drawn
    strange = f" and {len(names) - len(model.labels)} that it does not know" if len(names) > len(model.labels) else ""
    report.paragraph(f"{len(table)} rows, {len(model.labels)} classes{strange}, method {model.card.get('method', '')}.")
    report.table([{name: figures[name] for name in ("accuracy", "macro_f1", "weighted_f1", "ece", "log_loss", "n")}])
    report.picture(pictures.reliability(confidence, right), "How sure it is, and how often it is right")
    report.picture(
        pictures.risk_coverage({"model": (confidence, right)}),
        "Errors that remain when the least sure rows are left out",
    )
    counts = confusion(table["label"].tolist(), predicted.tolist(), names)
    report.picture(pictures.confusion(counts, names), "True class against predicted class")
    report.table([{"class": name, **scores} for name, scores in figures["per_class"].items()], "Per class")
    wrong = np.flatnonzero(~right)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:WORST]
    rows = [
        {
            "text": table["text"].iloc[row],
            "label": table["label"].iloc[row],
            "predicted": predicted[row],
            "probability": float(confidence[row]),
        }
        for row in worst
    ]
    report.table(rows, "Wrong and most sure of it: often the label is what is wrong")
    return report.write(folder)
