"""Finding things by words and by meaning: BM25, vector index, fusion, diversity.

Knows nothing of documents, customers or items: texts, vectors and integer positions go in and come out.
"""
