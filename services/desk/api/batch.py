"""Batches: each item is checked by itself, so that a fault of one keeps out that one alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from services.desk.api.problems import fault
from services.kit.errors import Invalid

Item = TypeVar("Item", bound=BaseModel)


def items_of(model: type[Item], given: Sequence[object]) -> list[Item | Invalid]:
    """Each item, or why it is none. Raises `Invalid` with the first fault when none is one: nothing can be taken in."""
    read: list[Item | Invalid] = []
    for one in given:
        try:
            read.append(model.model_validate(one))
        except ValidationError as error:
            read.append(fault(error.errors()[0]))
    first = read[0]
    if isinstance(first, Invalid) and not any(isinstance(one, model) for one in read):
        raise Invalid(first.message, field=f"items.0.{first.field}".removesuffix(".body"))
    return read


def refused(index: int, error: str, field: str) -> dict[str, Any]:
    """The answer for an item that was not taken in."""
    return {"id": None, "duplicate": False, "index": index, "error": error, "field": field or None}
