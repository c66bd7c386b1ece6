"""The contract's messages as JSON of the REST API, and its bodies as messages."""
