"""Logging follows standard error wherever it leads, and names no person."""

from __future__ import annotations

import io
import sys

import structlog

from services.kit import log


def test_a_logger_made_earlier_follows_standard_error(monkeypatch):
    gone, now = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", gone)
    log.set_up(form="json", level="info")
    logger = log.logger("kit")
    logger.info("first", text="a secret")
    gone.close()
    monkeypatch.setattr(sys, "stderr", now)

    logger.info("second")

    assert '"event": "second"' in now.getvalue()
    structlog.reset_defaults()


def test_what_could_name_a_person_is_not_written(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    log.set_up(form="json", level="info")

    log.logger("kit").info("contact.accepted", email="anna@posta.example", contact_id="con_1")

    assert "anna" not in said.getvalue()
    assert "con_1" in said.getvalue()
    structlog.reset_defaults()
