"""What stands for a person where their address must not: a keyed hash, the same in every service."""

from __future__ import annotations

from services.kit.secrets import Keys


def subject(keys: Keys, kind: str, value: str) -> bytes:
    """Sixteen bytes that name the identity (kind, value) to this installation alone; what the erasure journal keeps."""
    return keys.sign("subject", f"{kind}\x00{value.strip().lower()}".encode())[:16]
