"""The server as this service asks it: JSON out and in, by the client's transport; failures as our own.

Of the client only what moves bytes is used: bodies are made by hand, since a bulk body by its helpers costs more than
all the rest of indexing.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from elastic_transport import NodeConfig, TransportError
from elasticsearch import Elasticsearch

from services.kit import log
from services.kit.errors import Internal, Invalid, Unavailable
from services.search.ports import IndexDamaged

_FIELD = "ASCOLTO_INDEX"
_HOW = "write it as elasticsearch://user:password@host:9200/prefix?tls=1&ca=/path/to/ca.pem&shards=3"
_PORT = 9200
_SEARCH_S, _WRITE_S = 3.0, 30.0
_AWAY_S = 1.0  # for so long nobody else waits in vain for a server that did not answer
_WITHIN = "2s"  # a search that is not done by then is given up by the server
_BUSY = frozenset({429, 502, 503, 504})
_REFUSED = frozenset({401, 403})
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)  # before what the server was too busy for is sent again
_MOST_TOLD = 200
_log = log.logger("search")


class Server:
    """A cluster behind the setting's URL. Safe from any thread. Raises `Invalid` when the URL cannot be read."""

    def __init__(self, url: str, *, pauses_s: Sequence[float] = _PAUSES_S) -> None:
        parts = urlsplit(url)
        options = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if unknown := options.keys() - {"tls", "ca", "shards"}:
            raise Invalid(f"{_FIELD} does not know {', '.join(sorted(unknown))}: {_HOW}.", field=_FIELD)
        self.prefix = parts.path.strip("/") or "ascolto"
        if self.prefix != self.prefix.lower() or not self.prefix.replace("-", "a").replace("_", "a").isalnum():
            raise Invalid(f"{_FIELD} has a prefix that is not small letters, digits, - and _: {_HOW}.", field=_FIELD)
        try:
            self.shards = int(options.get("shards", "3"))
            nodes = _nodes(parts.netloc, tls=options.get("tls", "0") == "1", ca=options.get("ca"))
        except ValueError as error:
            raise Invalid(f"{_FIELD} cannot be read: {_HOW}.", field=_FIELD) from error
        self.name = ", ".join(f"{node.host}:{node.port}" for node in nodes)
        self._away_until, self._pauses_s = 0.0, pauses_s
        self._others = len(nodes) - 1
        self._transport = Elasticsearch(nodes).transport
        logging.getLogger("elastic_transport").setLevel(logging.ERROR)  # it warns with tracebacks; we say it in a line

    def ask(self, method: str, path: str, body: object = None, *, missing: object = None) -> Any:
        """The answer's JSON; `missing` (when given) for 404.

        Raises `Unavailable` when the server is away or too busy, `IndexDamaged` for an index that is not there,
        `Internal` for what it refuses.
        """
        timeout_s = _SEARCH_S if method == "GET" else _WRITE_S
        status, answer = self._send(method, path, None if body is None else msgspec.json.encode(body), timeout_s)
        if status == 404 and missing is not None:
            return missing
        return self._checked(status, answer)

    def search(self, index: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The answers to some searches, in one round. None is partial.

        Raises `IndexDamaged` when the index is not there and `Unavailable` for all else: nobody's query is an error.
        """
        if time.monotonic() < self._away_until:
            raise Unavailable(f"The search index at {self.name} did not answer a moment ago.")
        lines: list[bytes] = []
        for body in bodies:
            header = {"index": index, "allow_partial_search_results": False, "search_type": _kind_of(body)}
            lines += [msgspec.json.encode(header), msgspec.json.encode({"timeout": _WITHIN, **body})]
        status, answer = self._send("POST", "/_msearch", b"\n".join(lines) + b"\n", _SEARCH_S, ndjson=True)
        try:
            answers = self._checked(status, answer)["responses"]
        except Internal as error:
            _log.error("index.refused_search", status=status, kind=error.message)
            raise Unavailable("The search index could not read what it was asked.") from error
        found: list[dict[str, Any]] = []
        for one in answers:
            if "error" in one:
                self._search_failed(one)
            if one.get("timed_out") or one.get("_shards", {}).get("failed"):
                raise Unavailable("The search index answered in part only; try again in a moment.")
            found.append(one)
        return found

    def _search_failed(self, answer: dict[str, Any]) -> None:
        kind, status = _kind(answer), int(answer.get("status", 500))
        if kind == "index_not_found_exception":
            raise IndexDamaged("The index is not there any more.")
        if status not in _BUSY:  # a defect of ours, or a limit of the server; the reason may hold the query
            _log.error("index.refused_search", status=status, kind=kind)
        raise Unavailable(f"The search index could not answer: {kind or status}.")

    def bulk(self, target: str, items: Sequence[tuple[str, bytes]]) -> dict[str, str]:
        """Sends bulk items (id, its lines) and tells which are refused for good, with the reason, by id.

        What the server is too busy for is sent again alone; a conflict means that it has something newer. Raises
        `Unavailable` when it stays busy.
        """
        refused: dict[str, str] = {}
        waiting = list(items)
        path = f"/{target}/_bulk?require_alias=true&filter_path=errors,items.*.status,items.*.error"
        for pause_s in (*self._pauses_s, None):
            body = b"".join(lines for _, lines in waiting)
            status, answer = self._send("POST", path, body, _WRITE_S, ndjson=True)
            if status not in _BUSY:
                done = self._checked(status, answer)
                waiting = _again(waiting, done["items"], refused) if done["errors"] else []
            if not waiting:
                return refused
            if pause_s is not None:
                time.sleep(pause_s)
        raise Unavailable(f"The search index at {self.name} is too busy to take documents; it is tried again.")

    def _send(
        self, method: str, path: str, body: bytes | None, timeout_s: float, *, ndjson: bool = False
    ) -> tuple[int, Any]:
        headers = {"accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/x-ndjson" if ndjson else "application/json"
        try:
            meta, answer = self._transport.perform_request(
                method,
                path,
                body=body,
                headers=headers,
                request_timeout=timeout_s,
                max_retries=self._others,  # another node at once; what comes after a pause is decided here
                retry_on_status=(502, 503, 504),
                retry_on_timeout=False,
            )
        except TransportError as error:
            self._away_until = time.monotonic() + _AWAY_S
            raise Unavailable(
                f"The search index at {self.name} does not answer ({type(error).__name__}): is it up, and is {_FIELD} right?"
            ) from error
        return meta.status, answer

    def _checked(self, status: int, answer: Any) -> Any:
        if status < 300:
            return answer
        kind = _kind(answer) if isinstance(answer, dict) else ""
        if status in _REFUSED:
            raise Unavailable(f"The search index at {self.name} refuses the user or password of {_FIELD}.")
        if kind == "index_not_found_exception":
            raise IndexDamaged("The index is not there any more.")
        if status in _BUSY:
            raise Unavailable(f"The search index at {self.name} is too busy ({status}).")
        raise Internal(f"The search index refused a request: {status} {kind}.")


def _nodes(netloc: str, *, tls: bool, ca: str | None) -> list[NodeConfig]:
    """`user:password@host:port,host:port`."""
    person, _, hosts = netloc.rpartition("@")
    headers: dict[str, str] = {}
    if person:
        headers["authorization"] = "Basic " + base64.b64encode(unquote(person).encode()).decode()
    nodes = []
    for host in hosts.split(","):
        name, port = urlsplit(f"//{host}").hostname, urlsplit(f"//{host}").port
        if not name:
            raise ValueError("a host is missing")
        scheme, trusted = ("https", ca) if tls else ("http", None)
        nodes.append(NodeConfig(scheme, name, port or _PORT, headers=headers, ca_certs=trusted))
    return nodes


def _kind_of(body: Mapping[str, Any]) -> str:
    """A score must be the same whatever shard a document is on: rare words are counted over all first."""
    return "dfs_query_then_fetch" if "_score" in body.get("sort", ()) else "query_then_fetch"


def _kind(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    if not isinstance(error, dict):
        return ""
    causes = error.get("root_cause") or [error]
    return str(causes[0].get("type") or error.get("type") or "")


def _again(
    sent: Sequence[tuple[str, bytes]], answers: Sequence[Mapping[str, Any]], refused: dict[str, str]
) -> list[tuple[str, bytes]]:
    """Those of the items sent that are worth another try; what is refused for good is told in `refused`."""
    again = []
    for item, answer in zip(sent, answers, strict=True):
        (result,) = answer.values()
        status, error = int(result["status"]), result.get("error", {})
        if status in _BUSY:
            again.append(item)
        elif error.get("type") == "index_not_found_exception":
            raise IndexDamaged("The index is not there any more.")
        elif status >= 400 and status not in {404, 409}:  # there is something newer, or nothing to be deleted
            reason = str(error.get("reason", "")).split(". Preview of", 1)[0]  # which would quote what people wrote
            refused[item[0]] = f"{error.get('type', status)}: {reason[:_MOST_TOLD]}"
    return again
