"""A nightly batch: label the day's texts with a trained model, and keep going when the night was interrupted."""

import sys
from pathlib import Path

import fieldtune
from fieldtune.data.read import read_table
from fieldtune.data.write import write_table

model_folder, inbox, outbox = map(Path, sys.argv[1:4])
model = fieldtune.load(model_folder)
for file in sorted(inbox.glob("*.csv")):
    target = outbox / file.name
    if target.exists():  # done before the interruption
        continue
    table = read_table(file, ["text"])
    probabilities = model.probabilities(table["text"].tolist())
    table["label"] = [model.labels[place] for place in probabilities.argmax(axis=1)]
    table["probability"] = probabilities.max(axis=1)
    write_table(table, target)  # appears whole or not at all
    print(f"{file.name}: {len(table)} rows")
