"""Fine-tune a classifier on a few rows, keep it as a folder, and ask it."""

import sys
from pathlib import Path

import pandas as pd

import fieldtune

out = Path(sys.argv[1] if len(sys.argv) > 1 else "model")
texts = {
    "card": "freeze my card, card is lost, new card please, card declined",
    "refund": "where is my refund, money back, refund late, return paid",
}
rows = pd.DataFrame([{"text": text, "label": label} for label, line in texts.items() for text in line.split(", ")])
done = fieldtune.finetune("text-classification", rows, method="linear", out=out)
model = fieldtune.load(done.path)
print(model.labels, model.probabilities(["my card is gone"]).round(2))
