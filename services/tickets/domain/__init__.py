"""Nouns and rules of tickets: pure values in, values out. No clock, no database, no wire format."""
