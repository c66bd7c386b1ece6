"""What a channel can do, how it is set up, and one configured end of it. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.intake.domain.contact import Attachment, Identity, Threading


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The differences between channels that others may look at; nobody compares channel ids."""

    threading: Threading
    replies: bool = True
    replies_by: str = ""  # channel that carries the answer when it is not this one
    acknowledge_by: str = ""  # channel of the taking-in-charge answer; empty: none
    public: bool = False
    html: bool = False
    subject: bool = False
    recipients: bool = False
    live: bool = False
    letters: bool = False
    max_length: int = 0  # 0: none
    length_unit: str = "characters"
    max_attachments: int = 0
    max_attachment_bytes: int = 0
    undo_s: int = 0
    receives: bool = True  # False: sending only
    keeps_original: bool = False  # the raw bytes are shown beside the text, not only kept
    unique_per_brand: bool = False  # one mail to two mailboxes of a brand is one contact
    one_per_conversation: bool = True  # answers of one conversation leave one after the other


@dataclass(frozen=True, slots=True)
class SettingField:
    """One thing an account of the channel can be told, for the settings page."""

    name: str
    label: str
    secret: bool = False
    default: str = ""
    required: bool = False
    kind: str = "text"  # text, url, number, flag, long


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One configured end of a channel, with its secrets opened and what is needed of its brand."""

    id: str
    brand_id: str
    channel: str
    address: str = ""
    state: str = "on"  # on, off
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    brand_name: str = ""
    brand_slug: str = ""
    language: str = "it"
    version: int = 0
    off_message: str = ""

    def setting(self, name: str, default: str = "") -> str:
        """The setting's value, or `default` when it is absent or empty."""
        return self.settings.get(name) or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Whether a setting of kind flag is on."""
        return self.setting(name, "1" if default else "0").lower() in {"1", "true", "yes", "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A mail of the installation to somebody of the staff. `id` is the same on every attempt."""

    id: str
    to: str
    subject: str
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """One answer on its way out, whole: bodies and files are loaded.

    `delivery_id` is the same on every attempt: derive Message-ID, idempotency key and correlation from it.
    """

    delivery_id: str
    reply_id: str
    ticket_id: str
    ticket_number: int = 0
    conversation: str = ""
    to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    automatic: bool = False
    author_name: str = ""
    language: str = ""
    attempt: int = 1
    signature: str = ""  # of the brand


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider accepted it. `external_id` is what it will be called from now on (Message-ID, post id)."""

    external_id: str
    delivered: bool = False  # the customer's end has it, not only the provider
    refused: tuple[str, ...] = ()  # recipients that were turned down while others were accepted


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an account's test."""

    name: str
    ok: bool
    detail: str = ""
