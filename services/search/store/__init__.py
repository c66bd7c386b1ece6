"""SQL of search: which version of each document the index has seen, and its generations."""
