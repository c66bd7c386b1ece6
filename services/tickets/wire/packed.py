"""Payloads of the hot path, put together from messages that are bytes already.

Nesting a message copies it, and packing the outer one packs it again; a field of the outer one is no more than a tag,
a length and the bytes.
Source: https://protobuf.dev/programming-guides/encoding/#structure
"""

from __future__ import annotations

from services.kit.uow import Packed

_OPENED = b"\x18\x01"  # field 3, true


def interaction_recorded(interaction: bytes, ticket: bytes, *, opened: bool) -> Packed:
    """`InteractionRecorded` of a packed interaction and ticket."""
    parts = (b"\x0a", _length(interaction), interaction, b"\x12", _length(ticket), ticket, _OPENED if opened else b"")
    return Packed("InteractionRecorded", b"".join(parts))


def customer_changed(customer: bytes) -> Packed:
    """`CustomerChanged` of a packed customer."""
    return Packed("CustomerChanged", b"".join((b"\x0a", _length(customer), customer)))


def _length(data: bytes) -> bytes:
    """How long it is, as a varint."""
    rest, made = len(data), bytearray()
    while rest > 0x7F:
        made.append(rest & 0x7F | 0x80)
        rest >>= 7
    made.append(rest)
    return bytes(made)
