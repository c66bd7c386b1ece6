"""Rows of the chat: visitors and the messages of their conversations, numbered from 1 without gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from services.intake.store.columns import Columns
from services.kit.db.sql import Sql
from services.kit.errors import NotFound
from services.kit.uow import Reader, Uow

_VISITORS = Columns(
    "id, account_id, name, email, customer, verified, language, conversation, last_seq, created_us, seen_us"
)
_ADD_VISITOR = _VISITORS.sql("INSERT INTO chat_visitors ($COLUMNS) VALUES ($VALUES)")
_VISITOR = _VISITORS.sql("SELECT $COLUMNS FROM chat_visitors WHERE id = :id")
_BY_CONVERSATION = _VISITORS.sql("SELECT $COLUMNS FROM chat_visitors WHERE conversation = :conversation")
_BY_CUSTOMER = _VISITORS.sql(
    "SELECT $COLUMNS FROM chat_visitors WHERE account_id = :account_id AND customer = :customer AND verified = 1"
    " ORDER BY id LIMIT 1"
)
_INTRODUCE = Sql(
    "UPDATE chat_visitors SET name = :name, email = :email, customer = :customer, verified = :verified, language = :language"
    " WHERE id = :id"
)
_SEEN = Sql("UPDATE chat_visitors SET seen_us = :now_us WHERE conversation = :conversation AND seen_us < :now_us")
_NEXT = Sql("UPDATE chat_visitors SET last_seq = last_seq + 1 WHERE conversation = :conversation RETURNING last_seq")
_LAST = Sql("SELECT conversation, last_seq FROM chat_visitors WHERE conversation IN (:conversations...)")
_OPEN = Sql(
    "INSERT INTO chat_sockets (conversation, instance, until_us) VALUES (:conversation, :instance, :until_us)"
    " ON CONFLICT (conversation, instance) DO UPDATE SET until_us = excluded.until_us"
)
_SHUT = Sql("DELETE FROM chat_sockets WHERE conversation = :conversation AND instance = :instance")
_FORGET = Sql("DELETE FROM chat_sockets WHERE until_us < :now_us")
_STALE = Sql("SELECT 1 FROM chat_sockets WHERE until_us < :now_us LIMIT 1")
_IS_OPEN = Sql("SELECT 1 FROM chat_sockets WHERE conversation = :conversation AND until_us >= :now_us LIMIT 1")
_MESSAGES = Columns("conversation, seq, id, client_id, author_kind, author_name, text, files, created_us")
_ADD = _MESSAGES.sql("INSERT INTO chat_messages ($COLUMNS) VALUES ($VALUES)")
_KNOWN = _MESSAGES.sql(
    "SELECT $COLUMNS FROM chat_messages WHERE conversation = :conversation AND client_id = :client_id"
)
_AFTER = _MESSAGES.sql(
    "SELECT $COLUMNS FROM chat_messages WHERE conversation = :conversation AND seq > :after ORDER BY seq LIMIT :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """One browser that chats. `customer` and `email` are vouched for by the shop when `verified`, else claims."""

    id: str
    account_id: str
    name: str = ""
    email: str = ""
    customer: str = ""
    verified: int = 0
    language: str = ""
    conversation: str
    last_seq: int = 0
    created_us: int = 0
    seen_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message. `author_kind` is visitor, agent or automatic."""

    conversation: str
    seq: int = 0
    id: str
    client_id: str
    author_kind: str
    author_name: str
    text: str
    files: str = "[]"
    created_us: int


def add_visitor(uow: Uow, visitor: Visitor) -> None:
    """Stores a new visitor."""
    uow.execute(_ADD_VISITOR, asdict(visitor))


def find_visitor(reader: Reader, visitor_id: str) -> Visitor | None:
    """One visitor."""
    row = reader.row(_VISITOR, {"id": visitor_id})
    return Visitor(**_VISITORS.values(row)) if row else None  # type: ignore[arg-type]  # the columns have the fields' types


def find_by_conversation(reader: Reader, conversation: str) -> Visitor | None:
    """The visitor of a conversation."""
    row = reader.row(_BY_CONVERSATION, {"conversation": conversation})
    return Visitor(**_VISITORS.values(row)) if row else None  # type: ignore[arg-type]  # as above


def find_by_customer(reader: Reader, account_id: str, customer: str) -> Visitor | None:
    """The visitor the shop vouched for before, on whatever device."""
    row = reader.row(_BY_CUSTOMER, {"account_id": account_id, "customer": customer})
    return Visitor(**_VISITORS.values(row)) if row else None  # type: ignore[arg-type]  # as above


def introduce(uow: Uow, visitor: Visitor) -> None:
    """Writes who the visitor says they are, or is known to be."""
    uow.execute(_INTRODUCE, asdict(visitor))


def seen(uow: Uow, conversation: str, now_us: int) -> None:
    """Notes that the visitor was there."""
    uow.execute(_SEEN, {"conversation": conversation, "now_us": now_us})


def add_message(uow: Uow, message: Message) -> tuple[Message, bool]:
    """Stores a message under the next number; a repeat of its `client_id` gives the first one and False."""
    row = uow.row(_KNOWN, {"conversation": message.conversation, "client_id": message.client_id})
    if row is not None:
        return Message(**_MESSAGES.values(row)), False  # type: ignore[arg-type]  # as above
    drawn = uow.row(_NEXT, {"conversation": message.conversation})
    if drawn is None:
        raise NotFound(f"There is no conversation {message.conversation[:60]}.")
    values = asdict(message) | {"seq": int(drawn[0] or 0)}
    uow.execute(_ADD, values)
    return Message(**values), True


def messages(reader: Reader, conversation: str, *, after: int, limit: int) -> list[Message]:
    """Messages above a number, in order."""
    rows = reader.rows(_AFTER, {"conversation": conversation, "after": after, "limit": limit})
    return [Message(**_MESSAGES.values(row)) for row in rows]  # type: ignore[arg-type]  # as above


def last_numbers(reader: Reader, conversations: Sequence[str]) -> dict[str, int]:
    """The number of the last message of each conversation."""
    rows = reader.rows(_LAST, {"conversations": conversations})
    return {str(conversation): int(last or 0) for conversation, last in rows}


def keep_open(uow: Uow, conversations: Iterable[str], instance: str, until_us: int) -> None:
    """Tells every process that this one holds sockets of these conversations, until then."""
    uow.execute_many(_OPEN, [(conversation, instance, until_us) for conversation in conversations])


def shut(uow: Uow, conversation: str, instance: str) -> None:
    """This process holds no socket of the conversation any more."""
    uow.execute(_SHUT, {"conversation": conversation, "instance": instance})


def any_stale(reader: Reader, now_us: int) -> bool:
    """Whether a process died with sockets open."""
    return reader.row(_STALE, {"now_us": now_us}) is not None


def forget_open(uow: Uow, now_us: int) -> None:
    """Forgets what processes that died held open."""
    uow.execute(_FORGET, {"now_us": now_us})


def is_open(reader: Reader, conversation: str, now_us: int) -> bool:
    """Whether any process holds a socket of the conversation."""
    return reader.row(_IS_OPEN, {"conversation": conversation, "now_us": now_us}) is not None
