"""Nouns and rules of listening: pure, values in and values out; no clock, no database, no numpy."""
