"""The poller against a real Dovecot: nothing lost, nothing marked, nothing imported twice for the cursor's sake."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from services.intake.listeners.imap import Mailbox, Poller
from services.intake.ports import Mode
from services.kit.clock import SystemClock
from services.kit.errors import Invalid, Unavailable
from services.kit.spool import Spool, Spooled
from tests.intake.mail.maillib import MemoryFeed, account, channel, wait_for

DOVECOT = shutil.which("dovecot") or shutil.which("/usr/sbin/dovecot") or ""
pytestmark = pytest.mark.skipif(
    not DOVECOT, reason="DOVECOT IS MISSING: the IMAP poller is not tested (apt install dovecot-imapd)"
)

CONFIG = """
{version}
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
ssl = no
{auth}
default_login_user = {login}
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
first_valid_uid = 0
{mail}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {passdb}
userdb {userdb}
"""


class Server:
    def __init__(self, base: Path) -> None:
        self.base = base
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.config = base / "dovecot.conf"
        # Dovecot wants other users than root for its parts; started by anybody else, it is that user throughout.
        root = os.getuid() == 0
        person = pwd.getpwnam("dovecot") if root else pwd.getpwuid(os.getuid())
        login = "dovenull" if root else person.pw_name
        group = grp.getgrgid(person.pw_gid).gr_name
        (base / "home").mkdir()
        os.chown(base / "home", person.pw_uid, person.pw_gid)
        new = subprocess.run([DOVECOT, "--version"], capture_output=True, text=True, check=True).stdout.startswith(
            "2.4"
        )
        account_fields = f"uid={person.pw_uid} gid={person.pw_gid} home={base}/home"
        version = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0" if new else ""
        mail = (
            f"mail_driver = maildir\nmail_path = {base}/home/Maildir"
            if new
            else f"mail_location = maildir:{base}/home/Maildir"
        )
        userdb_fields = f"fields {{\n uid = {person.pw_uid}\n gid = {person.pw_gid}\n home = {base}/home\n}}"
        self.config.write_text(
            CONFIG.format(
                version=version, base=base, user=person.pw_name,
                login=login, group=group, mail=mail, port=self.port,
                auth="auth_allow_cleartext = yes" if new else "disable_plaintext_auth = no",
                passdb="static {\n password = secret\n}" if new else "{\n driver = static\n args = password=secret\n}",
                userdb=f"static {{\n {userdb_fields}\n}}" if new else f"{{\n driver = static\n args = {account_fields}\n}}",
            )
        )  # fmt: skip
        self.process: Any = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [DOVECOT, "-F", "-c", str(self.config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for(self._answers, what="Dovecot")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            log = self.base / "log"
            raise AssertionError(self.process.stdout.read() + (log.read_text() if log.exists() else ""))
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)
        self.process.stdout.close()

    def client(self) -> IMAPClient:
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        client.login("care", "secret")
        return client

    def deliver(self, *names: str, folder: str = "INBOX", when: datetime | None = None) -> None:
        client = self.client()
        if not client.folder_exists(folder):
            client.create_folder(folder)
        for name in names:
            client.append(
                folder,
                f"From: mara@example.org\r\nMessage-ID: <{name}@example.org>\r\nSubject: {name}\r\n\r\nciao\r\n".encode(),
                msg_time=when,
            )
        client.logout()


@contextmanager
def dovecot_in(base: Path) -> Iterator[Server]:
    """A server of its own; the path is short, since that of a socket has a limit."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    server = Server(base)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="module")
def dovecot():
    with dovecot_in(Path("/tmp") / f"dc{os.getpid()}") as server:
        yield server


@pytest.fixture
def server(dovecot):
    client = dovecot.client()
    for _flags, _mark, folder in client.list_folders():
        client.select_folder(folder)
        client.delete_messages(client.search("ALL"))
        client.expunge()
        client.close_folder()
        if folder != "INBOX":
            client.delete_folder(folder)
    client.logout()
    return dovecot


