"""Training: one entry point, :func:`fieldtune.train.fit.fit`, and its crash-safe checkpoints."""
