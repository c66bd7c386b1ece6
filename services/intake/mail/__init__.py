"""E-mail as values: bytes in, a `ParsedMail` out; an answer in, bytes out. No socket, no database, no clock."""