class Reading:
    """A poller in its thread, until the block ends."""

    def __init__(self, server: Server, feed: MemoryFeed, **settings: str) -> None:
        self.feed = feed
        self.spool = Spool(server.base)
        self.mailbox = Mailbox.of(account(**here(server), **settings))
        self.stop = threading.Event()
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            Poller(self.mailbox, "acc_1", self.feed, SystemClock(), self.spool).run(self.stop)
        except (Unavailable, Invalid) as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_error):
        self.stop.set()
        self.thread.join(5)
        assert not self.thread.is_alive()


def here(server: Server) -> dict[str, str]:
    return {
        "imap_host": "127.0.0.1",
        "imap_port": str(server.port),
        "imap_tls": "none",
        "imap_user": "care",
        "imap_password": "secret",
    }


def ids(feed: MemoryFeed) -> list[str]:
    return [one.transport_key.partition("@")[0] for one in feed.taken]


def test_what_is_there_and_what_comes_is_read_by_idle(server):
    server.deliver("a", "b")
    feed = MemoryFeed()

    with Reading(server, feed, imap_poll_s="300"):
        wait_for(lambda: len(feed.taken) == 2 and feed.successes)
        server.deliver("c")
        wait_for(lambda: len(feed.taken) == 3, timeout_s=10, what="the news by IDLE")

    assert ids(feed) == ["a", "b", "c"]
    assert feed.taken[2].body.endswith(b"ciao\r\n")


def test_nothing_in_the_mailbox_is_marked(server):
    server.deliver("a")
    feed = MemoryFeed()

    with Reading(server, feed):
        wait_for(lambda: len(feed.taken) == 1)

    client = server.client()
    client.select_folder("INBOX", readonly=True)
    flags = [one[b"FLAGS"] for one in client.fetch(client.search("ALL"), ["FLAGS"]).values()]
    client.logout()
    assert all(b"\\Seen" not in one for one in flags)


def test_a_mail_that_somebody_has_read_is_taken_in_all_the_same(server):
    server.deliver("a")
    client = server.client()
    client.select_folder("INBOX")
    client.add_flags(client.search("ALL"), [b"\\Seen"])
    client.logout()
    feed = MemoryFeed()

    with Reading(server, feed):
        wait_for(lambda: ids(feed) == ["a"])


def test_it_goes_on_after_days_where_it_stopped(server):
    server.deliver("a", "b")
    first = MemoryFeed()
    with Reading(server, first):
        wait_for(lambda: len(first.taken) == 2 and first.successes)
    server.deliver("c", when=datetime.now(UTC) - timedelta(days=5))
    second = MemoryFeed(first.place)

    with Reading(server, second):
        wait_for(lambda: len(second.taken) == 1)

    assert ids(second) == ["c"]
    assert second.taken[0].mode is Mode.LIVE


def test_mail_from_before_the_account_is_imported_without_notice(server):
    server.deliver("old", when=datetime.now(UTC) - timedelta(days=5))
    server.deliver("new")
    feed = MemoryFeed()

    with Reading(server, feed):
        wait_for(lambda: len(feed.taken) == 2)

    assert [one.mode for one in feed.taken] == [Mode.IMPORT, Mode.LIVE]
    assert datetime.now(UTC) - feed.taken[0].received_at > timedelta(days=4)


def test_a_changed_uidvalidity_reads_all_again_under_the_same_keys(server):
    server.deliver("a", "b", folder="Shop")
    first = MemoryFeed()
    with Reading(server, first, imap_folders="Shop"):
        wait_for(lambda: len(first.taken) == 2 and first.successes)
    client = server.client()
    client.delete_folder("Shop")
    client.logout()
    wait_for(lambda: int(datetime.now(UTC).timestamp()) > int(first.place.split("[")[1].split(",")[0]) + 1)
    server.deliver("b", "c", folder="Shop")
    second = MemoryFeed(first.place)

    with Reading(server, second, imap_folders="Shop"):
        wait_for(lambda: len(second.taken) == 2)

    assert ids(second) == ["b", "c"]
    assert second.taken[0].transport_key == first.taken[1].transport_key
    assert second.place != first.place


