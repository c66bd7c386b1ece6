"""Details that travel with a refused answer, and the first message of a ticket opened from a post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ascolto.tickets.v1.events_pb2 import Interaction
from ascolto.tickets.v1.service_pb2 import UnseenInteractions
from services.tickets.domain.contact import Identity
from services.tickets.domain.ticket import Ticket
from services.tickets.wire.values import identity_message, stamp, ticket

_MAX_SHOWN = 20
_MAX_TEXT = 200
_MAX_POST = 64_000


def unseen(data: Sequence[bytes], on: Ticket) -> bytes:
    """The newest unseen messages, short enough to travel beside an error (8 KB of metadata)."""
    message = UnseenInteractions(ticket=ticket(on))
    for one in data[-_MAX_SHOWN:]:
        kept = Interaction.FromString(one)
        message.interactions.append(
            Interaction(
                id=kept.id,
                ticket_id=kept.ticket_id,
                direction=kept.direction,
                kind=kept.kind,
                author_kind=kept.author_kind,
                author_id=kept.author_id,
                author=kept.author,
                text=kept.text[:_MAX_TEXT],
                occurred_at=kept.occurred_at,
                seq=kept.seq,
            )
        )
        if message.ByteSize() > 6000:
            break
    return message.SerializeToString()


@dataclass(frozen=True, slots=True)
class Post:
    """A post found by listening."""

    author: Identity
    text: str
    url: str
    external_id: str
    occurred_us: int


def of_post(post: Post, on: Ticket, *, interaction_id: str, now_us: int) -> Interaction:
    """A post as the first message of the ticket opened from it."""
    return Interaction(
        id=interaction_id,
        ticket_id=on.id,
        brand_id=on.brand_id,
        direction=1,  # type: ignore[arg-type]  # the contract's number: in
        kind="message",
        channel=on.channel,
        author_kind="customer",
        author_id=on.customer_id,
        author=identity_message(post.author),
        text=post.text[:_MAX_POST],
        external_id=post.external_id,
        occurred_at=stamp(post.occurred_us),
        recorded_at=stamp(now_us),
        rev=on.rev,
        language=on.language,
        event_data={"url": post.url} if post.url else {},
        seq=1,
    )
