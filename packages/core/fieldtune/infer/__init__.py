"""Running models fast: batches, number formats, caches."""
