"""One fine-tuned model behind HTTP: a bounded queue, limits on everything that comes in, a drain that loses nothing.

``queue`` knows no HTTP and no model, ``limits``, ``keys`` and ``hosts`` know no queue, ``served`` knows the model,
``app`` brings them together and ``run`` listens.
"""
