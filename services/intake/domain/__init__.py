"""Nouns and rules of intake: contacts, channels' abilities, deliveries, opening hours. No clock, no database."""
