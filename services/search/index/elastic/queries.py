"""Elasticsearch's queries as JSON, never made by its query parsers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from services.search.domain import words
from services.search.domain.words import LANGUAGES

_DEEPEST = 20  # the server reads 30 levels (indices.query.bool.max_nested_depth); deeper ones are wrapped


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and how many levels it has below it."""

    body: dict[str, Any]
    depth: int = 0


class ElasticQueries:
    """`compile.Queries` in Elasticsearch's language."""

    def everything(self) -> Asked:
        """All documents, each with score 1."""
        return Asked({"match_all": {}})

    def nothing(self) -> Asked:
        """None."""
        return Asked({"match_none": {}})

    def term(self, field: str, value: str) -> Asked:
        """A word of a field, or its whole value where it has exact ones."""
        return Asked({"ids": {"values": [value]}} if field == "id" else {"term": {field: {"value": value}}})

    def terms(self, field: str, values: Sequence[str]) -> Asked:
        """Any of some exact values, without a score."""
        return _silent({"terms": {field: list(values)}})

    def form(self, language: str, word: str) -> Asked:
        """The word in any form of a language, in texts of that language."""
        return Asked({"match": {f"text_{language}": {"query": word}}})

    def phrase(self, field: str, parts: Sequence[str]) -> Asked:
        """Two words or more next to each other, in this order."""
        return Asked({"match_phrase": {field: {"query": " ".join(parts)}}})

    def prefix(self, field: str, text: str) -> Asked:
        """Words that begin so."""
        return Asked({"prefix": {field: {"value": text}}})

    def fuzzy(self, field: str, word: str) -> Asked:
        """Words one edit away."""
        return Asked({"fuzzy": {field: {"value": word, "fuzziness": 1}}})

    def near(self, left: str, right: str, distance: int) -> Asked:
        """Two words in any form, in either order, at most `distance` words apart."""
        sides = [
            {"match": {"query": " ".join(words.split(one)), "max_gaps": 0, "ordered": True}} for one in (left, right)
        ]
        rule = {"all_of": {"intervals": sides, "max_gaps": distance, "ordered": False}}
        return self.any_of([Asked({"intervals": {field: rule}}) for field in ("words", *_TEXTS)])

    def between(self, field: str, low: int | None, high: int | None) -> Asked:
        """A number within bounds, both included, without a score."""
        return _silent({"range": {field: {"gte": low, "lte": high}}})

    def boosted(self, query: Asked, factor: float) -> Asked:
        """The same with its score multiplied."""
        return _deeper([query], {"bool": {"must": [query.body], "boost": factor}})

    def best_of(self, options: Sequence[Asked]) -> Asked:
        """Any of them; the score is that of the best, and a tenth of the others'."""
        return _deeper(options, {"dis_max": {"queries": [one.body for one in options], "tie_breaker": 0.1}})

    def any_of(self, options: Sequence[Asked]) -> Asked:
        """Any of them; scores are added."""
        return _deeper(options, {"bool": {"should": [one.body for one in options], "minimum_should_match": 1}})

    def all_of(self, wanted: Sequence[Asked], unwanted: Sequence[Asked] = ()) -> Asked:
        """All of the first and none of the second."""
        body = {"bool": {"must": [one.body for one in wanted], "must_not": [one.body for one in unwanted]}}
        return _deeper([*wanted, *unwanted], body)


_TEXTS = tuple(f"text_{language}" for language in LANGUAGES)


def _silent(body: dict[str, Any]) -> Asked:
    return Asked({"constant_score": {"filter": body, "boost": 0.0}}, 1)


def _deeper(below: Sequence[Asked], body: dict[str, Any]) -> Asked:
    depth = 1 + max((one.depth for one in below), default=0)
    if depth < _DEEPEST:
        return Asked(body, depth)
    return Asked({"wrapper": {"query": base64.b64encode(msgspec.json.encode(body)).decode()}})
