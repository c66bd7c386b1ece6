"""The reference pages that follow from code; tests hold them to it and show the text they should have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from services.desk.domain import roles

_METHODS = ("get", "post", "patch")


def roles_page() -> str:
    """`docs/reference/roles.md`."""
    lines = [
        "# Roles, scopes and permissions",
        "",
        "What each role of a person and each scope of an API token allows. `admin` allows everything.",
        "People and tokens can be limited to brands; then nothing of other brands exists for them.",
        "",
        "| permission | " + " | ".join(roles.ROLES) + " |",
        "| --- |" + " --- |" * len(roles.ROLES),
    ]
    for permission in roles.PERMISSIONS:
        marks = ["yes" if permission in given or roles.ADMIN in given else "" for given in roles.ROLES.values()]
        lines.append(f"| `{permission}` | " + " | ".join(marks) + " |")
    lines += [
        "",
        (
            "`settings:write` alone opens brands, hours, accounts and notices of alerts: canned answers need `tickets:read` too,"
            " watches and sources `mentions:read`."
        ),
    ]
    lines += ["", "| scope | allows |", "| --- | --- |"]
    lines += [
        f"| `{scope}` | {', '.join(f'`{one}`' for one in sorted(given))} |" for scope, given in roles.SCOPES.items()
    ]
    return "\n".join(lines) + "\n"


def api_page(schema: Mapping[str, Any], permissions: Mapping[tuple[str, str], str]) -> str:
    """`docs/reference/api.md`, from the OpenAPI description and the routes' permissions."""
    lines = [
        "# REST API",
        "",
        "For other programs, under `/api/v1`; machine-readable at `/api/v1/openapi.json`.",
        "Send `Authorization: Bearer asc_…` (`ascolto token create`); scopes are in [roles.md](roles.md).",
        "Lists answer `{items, next}` and take `limit` (at most 200) and `after`, whose value is `next`.",
        "Errors are `application/problem+json` (RFC 9457); `field` names the field at fault.",
        "A `POST` with an `Idempotency-Key` answers the same for 24 hours when it is repeated.",
        "Bodies have at most 15 MiB, else 413; what is no JSON in UTF-8 is refused with 400; wrong types, unknown fields and parameters with 422.",
        "Of a batch only the items at fault are refused, each with `index`, `error` and `field`; 422 when no item can be read.",
        "An answer goes out as its channel allows: with files or HTML that it does not carry, 422 names `attachments` or `html`; `html` repeats `text`.",
        "",
        "| call | permission | answers | does |",
        "| --- | --- | --- | --- |",
    ]
    for path, operations in schema["paths"].items():
        for method in _METHODS:
            if operation := operations.get(method):
                short = path.removeprefix("/api/v1")
                status = next(code for code in operation["responses"] if code.startswith("2"))
                needed = permissions[method.upper(), path]
                lines.append(f"| `{method.upper()} {short}` | `{needed}` | {status} | {operation['description']} |")
    lines += ["", "## Parameters and bodies", ""]
    lines += _details(schema)
    return "\n".join(lines) + "\n"


def _details(schema: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in schema["paths"].items():
        for method in _METHODS:
            operation = operations.get(method, {})
            names = [f"`{item['name']}`" for item in operation.get("parameters", []) if item["in"] == "query"]
            if names:
                yield f"- `{method.upper()} {path.removeprefix('/api/v1')}`: {', '.join(names)}"
    yield ""
    for name, model in sorted(schema["components"]["schemas"].items()):
        if "properties" not in model or name in {"HTTPValidationError", "ValidationError"}:
            continue
        required = set(model.get("required", ()))
        fields = [f"`{field}`" + ("" if field in required else "?") for field in model["properties"]]
        yield f"- {name}: {', '.join(fields)}"
