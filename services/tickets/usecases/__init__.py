"""Verbs: each function here is one transaction, or is called inside one. Rules are in `domain`, SQL in `store`."""
