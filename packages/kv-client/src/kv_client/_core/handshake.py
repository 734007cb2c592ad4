"""HELLO: what a client says first, and what it learns from the answer."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from kv_protocol.errors import ProtocolError
from kv_protocol.limits import MAX_FRAME
from kv_protocol.messages import PROTOCOL_VERSION

__all__ = ["HELLO_ID", "Welcome", "hello", "welcome"]

HELLO_ID: Final = 1  # ids of calls begin above it


class Welcome(NamedTuple):
    """The server's answer to HELLO, as far as a client needs it."""

    server: str
    epoch: int
    revision: int
    clock_ms: int
    session: bytes
    session_id: int
    resumed: bool
    max_frame: int


def hello(*, name: str | None, namespace: str | bytes, session: bytes | None, login: Mapping[str, bytes]) -> list[Any]:
    """Return the request that opens a connection, resuming *session* if that is its secret; *login* says who comes."""
    options: dict[str, Any] = {"namespace": namespace, **login}
    if name is not None:
        options["client"] = name
    if session is not None:
        options["session"] = session
    return [HELLO_ID, "HELLO", [PROTOCOL_VERSION], options]


def welcome(body: Any) -> Welcome:
    """Return what *body*, the answer to HELLO, says. Raises `ProtocolError` if it is none."""
    if not isinstance(body, Mapping):
        raise ProtocolError("the answer to HELLO is not a map")
    limits = body.get("limits") or {}
    if not isinstance(limits, Mapping):
        raise ProtocolError("the answer to HELLO: limits is not a map")
    return Welcome(
        server=_field(body, "server", str),
        epoch=_field(body, "epoch", int),
        revision=_field(body, "revision", int),
        clock_ms=_field(body, "clock_ms", int),
        session=_field(body, "session", bytes),
        session_id=_field(body, "session_id", int),
        resumed=_field(body, "resumed", bool),
        max_frame=_field(limits, "frame", int, MAX_FRAME),
    )


def _field(body: Mapping[str, Any], name: str, kind: type, otherwise: Any = None) -> Any:
    found = body.get(name, otherwise)
    if type(found) is not kind:
        raise ProtocolError(f"the answer to HELLO: {name} is not {kind.__name__}")
    return found
