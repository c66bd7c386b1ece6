"""The desk's verbs: people and sessions, what is being written, and acts on tickets and alerts that pages and API share."""
