"""The service, for tests of listening."""

from __future__ import annotations

import pytest

from tests.social.world import Social


@pytest.fixture
def social(tmp_path):
    made = Social(tmp_path)
    yield made
    made.parts.database.close()