def test_every_folder_set_is_read(server):
    server.deliver("a")
    server.deliver("b", folder="Más")
    feed = MemoryFeed()

    with Reading(server, feed, imap_folders="INBOX, Más"):
        wait_for(lambda: sorted(ids(feed)) == ["a", "b"])


def test_the_cursor_stays_when_the_store_is_away(server):
    server.deliver("a")
    feed = MemoryFeed()
    feed.error = Unavailable("The disk is full.")
    with Reading(server, feed) as reading:
        wait_for(lambda: reading.error is not None)
    before = feed.place
    feed.error = None

    with Reading(server, feed):
        wait_for(lambda: ids(feed) == ["a"])

    assert before == ""


def test_a_backlog_comes_in_batches_at_more_than_a_hundred_a_second(server):
    maildir = server.base / "home" / "Maildir" / "new"
    for at in range(600):
        (maildir / f"1.{at:05}.x").write_bytes(b"From: mara@example.org\nMessage-ID: <m%d@example.org>\n\nciao\n" % at)
    feed = MemoryFeed()
    began = SystemClock().monotonic()

    with Reading(server, feed):
        wait_for(lambda: len(feed.taken) == 600)
        took = SystemClock().monotonic() - began

    assert len(set(ids(feed))) == 600
    assert feed.calls >= 3
    assert took < 6


def test_a_large_mail_is_read_in_pieces_into_a_file(server):
    body = b"From: mara@example.org\r\nMessage-ID: <large@example.org>\r\n\r\n" + os.urandom(2_000_000).hex().encode()
    client = server.client()
    client.append("INBOX", body)
    client.append("INBOX", body.replace(b"<large", b"<exact")[: 2 * 1024 * 1024])  # the last piece is empty
    client.logout()
    server.deliver("small")
    feed = MemoryFeed()

    with Reading(server, feed):
        wait_for(lambda: len(feed.taken) == 3)

    assert sorted(ids(feed)) == ["exact", "large", "small"]
    assert [isinstance(one.body, Spooled) for one in feed.taken] == [True, True, False]
    assert [bytes(one.body)[-100:] for one in feed.taken[:2]] == [
        body[-100:],
        body[2 * 1024 * 1024 - 100 : 2 * 1024 * 1024],
    ]
    assert [len(one.body) for one in feed.taken[:2]] == [len(body), 2 * 1024 * 1024]


def test_a_mail_over_the_limit_is_taken_by_its_headers(server, monkeypatch):
    monkeypatch.setattr("services.intake.listeners.imap.limits.RAW_BYTES", 90)
    server.deliver("a-long-name-that-makes-it-larger")
    feed = MemoryFeed()

    with Reading(server, feed):
        wait_for(lambda: len(feed.taken) == 1)

    mail = channel()
    (found,) = mail.parse(feed.taken[0], account(), budget_s=10)
    mail.close()
    assert "mailbox" in found.not_rendered
    assert b"ciao" not in feed.taken[0].body


def test_a_refused_password_and_a_missing_folder_are_told_by_their_setting(server):
    settings = {**here(server), "imap_password": "wrong"}
    with pytest.raises(Invalid) as refused:
        Mailbox.of(account(**settings)).look()
    with pytest.raises(Invalid) as missing:
        Mailbox.of(account(**here(server), imap_folders="Nowhere")).look()

    assert (refused.value.field, missing.value.field) == ("imap_password", "imap_folders")
    assert Mailbox.of(account(**here(server))).look() == "INBOX: 0"


def test_a_server_that_is_away_is_unavailable():
    with pytest.raises(Unavailable):
        Mailbox.of(account(imap_host="127.0.0.1", imap_port="1", imap_tls="none")).look()
