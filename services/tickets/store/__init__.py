"""SQL of tickets: one module a table or question. Rows in, domain values out; no rule decides anything here."""
