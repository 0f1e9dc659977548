"""Which settings what kind of training reads: groups of names, of which each task's ``heeds`` makes its answer.

A setting that is given and read by nothing would be silently ignored, so :func:`fieldtune.tasks.resolved` refuses it.
Knows no task and no method.
"""

Names = frozenset[str]

ALWAYS: Names = frozenset({"refit", "track", "track_dir"})
"""Read by the pipeline, whatever is trained."""
TEXTS = ALWAYS | {"scrub"}
"""Of texts, whoever reads them."""
ENCODED = TEXTS | {"max_length"}
"""Of texts that an encoder reads."""
STEPS: Names = frozenset({"max_steps", "accumulate", "warmup", "weight_decay", "checkpoint_steps"})
"""Of training by gradient steps."""
EPOCHS = STEPS | {"epochs", "head_learning_rate"}
"""Of passes over the rows, in which something new is learnt."""
TUNED = ENCODED | EPOCHS | {"learning_rate", "token_budget", "dropout"}
"""Of an encoder tuned in batches of so many tokens, under something new."""
PICTURES = ALWAYS | EPOCHS | {"batch_rows", "image_size", "freeze_statistics"}
"""Of networks that see pictures."""
CLASSES: Names = frozenset({"label_smoothing", "class_weights", "focal_gamma"})
"""Of a loss over classes."""

WHERE = {
    "delta": "with --set epsilon=...",
    "patience": "with --set keep_best=true",
    "track_dir": "with --set track=...",
    "memory_rows": "by --method continual with --set keeps=replay",
    "keep_strength": "by --method continual with --set keeps=ewc or lwf",
}
"""Setting -> where it is read, where another setting decides that."""
