"""What the API has of its own beside the desk: tokens, stored answers, and the coalescing way to intake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.desk.api.coalesce import Coalescer
    from services.desk.usecases.repeat import Answers
    from services.desk.usecases.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Api:
    """The parts."""

    tokens: Tokens
    answers: Answers
    contacts: Coalescer
