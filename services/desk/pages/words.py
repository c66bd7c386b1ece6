"""Values of the contract that people read: each has its word in every catalog; a test holds the two together."""

from __future__ import annotations

from collections.abc import Mapping

from services.desk.domain.people import User
from services.desk.i18n import Tongue
from services.desk.pages.views import Channel

WORDS: Mapping[str, tuple[str, ...]] = {
    "state": ("new", "open", "waiting", "solved", "closed", "spam"),
    "channel": ("email", "webform", "chat", "api", "x", "rss", "replay"),
    "identity": ("email", "phone", "handle", "visitor", "customer"),
    "delivery": ("queued", "claimed", "transmitting", "sent", "delivered", "read", "cancelled"),
    "tone": ("negative", "neutral", "positive"),
    "way": ("did_you_mean", "without_rarest", "any_word", "all_dates", "include_spam"),
    "mention state": ("new", "seen", "mine", "answered", "ignored"),
    "alert state": ("raised", "claimed", "assigned", "muted", "escalated", "resolved", "false_alarm"),
    "severity": ("notice", "serious", "crisis"),
    "act": (
        "first", "raised", "updated", "claim", "claimed", "assign", "assigned", "mute", "muted", "unmute", "unmuted",
        "escalate", "escalated", "resolve", "resolved", "false_alarm", "link_ticket", "answered", "notified", "told", "not_told", "severity", "ended", "folded", "unfolded",
    ),
    "verdict": ("irrelevant", "expected", "wrong_tone", "duplicate"),
    "threshold": ("learned",),
    "account state": ("on", "off", "failing", "limited"),
    "index state": ("ready", "catching_up", "rebuilding", "damaged", "absent"),
    "presence": ("available", "away", "break"),
    "role": ("agent", "supervisor", "reputation", "operations", "admin"),
    "service": ("intake", "tickets", "social", "search", "desk"),
    "stage": ("received", "intake", "parse", "outbox", "deliveries", "sending", "consume", "index"),
    "check": ("database", "sources", "index"),
    "group": ("intake.replies", "tickets.contacts", "tickets.deliveries", "social-detect"),
    "kind": ("ticket", "message", "note", "mention", "customer"),
    "facet": ("kind", "channel", "account", "brand", "state", "tag", "agent", "language", "tone", "topic"),
    "language": ("it", "en", "de", "fr", "es", "pt"),
    "priority": ("1", "2", "3", "4", "low", "normal", "high", "urgent"),
}  # fmt: skip

STATE_KINDS = {"new": "accent", "open": "accent", "waiting": "", "solved": "success", "closed": "", "spam": "warning"}
SEVERITY_KINDS = {"notice": "info", "serious": "warning", "crisis": "danger"}
ALERT_KINDS = {
    "raised": "warning",
    "escalated": "danger",
    "claimed": "accent",
    "assigned": "accent",
    "resolved": "success",
}


def within(label: str) -> str:
    """A word as it stands inside a sentence: "via e-mail", but "via X"."""
    return label if label.isupper() else label[:1].lower() + label[1:]


def channel(tongue: Tongue, name: str, *, letters: bool, live: bool, public: bool) -> Channel:
    """A channel's word; its glyph follows from what it can do, so that a new channel needs nothing here."""
    icon = "post" if public else "chat" if live else "mail" if letters else "code"
    return Channel(tongue.word("channel", name), icon)


def colleague(tongue: Tongue, user: User) -> str:
    """A person's name, with their presence where they are not available."""
    presence = user.preferences.presence
    if presence == "available":
        return user.name
    return tongue.text("%(name)s (%(presence)s)", name=user.name, presence=tongue.word("presence", presence).lower())
