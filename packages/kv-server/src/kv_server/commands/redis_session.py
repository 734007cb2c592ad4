"""The words with which a client of Redis opens, steers and ends its connection."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from kv_protocol.errors import InvalidArgument
from kv_protocol.messages import FENCE
from kv_server.engine.engine import Caller
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int, words_missing
from kv_server.spec.command import FAST, LISTENS, READ, RESP_DOOR, STEERS, WRITE
from kv_server.spec.resp_kinds import OK, RespError, Simple
from kv_server.spec.types import OPTIONAL, LockName, Namespace, Octets, Token64

REDIS_VERSION: Final = "7.2.0"
"""The version whose behaviour the text door has; clients choose their words by it."""

_DEFAULT_USER: Final = b"default"
_PONG: Final = Simple(b"PONG")


@command(READ | FAST | LISTENS, group="connection", since="0.1", cost="O(1)", name="PING", doors=RESP_DOOR, method=None)
def ping_on_resp(session: Caller, /, *message: Annotated[Octets, OPTIONAL]) -> object:
    """Answer PONG, or the one word that is given."""
    if len(message) > 1:
        raise words_missing("ping")
    if session.session.hearing and session.line.protocol == 2:
        return [b"pong", *(message or (b"",))]
    return message[0] if message else _PONG


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", name="HELLO", doors=RESP_DOOR, method=None)
def hello(session: Caller, /, *words: Annotated[Octets, OPTIONAL]) -> object:
    """Choose version 2 or 3 of RESP, and learn who answers: `HELLO [version [AUTH user password] [SETNAME name]]`."""
    version = session.line.protocol
    if words:
        try:
            version = text_int(words[0])
        except InvalidArgument:
            raise InvalidArgument("Protocol version is not an integer or out of range") from None
        if version not in (2, 3):
            raise RespError("NOPROTO unsupported protocol version")
    name = None
    at = 1
    while at < len(words):
        word, left = words[at].upper(), len(words) - at - 1
        if word == b"AUTH" and left >= 2:
            session.engine.observation.hide((at + 2, at + 3))
            check_login(words[at + 1])
            at += 3
        elif word == b"SETNAME" and left >= 1:
            name = check_label(words[at + 1])
            at += 2
        else:
            shown = words[at].decode("utf-8", "replace")
            raise InvalidArgument(f"Syntax error in HELLO option '{shown}'")
    if name is not None:
        session.session.client = name
    session.line.speak(version)
    session.regate()
    return {
        "server": "redis",
        "version": REDIS_VERSION,
        "proto": version,
        "id": session.session.id,
        "mode": "standalone",
        "role": "master",
        "modules": [],
    }


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def auth(session: Caller, first: Octets, password: Octets | None = None, /) -> Simple:
    """Log in: `AUTH [user] password`. No password is set, so only the user `default` can, with any."""
    session.engine.observation.hide((1, 2))
    if password is None:
        raise InvalidArgument(
            "AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?"
        )
    check_login(first)
    return OK


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def select(session: Caller, namespace: Namespace, /) -> Simple:
    """Let this connection work in *namespace*: a number from 0 to 15, or a name."""
    session.session.namespace = namespace
    return OK


@command(READ | FAST | STEERS | LISTENS, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def reset(session: Caller, /) -> Simple:
    """Let the connection be as it was when it was new."""
    caller = session.session
    caller.client = ""
    caller.namespace = b"0"
    session.engine.end_transaction(caller)
    session.engine.channels.leave(caller)
    session.engine.observation.leave(caller)
    session.line.speak(2)
    session.regate()
    session.line.answer("ON")
    return Simple(b"RESET")


@command(READ | FAST | STEERS | LISTENS, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def quit_(session: Caller, /, *words: Annotated[Octets, OPTIONAL]) -> Simple:
    """End the connection once what was asked before is answered."""
    session.line.hang_up()
    return OK


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT REPLY", doors=RESP_DOOR, method=None)
def client_reply(session: Caller, mode: Literal["ON", "OFF", "SKIP"], /) -> Simple:
    """Have replies sent, or none, or none to the next call."""
    session.line.answer(mode)
    return OK


@command(WRITE, group="lock", since="0.1", cost="that of the command", doors=RESP_DOOR, method=None)
def fenced(session: Caller, lock: LockName, token: Token64, /, *words: Octets) -> object:
    """Run a command only if *lock* is held under *token* now: `FENCED lock token SET key value`."""
    return session.call(list(words), {FENCE: [lock, token]})


def check_login(user: bytes) -> None:
    if user != _DEFAULT_USER:
        raise RespError("WRONGPASS invalid username-password pair or user is disabled.")


def check_label(label: bytes) -> str:
    """A name as Redis allows it for a connection."""
    if len(label) > 256 or any(not 0x21 <= octet <= 0x7E for octet in label):
        raise InvalidArgument("Client names cannot contain spaces, newlines or special characters.")
    return label.decode()
