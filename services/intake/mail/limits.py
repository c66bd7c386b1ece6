"""How much of a mail is looked at. Beyond a limit the contact is kept with its raw file and marked "not rendered"."""

from __future__ import annotations

RAW_BYTES = 40 * 1024 * 1024  # advertised as SIZE; refused with 552 above
DEPTH = 100  # nested parts
PARTS = 10_000
HEADER_LINES = 1_000
HEADER_BYTES = 256 * 1024
HEADER_LINE_BYTES = 64 * 1024
RECIPIENTS = 200
HTML_BYTES = 2 * 1024 * 1024  # before sanitising; above it the HTML is shown as an attachment only
TEXT_CHARS = 2 * 1024 * 1024
ATTACHMENTS = 500  # further ones stay in the raw file
FILE_NAME_BYTES = 255
RECEIVED = 50  # hops; more is a loop
REFERENCES = 100  # ids kept of a References header, from the end
PARSE_CPU_S = 2.0
PARSE_WALL_S = 15.0  # on a busy machine two seconds of work may take this long
PARSE_MEMORY_BYTES = 512 * 1024 * 1024  # above what the process holds before its first mail
