"""A schema that grows by two migrations while a process can be killed inside the first and before the second."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.kitlib import kit_migrations

DIE_AT = "TEST_DIE_AT"
POINTS = ("inside the second", "before the third", "after the third's statements")
_HEAD = """
import sqlalchemy as sa
from alembic import op
from tests.upgrades import point
revision, down_revision = "{revision}", "{before}"
def upgrade() -> None:
"""
SECOND = (
    _HEAD.format(revision="0002", before="0001")
    + """
    op.add_column("things", sa.Column("colour", sa.Text))
    point("inside the second")
    op.create_table("colours", sa.Column("name", sa.Text, primary_key=True))
    op.execute("UPDATE things SET colour = 'red'")
"""
)
THIRD = (
    _HEAD.format(revision="0003", before="0002")
    + """
    point("before the third")
    op.add_column("things", sa.Column("size", sa.BigInteger, nullable=False, server_default="7"))
    point("after the third's statements")
"""
)


def point(name: str) -> None:
    """Kills this process where the environment says so."""
    if os.environ.get(DIE_AT) == name:
        os.kill(os.getpid(), signal.SIGKILL)


def older(folder: Path) -> Path:
    """The migrations of the program as it was."""
    return kit_migrations(folder / "older")


def newer(folder: Path) -> Path:
    """The migrations of the program as it is: two more."""
    made = kit_migrations(folder / "newer")
    (made / "versions" / "0002_colour.py").write_text(SECOND)
    (made / "versions" / "0003_size.py").write_text(THIRD)
    importlib.invalidate_caches()
    return made


def killed(code: str, at: str) -> int:
    """Runs code in a process that dies at a point; its exit code."""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {DIE_AT: at}, check=False, timeout=60)
    return done.returncode
