"""Verbs of search: index, rebuild, find, suggest."""
