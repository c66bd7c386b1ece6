"""Brings the whole corpus in by every edge: mail, API, chat, form, X, feed and batches; each field another payload."""

from __future__ import annotations

import base64
import itertools
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from services.demo.world import authors
from tests.browser.flows.shop import Running, until
from tests.browser.hostile import Sink
from tests.payloads import Payload, corpus, lines

WORD = "zaffiro"  # in every text: what is sought
_ALONE = {"script", "sheet", "mutation", "attribute"}  # these may swallow what stands behind them
_TOGETHER = 14
_THREAD = 45  # mails of one conversation: a page shows that many without folding
_SHAPES = ("image/svg+xml", "text/html", "image/png", "application/pdf", "text/xml")


@dataclass
class Incoming:
    """What was brought in. `numbers` are the tickets with the mails."""

    shop: Running
    sink: Sink
    numbers: list[int] = field(default_factory=list)

    def bring(self) -> None:
        """All of it; returns when it is on tickets, mentions and an alert."""
        self._posts()
        self._mails()
        self._contacts()
        self._chat()
        until(lambda: self._found(f"kind:message {WORD}") >= self.mails + self.contacts, "it is all indexed", 60)
        until(lambda: self.shop.api.items("/alerts"), "the crowd is an alert", 60)
        until(lambda: self._found("kind:mention spesaecasa") >= 1, "the feed was read", 60)

    mails = 0
    contacts = 150

    def _found(self, query: str) -> int:
        return int(self.shop.api.call("GET", f"/search?q={quote(query)}&limit=1")["total"])

    def _names(self, seed: int) -> Iterator[str]:
        """Lines for one field, in an order of its own: every field sees the names, and another part of the markup."""
        all_ = lines(self.sink.url)
        own, markup = [one for one in all_ if one.number >= 5000], [one for one in all_ if one.number < 5000]
        turned = markup[seed * 61 % len(markup) :] + markup[: seed * 61 % len(markup)]
        mixed = itertools.chain.from_iterable(itertools.zip_longest(own, turned))
        return itertools.cycle(one.markup for one in mixed if one)

    def _letters(self) -> Iterator[list[Payload]]:
        """What stands in the HTML of one mail."""
        found = corpus(self.sink.url)
        yield from ([one] for one in found if one.family in _ALONE)
        rest = [one for one in found if one.family not in _ALONE]
        yield from (rest[at : at + _TOGETHER] for at in range(0, len(rest), _TOGETHER))

    def _mails(self) -> None:
        names, subjects, files = self._names(1), self._names(2), self._names(3)
        with smtplib.SMTP(*self.shop.smtp, timeout=60) as client:
            for at, letter in enumerate(self._letters()):
                head = f"hostile-{at // _THREAD}"
                sender = f"{head}@posta.example"
                markup = "\n".join(one.markup for one in letter)
                parts = [
                    f"From: {_words(next(names))} <{sender}>",
                    f"To: {self.shop.shop.address}",
                    f"Subject: {_words(next(subjects))}",
                    f"Message-ID: <{head}-{at}@posta.example>",
                    f"References: <{head}-{at // _THREAD * _THREAD}@posta.example>",
                    'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="m"',
                    *_part("text/plain; charset=utf-8", f"{WORD} {markup}"),
                    *_part("text/html; charset=utf-8", f"<p>{WORD}</p>{markup}<p>fine</p>"),
                    *_part(
                        _SHAPES[at % len(_SHAPES)],
                        markup,
                        f"Content-Disposition: attachment; filename*=utf-8''{quote(next(files), safe='')}",
                    ),
                    "--m--\r\n",
                ]
                client.sendmail(sender, [self.shop.shop.address], "\r\n".join(parts).encode())
                self.mails += 1

        def threads() -> list[dict[str, Any]]:
            """The tickets of the long conversations, once all mails are on them."""
            found = [one for one in self.shop.api.items("/tickets?channel=email") if one["interaction_count"] > 15]
            return found if sum(one["interaction_count"] for one in found) >= self.mails else []

        self.numbers = [one["number"] for one in until(threads, "the mails are on their tickets", 60)]

    def _contacts(self) -> None:
        names, subjects, handles, files, texts = (self._names(seed) for seed in range(4, 9))
        letters = itertools.cycle(self._letters())
        items = [
            {
                "account": self.shop.shop.accounts["api"],
                "external_id": f"hostile-api-{at}",
                "from": {"handle": next(handles), "name": next(names)},
                "subject": next(subjects),
                "text": f"{WORD} " + " ".join(one.markup for one in next(letters)) + f" {next(texts)}",
                "html": "".join(one.markup for one in next(letters)),
                "attachments": [{"name": next(files), "media_type": "text/html", "content_base64": "PGI+"}],
            }
            for at in range(self.contacts)
        ]
        for start in range(0, len(items), 75):
            self.shop.api.call("POST", "/contacts:batch", expect=202, json={"items": items[start : start + 75]})

    def _chat(self) -> None:
        found = [one.markup for one in corpus(self.sink.url)]
        names = self._names(9)
        for start in range(0, len(found), 60):
            person = {"name": next(names), "address": f"chat-{start}@posta.example", "language": "it"}
            visitor = self.shop.visitor(person)
            said = [visitor.say("\n".join(found[at : at + 15])) for at in range(start, start + 60, 15)]
            assert all(one["op"] == "ack" for one in said[: -(-(len(found) - start) // 15)]), said
            visitor.close()
        self.shop.form(
            {"name": next(self._names(10)), "address": "form@posta.example", "language": "it", "kind": "question"}
            | {"subject": found[0], "text": "\n".join(found[:60])}
        )

    def _posts(self) -> None:
        names, handles, urls, titles = (self._names(seed) for seed in range(11, 15))
        angry = [text for language, text in self.shop.people["angry"] if language == "it"]
        found = corpus(self.sink.url)
        now = datetime.now(UTC).isoformat()
        items = [
            {
                "external_id": f"hostile-{at}",
                "author": {"handle": next(handles), "name": next(names), "followers": 900_000},
                "text": f"{angry[at % len(angry)]} {WORD}{at} {one.markup} {other.markup}",
                "url": f"javascript:alert({one.number})" if at % 2 else next(urls),
                "occurred_at": now,
                "lang": "it",
            }
            for at, (one, other) in enumerate(zip(found[::2], [*found[1::2], found[0]], strict=False))
        ]
        answer = self.shop.api.call("POST", "/mentions:batch", expect=202, json={"source": "replay", "items": items})
        assert all(one["matched"] for one in answer["items"]), answer["items"][:3]
        known = authors(self.shop.people)[0]
        for at in range(20):
            author = replace(known, id=str(31000 + at), handle=next(handles), name=next(names))
            self.shop.world.x.post(author, f"{angry[at % len(angry)]} {found[at * 30].markup} {at}", language="it")
        for at in range(30):
            title = "".join(letter for letter in next(titles) if letter >= " ")
            markup = "".join(letter for letter in found[at * 20].markup if letter >= " ")
            self.shop.world.feed.publish(title, f"Lumaca Casa spesaecasa {markup} {at}")


def _words(text: str) -> str:
    """Encoded words. Source: RFC 2047."""
    return " ".join(
        f"=?utf-8?b?{base64.b64encode(text[at : at + 12].encode()).decode()}?=" for at in range(0, len(text), 12)
    )


def _part(kind: str, text: str, *headers: str) -> list[str]:
    body = base64.encodebytes(text.encode()).decode().replace("\n", "\r\n")
    return ["\r\n--m", f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", *headers, "", body]
