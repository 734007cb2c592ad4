"""HELLO: what a client says first, and what it is told. Knows the two maps, not the connection."""

from typing import Any, Final, NamedTuple

from attrs import frozen

from kv_protocol.errors import InvalidArgument, ProtocolError, UnsupportedVersion
from kv_protocol.limits import MAX_ANSWERS, MAX_NAME, MAX_NESTING, VALUE_MARGIN
from kv_protocol.messages import PROTOCOL_VERSION
from kv_protocol.names import text, wire
from kv_server.engine.engine import Engine
from kv_server.engine.session import Session

__all__ = ["Hello", "Limits", "printable", "read_hello", "welcome"]

DEFAULT_NAMESPACE: Final = b"0"
MAX_LABEL: Final = 256
SECRET_BYTES: Final = 16

_VERSIONS: Final = [PROTOCOL_VERSION, PROTOCOL_VERSION]
_OPTIONS: Final = (b"client", b"namespace", b"session", b"user", b"password", b"token")


@frozen
class Limits:
    """What an operator may set about this protocol, in bytes and counts."""

    frame: int
    batch: int
    parked: int
    output: int


class Hello(NamedTuple):
    client: str
    namespace: bytes
    secret: bytes | None
    user: bytes | None
    password: bytes | None
    token: bytes | None


def read_hello(args: list[Any], options: dict[Any, Any] | None) -> Hello:
    """What the client said. Raises `UnsupportedVersion`, `ProtocolError` or `InvalidArgument`."""
    if len(args) != 1 or type(args[0]) is not int:
        raise ProtocolError("HELLO takes the major version that the client speaks")
    if args[0] != PROTOCOL_VERSION:
        raise UnsupportedVersion(
            f"this server speaks version {PROTOCOL_VERSION} of the protocol", {"protocol": _VERSIONS}
        )
    options = options or {}
    for option, given in options.items():
        if option not in _OPTIONS:
            shown = printable(option) if type(option) is bytes else f"of type {type(option).__name__}"
            raise InvalidArgument(f"HELLO has no option {shown}")
        if type(given) is not bytes:
            raise InvalidArgument(f"HELLO: {option.decode()} is not bytes")
    label = options.get(b"client", b"").decode("utf-8", "replace")
    if len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidArgument(f"HELLO: client is not a label of at most {MAX_LABEL} printable characters")
    namespace = options.get(b"namespace", DEFAULT_NAMESPACE)
    if len(namespace) > MAX_NAME:
        raise InvalidArgument(f"HELLO: namespace has more than {MAX_NAME:,} bytes")
    secret = options.get(b"session")
    if secret is not None and len(secret) != SECRET_BYTES:
        raise InvalidArgument(f"HELLO: session is not a secret of {SECRET_BYTES} bytes")
    return Hello(label, namespace, secret, options.get(b"user"), options.get(b"password"), options.get(b"token"))


def printable(word: bytes) -> str:
    """A word that a client sent, short and without anything that a terminal or a log would act on."""
    text = word[:64].decode("utf-8", "backslashreplace")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


def welcome(server: str, engine: Engine, session: Session, resumed: bool, limits: Limits) -> dict[str, Any]:
    """What the client is told: see protocol.md section 5."""
    return {
        "server": server,
        "protocol": _VERSIONS,
        "epoch": engine.epoch,
        "revision": engine.revision,
        "clock_ms": engine.elapsed_ms,
        "now_ms": engine.now_ms,
        "session": session.secret,
        "session_id": session.id,
        "resumed": resumed,
        "namespace": wire(text(session.namespace)),
        "limits": {
            "frame": limits.frame,
            "value": limits.frame - VALUE_MARGIN,
            "nesting": MAX_NESTING,
            "batch": limits.batch,
            "parked": limits.parked,
            "answers": MAX_ANSWERS,
        },
    }
