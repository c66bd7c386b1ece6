"""Calls between services: one guard, one way to call, two transports (`local` in the process, `network` over gRPC).

Servicers are ordinary classes under the generated base; they read the caller with `person_of(context)` and raise
`AscoltoError`s. Callers use `Caller.invoke`, which gives the same errors back.
"""

from services.kit.rpc.caller import Caller
from services.kit.rpc.guard import Guard, person_of
from services.kit.rpc.local import LocalServer

__all__ = ["Caller", "Guard", "LocalServer", "person_of"]
