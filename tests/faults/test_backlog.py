"""Scenario 36: a mailbox with fifty thousand unread mails is read once, whatever happens to it meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.kit.clock import SystemClock
from tests.intake.mail.maillib import MemoryFeed, wait_for
from tests.intake.mail.test_imap import DOVECOT, Reading, Server, dovecot_in, ids

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not DOVECOT, reason="DOVECOT IS MISSING: the backlog is not tested (apt install dovecot-imapd)"),
]


def test_fifty_thousand_unread_are_read_once_each_though_reading_was_stopped_and_mail_deleted() -> None:
    with dovecot_in(Path("/tmp") / f"db{os.getpid()}") as server:
        _read_all(server)


def _read_all(server: Server) -> None:
    count, maildir = 50_000, server.base / "home" / "Maildir" / "new"
    client = server.client()
    client.select_folder("INBOX")  # which makes its folders
    client.logout()
    for at in range(count):
        (maildir / f"1.{at:05}.x").write_bytes(b"From: mara@example.org\nMessage-ID: <m%d@example.org>\n\nciao\n" % at)
    first = MemoryFeed()
    began = SystemClock().monotonic()

    with Reading(server, first):
        wait_for(lambda: len(first.taken) >= count // 3, timeout_s=300)
    client = server.client()
    client.select_folder("INBOX")
    client.delete_messages(client.search("ALL")[:1000])
    client.expunge()
    client.logout()
    second = MemoryFeed(first.place)
    with Reading(server, second):
        wait_for(lambda: len(first.taken) + len(second.taken) >= count, timeout_s=500)
        took = SystemClock().monotonic() - began

    read = [*ids(first), *ids(second)]
    assert len(read) == len(set(read)) == count
    assert count / took >= 100
