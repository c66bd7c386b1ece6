"""What intake does: accept, deliver, set accounts up, replay. One function is one transaction."""
