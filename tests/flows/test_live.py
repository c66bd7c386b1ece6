"""The live desk through the whole product: both see, none misses, a revoked one is cut off (spine, test 7)."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing

from tests.faults.installation import Installation, Prepared
from tests.flows.people import Stream, post_contact, signed_in, ticket_with
from tests.kitlib import wait_until


def test_two_agents_see_a_contact_within_a_second(running: Installation, prepared: Prepared) -> None:
    with ExitStack() as stack:
        browsers = [stack.enter_context(signed_in(running, prepared.password)) for _ in range(2)]
        streams = [stack.enter_context(closing(Stream(running, browser))) for browser in browsers]
        wait_until(lambda: all(stream.named("ready") for stream in streams))
        delays = []
        for number in range(3):  # the best of three: the machine is shared with other tests
            posted = time.monotonic()
            post_contact(running, f"live-{number}")
            found = ticket_with(running, f"live-{number}")["id"]
            delays.append(max(stream.wait_for(found) for stream in streams) - posted)
        assert min(delays) < 1.0, delays


def test_who_comes_back_has_missed_nothing_or_is_told_to_reload(running: Installation, prepared: Prepared) -> None:
    with signed_in(running, prepared.password) as browser:
        first = Stream(running, browser)
        wait_until(lambda: first.named("ready"))
        post_contact(running, "gap-seen")
        seen = ticket_with(running, "gap-seen")
        wait_until(lambda: first.told_of(seen["id"]))
        first.close()
        for number in range(5):
            post_contact(running, f"gap-{number}")
        missed = [ticket_with(running, f"gap-{number}")["id"] for number in range(5)]
        with closing(Stream(running, browser, first.last)) as again:
            wait_until(lambda: again.named("reload") or all(again.told_of(one) for one in missed))
            assert not again.named("reload"), "five events are no reason to reload"
        with closing(Stream(running, browser, "999999999-1")) as lost:
            wait_until(lambda: lost.named("reload"))


def test_the_stream_of_a_person_who_was_disabled_ends_within_five_seconds(running: Installation) -> None:
    password = running.product.command("user", "create", "--email", "via@lumaca.example", "--role", "agent", "--quiet")
    with signed_in(running, password, "via@lumaca.example") as browser, closing(Stream(running, browser)) as stream:
        wait_until(lambda: stream.named("ready"))
        running.product.command("user", "disable", "via@lumaca.example")
        revoked = time.monotonic()
        assert stream.ended.wait(10)
        assert time.monotonic() - revoked < 5.0
        assert stream.named("signed_out")
        assert browser.get("/inbox").url.path == "/login"
