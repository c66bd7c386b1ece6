"""The desk's rows: users, sessions, tokens, drafts, uploads, stored answers, audit. SQL lives here alone."""
