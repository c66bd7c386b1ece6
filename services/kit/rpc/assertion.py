"""Who calls, said so that the callee can believe it without asking back: a signed `desk.v1.Person`, 60 s at most."""

from __future__ import annotations

import threading

from ascolto.desk.v1 import service_pb2 as pb
from services.kit.clock import Clock
from services.kit.errors import Unauthenticated
from services.kit.principal import Person
from services.kit.secrets import Keys

HEADER = "ascolto-person-bin"
_PURPOSE = "rpc-person"
_LIFE_S = 60
_RENEW_S = 20
_SIGNATURE_BYTES = 32
_REMEMBERED = 512


class Signer:
    """Signs the caller of each call; a signature is used again for 20 s."""

    def __init__(self, *, service: str, keys: Keys, clock: Clock) -> None:
        self._service, self._keys, self._clock = service, keys, clock
        self._made: dict[Person, tuple[float, bytes]] = {}
        self._lock = threading.Lock()

    def sign(self, person: Person) -> bytes:
        """Assertion for the call's metadata."""
        now = self._clock.now().timestamp()
        with self._lock:
            made = self._made.get(person)
            if made and now - made[0] < _RENEW_S:
                return made[1]
        body = pb.Person(
            user_id=person.user_id,
            name=person.name,
            roles=sorted(person.roles),
            permissions=sorted(person.permissions),
            brand_ids=sorted(person.brand_ids),
            teams=sorted(person.teams),
            issued_at_s=int(now),
            service=self._service,
        ).SerializeToString()
        assertion = self._keys.sign(_PURPOSE, body) + body
        with self._lock:
            if len(self._made) >= _REMEMBERED:
                self._made.clear()
            self._made[person] = (now, assertion)
        return assertion


def verify(assertion: bytes, *, keys: Keys, clock: Clock) -> Person:
    """The caller asserted. Raises `Unauthenticated` when the signature is not ours or the assertion is too old."""
    signature, body = assertion[:_SIGNATURE_BYTES], assertion[_SIGNATURE_BYTES:]
    if not body or not keys.verify(_PURPOSE, body, signature):
        raise Unauthenticated("The call carries no valid assertion of its caller.")
    person = pb.Person.FromString(body)
    if abs(clock.now().timestamp() - person.issued_at_s) > _LIFE_S:
        raise Unauthenticated("The call's assertion is too old; check that both machines' clocks agree.")
    return Person(
        user_id=person.user_id,
        name=person.name,
        roles=frozenset(person.roles),
        permissions=frozenset(person.permissions),
        brand_ids=frozenset(person.brand_ids),
        teams=frozenset(person.teams),
    )
