"""Settings: read once from the environment, checked, and the only place that looks there.

Each field's `doc` is its line in `docs/reference/settings.md`; a test holds the two together.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from services.kit.errors import Invalid


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address to listen on; port 0 takes any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HostPort:
        """`host:port`, `[::1]:port` or `:port` (loopback)."""
        parts = urlsplit(f"//{text}")
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError("the port is not a number from 0 to 65535") from error
        if port is None:
            raise ValueError("write it as host:port, for example 127.0.0.1:8700")
        return cls(parts.hostname or "127.0.0.1", port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("it must be 1 or more")
    return number


def _relay(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"smtp", "smtps"} or not parts.hostname):
        raise ValueError("write it as smtp://host:port or smtps://user:password@host:port")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError("the port is not a number from 0 to 65535") from error
    return text


def _endpoint(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("write it as http://host:4318/v1/traces")
    return text


def _networks(text: str) -> str:
    for part in filter(None, text.split(",")):
        ipaddress.ip_network(part.strip())
    return text


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("write 1 or 0")


def _setting(default: Any, doc: str, read: Callable[[str], Any] = str, *, secret: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"doc": doc, "read": read, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set from outside; `ASCOLTO_` + the field's name in capitals."""

    data: Path = _setting(Path(".ascolto"), "Folder of databases, blobs, index and keys.", _path)
    http: HostPort = _setting(
        HostPort("127.0.0.1", 8700), "Address of everything HTTP: desk, API, hooks, forms, chat.", HostPort.parse
    )
    smtp: HostPort = _setting(HostPort("127.0.0.1", 8725), "Address of the SMTP listener.", HostPort.parse)
    lmtp: str = _setting("", "Address of an LMTP listener, host:port; empty for none.")
    smtp_out: str = _setting(
        "",
        "Relay for outgoing mail: `smtp://user:password@host:port?starttls=1` or `smtps://…`; an account's own setting wins.",
        _relay,
        secret=True,
    )
    public_url: str = _setting(
        "", "Address customers and colleagues reach, for links in mail; empty: that of `ASCOLTO_HTTP`."
    )
    notices_from: str = _setting(
        "",
        "Address that writes notices of alerts where a brand has no mailbox of its own; empty: `ascolto@` and the host of the public address.",
    )
    database: str = _setting(
        "",
        "Database of each service; `{service}` is replaced: `postgresql://user:password@host:5432/ascolto_{service}`. Empty: SQLite files in the data folder.",
        secret=True,
    )
    bus: str = _setting(
        "local:", "Event log: `local:` reads the outbox tables in place, `kafka://host:9092,host:9092` is Kafka."
    )
    index: str = _setting(
        "local:",
        "Search index: `local:` keeps a tantivy index in the data folder; `elasticsearch://user:password@host:9200,host2:9200/prefix?tls=1&ca=/path/ca.pem&shards=3` is a cluster, all but the host may be left out.",
        secret=True,
    )
    rpc: str = _setting(
        "local:",
        "Where the services of other processes answer: `local:` nowhere, `grpc://{service}:8710` by name (`{service}` is replaced), `grpc://intake=host:port,tickets=host:port` one by one; a name more than once is several instances. `grpcs:` is the same over TLS.",
    )
    rpc_listen: HostPort = _setting(
        HostPort("127.0.0.1", 8710),
        "Address of calls from other processes, for the first service of this one; each further service takes the next port.",
        HostPort.parse,
    )
    rpc_ca: str = _setting("", "File of the authority that signs the services' certificates, for `grpcs:`.")
    rpc_cert: str = _setting("", "File of this process's certificate, for `grpcs:`.")
    rpc_key: str = _setting("", "File of that certificate's private key, for `grpcs:`.")
    blobs: str = _setting(
        "local:",
        "Attachments and raw contacts: `local:` keeps them in the data folder, `s3://key:secret@host:port/bucket?tls=1&region=…` in S3-compatible storage, all but the bucket may be left out.",
        secret=True,
    )
    key_file: str = _setting(
        "", "File of the installation's key of 32 bytes, the same for all processes; empty: `key` in the data folder."
    )
    metrics_from: str = _setting(
        "127.0.0.0/8,::1/128", "Networks that may read `/metrics`, comma separated.", _networks
    )
    log: str = _setting("text", "Form of the log on standard error: `text` or `json`.")
    log_level: str = _setting("info", "Least level that is logged: debug, info, warning, error.")
    traces: str = _setting(
        "", "Where traces go, by OTLP over HTTP: `http://collector:4318/v1/traces`; empty: nowhere.", _endpoint
    )
    allow_hosts: str = _setting(
        "", "Private hosts that outgoing requests may reach, comma separated host or host:port."
    )
    retention_days: int = _setting(7, "Days the event log keeps records that every consumer has read.", _positive)
    trust_proxy: bool = _setting(
        False, "Believe `X-Forwarded-For` and `X-Forwarded-Proto` of the direct peer: 1 behind a reverse proxy.", _flag
    )
    login_attempts: int = _setting(
        10, "Failed sign-ins per account and per address in 15 minutes before waiting.", _positive
    )
    form_per_hour: int = _setting(20, "Forms one address may send in an hour.", _positive)
    chat_per_minute: int = _setting(60, "Chat messages one visitor's address may send in a minute.", _positive)
    smtp_per_minute: int = _setting(
        120, "Mails one outside address may hand over in a minute; loopback is not limited.", _positive
    )
    models: bool = _setting(True, "Load the tone models (0 saves memory; mentions then have no tone).", _flag)

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Settings:
        """Reads and checks all settings. Raises `Invalid` with the name at fault and how to write it; unknown `ASCOLTO_*` names too."""
        values: dict[str, Any] = {}
        fields = {f"ASCOLTO_{field.name.upper()}": field for field in dataclasses.fields(cls)}
        for name, text in environment.items():
            if not name.startswith("ASCOLTO_") or name in _NOT_SETTINGS:
                continue
            field = fields.get(name)
            if field is None:
                raise Invalid(f"There is no setting {name}. `docs/reference/settings.md` lists them all.", field=name)
            try:
                values[field.name] = field.metadata["read"](text)
            except ValueError as error:
                shown = "…" if field.metadata["secret"] else repr(text)
                raise Invalid(f"{name}={shown} cannot be used: {error}.", field=name) from error
        settings = cls(**values)
        if settings.log not in {"text", "json"}:
            raise Invalid(f"ASCOLTO_LOG={settings.log!r} cannot be used: write text or json.", field="ASCOLTO_LOG")
        return settings

    def database_of(self, service: str) -> str:
        """The URL of a service's database. Raises `Invalid` when the setting gives all services the same one."""
        if not self.database:
            return f"sqlite://{self.data.absolute() / f'{service}.db'}"
        if "{service}" not in self.database:
            raise Invalid(
                "ASCOLTO_DATABASE must name {service}: each service has a database of its own.",
                field="ASCOLTO_DATABASE",
            )
        return self.database.replace("{service}", service)

    @property
    def key_path(self) -> Path:
        """Where the installation's key lies."""
        return Path(self.key_file) if self.key_file else self.data.absolute() / "key"

    def to_env(self) -> dict[str, str]:
        """What makes another process read the same settings."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            f"ASCOLTO_{name.upper()}": str(int(value) if isinstance(value, bool) else value)
            for name, value in given.items()
            if value != ""
        }

    def url(self) -> str:
        """Where people reach this installation, without a slash at the end."""
        return self.public_url.rstrip("/") or f"http://{self.http}"


# Read elsewhere, not by people: crash points of the fault tests, and the completion of the shell.
_NOT_SETTINGS = frozenset({"ASCOLTO_CRASHPOINT", "ASCOLTO_COMPLETE"})
