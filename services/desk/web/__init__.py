"""The desk's HTTP edge for browsers: sessions, CSRF, headers, files and the live stream. Pages live in `desk.pages`."""
