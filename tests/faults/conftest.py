"""The prepared installation, made once: each test copies it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.installation import Shop, prepare


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Shop, ...], str]:
    """Folder, shops and token of an installation with two brands, never started."""
    folder = tmp_path_factory.mktemp("template")
    shops, token = prepare(folder)
    return folder, shops, token
