"""SQL of the service social, a file a noun. Rows in, rows out; no rule lives here."""
