"""What people and sources do to mentions, watches and alerts: one function, one transaction."""
