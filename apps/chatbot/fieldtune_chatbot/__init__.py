"""Customer support from a company's own records: mined answers, cited sources, and an honest "I do not know"."""
