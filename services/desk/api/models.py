"""Bodies the API takes: every field checked, unknown ones refused. Source: design, page 7."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    field_validator,
    model_validator,
)

_EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)  # before any shop on the web
_AHEAD = timedelta(days=1)  # of a sender's clock
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
INT64 = 2**63 - 1
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")  # pydantic would take seconds since 1970 too


def _a_moment(value: Any) -> Any:
    if not isinstance(value, str) or not _MOMENT.match(value):
        raise ValueError("write it as text in RFC 3339, such as 2026-03-12T09:00:00Z")
    return value


def _happened(value: datetime) -> datetime:
    if not _EARLIEST <= value <= datetime.now(UTC) + _AHEAD:
        raise ValueError("it lies before 1995 or in the future")
    return value


def _to_come(value: datetime) -> datetime:
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError("it lies before 1995 or after 2100")
    return value


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("it holds a NUL character")
    return value


def _one_line(value: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise ValueError("it holds a control character")
    return value


Happened = Annotated[AwareDatetime, BeforeValidator(_a_moment), AfterValidator(_happened)]
ToCome = Annotated[AwareDatetime, BeforeValidator(_a_moment), AfterValidator(_to_come)]
Line = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
Words = Annotated[str, Field(max_length=998)]  # a line whose control characters are made spaces
Text = Annotated[str, Field(max_length=500_000), AfterValidator(_no_nul)]  # two fill a call of 4 MiB at four bytes each
Letter = Annotated[str, AfterValidator(_no_nul)]  # as long as a body may be
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.:-]+$")]
ExternalId = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_one_line)]
MediaType = Annotated[str, Field(max_length=300, pattern=r"^\s*[\w.+-]{1,100}/[\w.+-]{1,100}\s*(;.*)?$")]
Version = Annotated[int, Field(ge=0, le=INT64)]


class FieldError(ValueError):
    """A fault of one field that only the whole shows."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Body(BaseModel):
    """A body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    @field_validator("*", mode="before")
    @classmethod
    def _whole_characters(cls, value: Any) -> Any:
        """JSON can escape half a character, one surrogate of a pair, which nothing after here can store or send."""
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise ValueError("it holds half of a character, an unpaired surrogate") from error
        return value


class From(Body):
    """Who writes."""

    email: Line = ""
    phone: Line = ""
    name: Words = ""
    handle: Line = ""


class File(Body):
    """An attachment."""

    name: Words = "file"
    media_type: MediaType = "application/octet-stream"
    content_base64: str

    @model_validator(mode="after")
    def _decodes(self) -> File:
        try:
            base64.b64decode(self.content_base64, validate=True)
        except binascii.Error as error:
            raise FieldError("content_base64", "it is not base64") from error
        return self

    @property
    def data(self) -> bytes:
        """The bytes."""
        return base64.b64decode(self.content_base64)

    @property
    def bare_type(self) -> str:
        """The media type without parameters."""
        return self.media_type.partition(";")[0].strip().lower()


class Contact(Body):
    """One contact. Required: account, external_id, one of from.* but name, one of text, html, attachments."""

    account: Id
    external_id: ExternalId
    conversation: Annotated[str, Field(max_length=512), AfterValidator(_one_line)] = ""
    sender: Annotated[From, Field(alias="from")]
    subject: Annotated[str, Field(max_length=1000)] = ""
    text: Letter = ""
    html: Letter = ""
    occurred_at: Happened | None = None
    attachments: Annotated[list[File], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _complete(self) -> Contact:
        if not (self.sender.email or self.sender.phone or self.sender.handle):
            raise FieldError("from", "one of email, phone, handle is needed")
        if not (self.text or self.html or self.attachments):
            raise FieldError("text", "one of text, html, attachments is needed")
        return self


class Contacts(Body):
    """Up to 100 contacts, each checked by itself."""

    items: Annotated[list[SkipValidation[Contact]], Field(min_length=1, max_length=100)]


class Accepted(BaseModel):
    """A contact taken in; `duplicate`: it was there already and the first one is kept."""

    id: str
    duplicate: bool


class Reply(Body):
    """An answer in the ticket's channel; `html` is the same again for channels that show it."""

    text: Text = ""
    html: Text = ""
    attachments: Annotated[list[File], Field(max_length=20)] = []
    last_seen: Annotated[str, Field(max_length=100)] = ""
    key: Annotated[str, Field(max_length=200), AfterValidator(_one_line)] = ""


class Note(Body):
    """An internal note."""

    text: Annotated[Text, Field(min_length=1)]


State = Literal["new", "open", "waiting", "solved", "closed", "spam"]
Priority = Literal["low", "normal", "high", "urgent"]
Tag = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_one_line)]


class Patch(Body):
    """What of a ticket changes; `assignee` and `team` null or empty take it away."""

    version: Version
    state: State | None = None
    assignee: Annotated[str, Field(max_length=100)] | None = None
    team: Annotated[str, Field(max_length=100)] | None = None
    tags: Annotated[list[Tag], Field(max_length=50)] | None = None
    priority: Priority | None = None


class Author(Body):
    """Who posted."""

    handle: Annotated[Line, Field(min_length=1)]
    name: Words = ""
    followers: Annotated[int, Field(ge=0, le=INT64)] = 0


class Mention(Body):
    """One post, comment or review."""

    external_id: ExternalId
    author: Author
    text: Text
    url: Annotated[str, Field(max_length=2000), AfterValidator(_one_line)] = ""
    lang: Annotated[str, Field(max_length=20, pattern=r"^[A-Za-z-]*$")] = ""
    occurred_at: Happened
    repost_of: Annotated[str, Field(max_length=500), AfterValidator(_one_line)] | None = None


class Mentions(Body):
    """Up to 1,000 mentions of one source, each checked by itself."""

    source: Id
    items: Annotated[list[SkipValidation[Mention]], Field(min_length=1, max_length=1000)]


class Claim(Body):
    """A claim; with `version` it is refused when the alert changed since."""

    version: Version = 0


class Resolve(Claim):
    """How an alert ended."""

    cause: Annotated[Text, Field(min_length=1, max_length=2000)]


class Mute(Claim):
    """Silence until a moment."""

    until: ToCome
    reason: Annotated[Text, Field(min_length=1, max_length=2000)]


class Replay(Body):
    """`confirmed`: replaying may send a reply once more."""

    confirmed: bool = False
