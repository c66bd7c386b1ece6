"""Nouns and rules of search: documents, words, codes, the query language. Standard library and `kit.errors` only."""
