"""Which words decided a prediction, and how far to trust that answer."""
