"""Search in a process of its own: `python -m services.search FOLDER`, started by the main process alone."""

from __future__ import annotations

import sys
from pathlib import Path

from services.kit import alone
from services.search.app import build
from services.search.clients import CALLS

if __name__ == "__main__":
    alone.serve("search", build, calls=CALLS, folder=Path(sys.argv[1]))
