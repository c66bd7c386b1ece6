"""Ways mail comes in that are no HTTP: the SMTP and LMTP listener, and the IMAP poller."""
