"""Fitted models of listening: language, tone and near-duplicates. Numpy lives here; rules live in `domain`."""
