"""The one door to the outside for HTTP: resolves once, checks the address, connects to just that address.

Private, loopback, link-local and otherwise special addresses are refused, also behind redirects, unless the
installation or the account allows the host by name. Answers are capped in size and time.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpx

from services.kit.errors import Forbidden, Invalid, Unavailable

Resolve = Callable[[str, int], list[str]]
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Whom we trust over TLS, read once a process: it takes 30 ms."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case; `url` is the last one asked, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Egress:
    """Sends requests for accounts, sources and notifiers. Safe to share between threads."""

    def __init__(self, *, allowed: Iterable[str] = (), resolve: Resolve | None = None) -> None:
        self._allowed = frozenset(host.strip().lower() for host in allowed if host.strip())
        self._resolve = resolve or _resolve
        limits = httpx.Limits(
            max_connections=50, max_keepalive_connections=0
        )  # a kept connection was checked for another name
        self._client = httpx.Client(follow_redirects=False, trust_env=False, limits=limits, verify=_authorities())

    def close(self) -> None:
        """Closes kept connections."""
        self._client.close()

    def check(self, url: str, *, allow: Iterable[str] = ()) -> str:
        """The IP address to connect to for `url`.

        Raises `Invalid` for anything but http and https, `Forbidden` when the host has an address that is not public
        (and neither the installation nor `allow` names the host), `Unavailable` when the name does not resolve.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Invalid(
                f"{parts.scheme or 'This'} is not an http or https address; write it in full, with https://.",
                field="url",
            )
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise Invalid("The address has a port that is not a number.", field="url") from error
        host = parts.hostname.lower()
        addresses = self._resolve(host, port)
        if not addresses:
            raise Unavailable(f"The host {host} has no address.")
        named = self._allowed | {name.strip().lower() for name in allow}
        if host in named or f"{host}:{port}" in named:
            return addresses[0]
        for address in addresses:  # one bad address is enough: a rebinding name shows a good one beside it
            if not is_public(address):
                raise Forbidden(
                    f"The host {host} leads to an address that is not public. If that is meant, allow the host in the account or in ASCOLTO_ALLOW_HOSTS."
                )
        return addresses[0]

    def request(  # noqa: PLR0913 (one call of HTTP has this many parts)
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = 15.0,
        max_bytes: int = 5 * 1024 * 1024,
        redirects: int = 0,
        allow: Iterable[str] = (),
    ) -> Answer:
        """Sends one request; follows at most `redirects`, each checked anew.

        Raises `Unavailable` when the host cannot be reached, is too slow or answers with more than `max_bytes`.
        """
        allow = tuple(allow)
        for _ in range(redirects + 1):
            answer = self._once(
                method,
                url,
                headers=headers or {},
                content=content,
                timeout_s=timeout_s,
                max_bytes=max_bytes,
                allow=allow,
            )
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location or redirects == 0:
                return answer
            url = urljoin(url, location)
        raise Unavailable(f"The host {urlsplit(url).hostname} redirects more than {redirects} times.")

    def _once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        timeout_s: float,
        max_bytes: int,
        allow: Iterable[str],
    ) -> Answer:
        address = self.check(url, allow=allow)
        target = httpx.URL(url)
        host = target.netloc.decode()
        pinned = target.copy_with(host=address)
        extensions = {"sni_hostname": target.host} if target.scheme == "https" else {}
        request = self._client.build_request(
            method,
            pinned,
            headers={**headers, "host": host},
            content=content,
            timeout=timeout_s,
            extensions={**extensions, "timeout": httpx.Timeout(timeout_s).as_dict()},
        )
        ends = time.monotonic() + timeout_s
        try:
            response = self._client.send(request, stream=True)
            try:
                body = bytearray()
                for piece in response.iter_bytes():
                    if time.monotonic() > ends:  # each piece came in time, the whole does not
                        raise Unavailable(f"The host {target.host} answers too slowly.")
                    body += piece
                    if len(body) > max_bytes:
                        raise Unavailable(f"The host {target.host} answered with more than {max_bytes} bytes.")
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise Unavailable(f"The host {target.host} could not be asked: {type(error).__name__}.") from error
        return Answer(
            response.status_code, {name.lower(): value for name, value in response.headers.items()}, bytes(body), url
        )


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet.

    Source: IANA special-purpose registries as kept by `ipaddress`; IPv4 inside IPv6 (mapped, 6to4, NAT64) is unwrapped.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast


def _resolve(host: str, port: int) -> list[str]:
    try:
        return list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"The host {host} cannot be found by name.") from error
