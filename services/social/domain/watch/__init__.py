"""The query language of a watch: parsed once, linted, and compiled to a local matcher and to rules of X."""

from __future__ import annotations

from services.social.domain.watch.lint import lint
from services.social.domain.watch.match import Matcher, Post, View, WatchSet
from services.social.domain.watch.parse import BadQuery, parse
from services.social.domain.watch.tree import Fault, Node, render
from services.social.domain.watch.xrule import RULE_LIMIT, SEARCH_LIMIT, x_rules

__all__ = [
    "RULE_LIMIT",
    "SEARCH_LIMIT",
    "BadQuery",
    "Fault",
    "Matcher",
    "Node",
    "Post",
    "View",
    "WatchSet",
    "lint",
    "parse",
    "render",
    "x_rules",
]
