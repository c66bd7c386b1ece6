"""Letters the desk writes to its own people, in their language. Intake sends them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from services.desk.i18n import Tongue, language_for, zone_for

if TYPE_CHECKING:
    from services.desk.usecases.resets import ResetMail


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail to somebody of the staff. `id` is the same on every attempt."""

    id: str
    to: str
    subject: str
    text: str
    language: str


def reset_letter(mail: ResetMail, *, url: str, now: datetime) -> Letter:
    """The mail with the link that sets a new password. `url` is the installation's own, never what a request claims."""
    likes = mail.user.preferences
    tongue = Tongue(language_for((), likes.language), zone_for(likes.time_zone), now)
    text = tongue.text(
        "Hello %(name)s,\n\nsomebody, most likely you, asked for a new password for Ascolto. "
        "Choose it here within the hour:\n\n%(link)s\n\n"
        "The link works once. If it was not you, do nothing: your password stays as it is.",
        name=mail.user.name,
        link=f"{url}/login/reset?token={quote(mail.token, safe='')}",
    )
    return Letter(
        id=mail.id,
        to=mail.user.email,
        subject=tongue.text("A new password for Ascolto"),
        text=text,
        language=tongue.language,
    )
