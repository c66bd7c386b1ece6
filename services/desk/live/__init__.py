"""What changes while people look: the feed of the topics, each viewer's stream, and who is present."""
