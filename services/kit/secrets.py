"""The installation's key, what is derived from it, and secrets encrypted at rest.

One random key of 32 bytes lies in `ASCOLTO_KEY_FILE`, else in `ASCOLTO_DATA/key` (mode 0600), made on first use. Everything else is derived from
it by purpose, so that a signature made for one purpose is worthless for another.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.kit.errors import Conflict, Invalid, Unavailable

_NONCE_BYTES = 12


class Keys:
    """Keys by purpose. Source: RFC 5869 (HKDF, expand step) with the purpose as `info`."""

    def __init__(self, master: bytes) -> None:
        if len(master) < 32:
            raise Invalid("The installation's key is shorter than 32 bytes; restore the file `key` from a backup.")
        self._master = master
        self._begun: dict[str, hmac.HMAC] = {}

    @classmethod
    def open(cls, path: Path) -> Keys:
        """Reads a key file, making it the first time."""
        try:
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                draft = path.with_suffix(f".{os.getpid()}.new")
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(os.urandom(32))
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    os.link(draft, path)
                except FileExistsError:
                    pass  # another process of ours was first: its key counts
                finally:
                    draft.unlink()
            return cls(path.read_bytes())
        except OSError as error:
            raise Unavailable(
                f"The key file {path} cannot be read or written: {error.strerror}. Check the folder's owner and mode."
            ) from error

    def derive(self, purpose: str) -> bytes:
        """Thirty-two bytes for one purpose."""
        return hmac.new(self._master, purpose.encode() + b"\x01", hashlib.sha256).digest()

    def sign(self, purpose: str, data: bytes) -> bytes:
        """HMAC-SHA256 of `data` under the purpose's key."""
        begun = self._begun.get(purpose)
        if begun is None:
            begun = self._begun[purpose] = hmac.new(self.derive(purpose), digestmod=hashlib.sha256)
        mine = (
            begun.copy()
        )  # unlike `hmac.digest` it keeps the interpreter: to get that back can cost a thousand times as much
        mine.update(data)
        return mine.digest()

    def verify(self, purpose: str, data: bytes, signature: bytes) -> bool:
        """Whether `signature` is ours, in constant time."""
        return hmac.compare_digest(self.sign(purpose, data), signature)


def check_key(path: Path, key: bytes) -> None:
    """Raises `Conflict` when another installation's key lies at `path`."""
    if path.exists() and path.read_bytes() != key:
        raise Conflict(f"{path} is another installation's key. Set ASCOLTO_KEY_FILE to a file that is not there yet.")


def install_key(path: Path, key: bytes) -> None:
    """Puts an installation's key where it is looked for. Raises `Conflict` when another one lies there."""
    check_key(path, key)
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.new")
        draft.touch(0o600)
        draft.write_bytes(key)
        draft.replace(path)
    except OSError as error:
        raise Unavailable(f"The key cannot be copied to {path}: {error.strerror}.") from error


class SecretBox:
    """Encrypts passwords and tokens of accounts for their rows. AES-256-GCM; `owner` binds a value to its row."""

    def __init__(self, keys: Keys) -> None:
        self._cipher = AESGCM(keys.derive("secrets-at-rest"))

    def seal(self, value: str, *, owner: str) -> bytes:
        """Nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, value.encode(), owner.encode())

    def open(self, sealed: bytes, *, owner: str) -> str:
        """The value. Raises `Invalid` when it was sealed for another row or under another key."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode()).decode()
        except InvalidTag as error:
            raise Invalid(
                f"The secret of {owner} cannot be read with this installation's key; enter it again."
            ) from error
