"""Engines behind `ports.Index`. `local` is tantivy in a folder; each passes `tests/contracts/index.py`."""
