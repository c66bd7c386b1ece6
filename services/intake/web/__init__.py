"""Everything a customer's or a machine's HTTP touches: hooks, the contact form, the chat."""
