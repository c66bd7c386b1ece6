"""The taking-in-charge answer: whom it may be sent to. Its words are in `acknowledgement_texts`.

Only a person's contact that opened a ticket is answered, once per address and window, and addresses that nothing
vouches for share a small daily quota, so that we cannot be used to bomb a mailbox.
Source: RFC 3834, section 2 (when not to respond).
"""

from __future__ import annotations

from services.tickets.domain.contact import Contact

UNVERIFIED_A_DAY = 200
_DAY_US = 86_400_000_000


def wanted(contact: Contact, *, opened: bool) -> bool:
    """Whether this contact is one that is acknowledged at all, before window and quota."""
    return bool(
        opened
        and contact.live
        and contact.by_person
        and contact.acknowledge_by
        and contact.sender.value
        and not contact.suspicious
        and not contact.not_rendered
    )


def sender_key(contact: Contact) -> str:
    """The address a window is counted for."""
    return f"{contact.brand_id}\x1f{contact.sender.kind}\x1f{contact.sender.value.lower()}"


def in_window(last_us: int, now_us: int, window_minutes: int) -> bool:
    """Whether this sender was answered so lately that another answer would be noise."""
    return now_us - last_us < window_minutes * 60_000_000


def day_of(now_us: int) -> int:
    """The day the quota is counted for, in days since 1970."""
    return now_us // _DAY_US
