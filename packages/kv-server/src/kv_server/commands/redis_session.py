"""The words with which a client of Redis opens, steers and ends its connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from kv_protocol.errors import InvalidArgument, Unauthenticated
from kv_protocol.messages import FENCE
from kv_server.engine.engine import Caller
from kv_server.engine.session import Login
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int, words_missing
from kv_server.spec.command import FAST, GREETS, LISTENS, READ, RESP_DOOR, STEERS, WRITE
from kv_server.spec.resp_kinds import OK, RespError, Simple
from kv_server.spec.types import OPTIONAL, InnerWord, LockName, Namespace, Octets, Secret, Token64

REDIS_VERSION: Final = "7.2.0"
"""The version whose behaviour the text door has; clients choose their words by it."""

_PONG: Final = Simple(b"PONG")


@command(READ | FAST | LISTENS, group="connection", since="0.1", cost="O(1)", name="PING", doors=RESP_DOOR, method=None)
def ping_on_resp(session: Caller, /, *message: Annotated[Octets, OPTIONAL]) -> object:
    """Answer PONG, or the one word that is given."""
    if len(message) > 1:
        raise words_missing("ping")
    if session.session.hearing and session.line.protocol == 2:
        return [b"pong", *(message or (b"",))]
    return message[0] if message else _PONG


@command(READ | FAST | GREETS, group="connection", since="0.1", cost="O(1)", name="HELLO", doors=RESP_DOOR, method=None)
def hello(session: Caller, /, *words: Annotated[Secret, OPTIONAL]) -> object:
    """Choose version 2 or 3 of RESP, and learn who answers: `HELLO [version [AUTH user password] [SETNAME name]]`."""
    version, name, credentials = greeting_of(session, words)

    def greet(login: Login | None) -> object:
        if login is not None:
            admit(session, login)
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

    if credentials is not None:
        return log_in(session, "HELLO", *credentials, greet)
    if session.session.login is None:
        raise Unauthenticated(
            "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
            "<pass> option can be used to authenticate the client and select the RESP protocol version at the same time"
        )
    return greet(None)


def greeting_of(session: Caller, words: tuple[bytes, ...]) -> tuple[int, str | None, tuple[bytes, bytes] | None]:
    """What the words of HELLO ask for: a version, a name, and a login."""
    version = session.line.protocol
    if words:
        try:
            version = text_int(words[0])
        except InvalidArgument:
            raise InvalidArgument("Protocol version is not an integer or out of range") from None
        if version not in (2, 3):
            raise RespError("NOPROTO unsupported protocol version")
    name = credentials = None
    at = 1
    while at < len(words):
        word, left = words[at].upper(), len(words) - at - 1
        if word == b"AUTH" and left >= 2:
            credentials = words[at + 1], words[at + 2]
            at += 3
        elif word == b"SETNAME" and left >= 1:
            name = check_label(words[at + 1])
            at += 2
        else:
            shown = words[at].decode("utf-8", "replace")
            raise InvalidArgument(f"Syntax error in HELLO option '{shown}'")
    return version, name, credentials


@command(READ | FAST | GREETS, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def auth(session: Caller, first: Secret, password: Secret | None = None, /) -> Simple:
    """Log in: `AUTH [user] password`, or `AUTH token <token>`. Without a name the user is `default`."""
    if password is None:
        if session.engine.access.table.users["default"].nopass:
            raise InvalidArgument(
                "AUTH <password> called without any password configured for the default user. "
                "Are you sure your configuration is correct?"
            )
        first, password = b"default", first

    def welcome(login: Login) -> Simple:
        admit(session, login)
        return OK

    reply: Simple = log_in(session, "AUTH", first, password, welcome)
    return reply


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def select(session: Caller, namespace: Namespace, /) -> Simple:
    """Let this connection work in *namespace*: a number from 0 to 15, or a name."""
    session.engine.room.check_connection(namespace, session.session)
    session.session.namespace = namespace
    return OK


@command(
    READ | FAST | STEERS | LISTENS | GREETS, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None
)
def reset(session: Caller, /) -> Simple:
    """Let the connection be as it was when it was new."""
    caller = session.session
    caller.client = ""
    caller.namespace = b"0"
    session.engine.end_transaction(caller)
    session.engine.channels.leave(caller)
    session.engine.observation.leave(caller)
    session.line.speak(2)
    session.engine.access.admit(caller, session.engine.access.first(session.line.certified))
    caller.ends_ms = session.engine.elapsed_ms  # from here on it has time to log in
    session.regate()
    session.line.answer("ON")
    return Simple(b"RESET")


@command(
    READ | FAST | STEERS | LISTENS | GREETS, group="connection", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None
)
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
def fenced(session: Caller, lock: LockName, token: Token64, /, *words: InnerWord) -> object:
    """Run a command only if *lock* is held under *token* now: `FENCED lock token SET key value`."""
    return session.call(list(words), {FENCE: [lock, token]})


def log_in(session: Caller, word: str, user: bytes, password: bytes, made: Callable[[Any], object]) -> Any:
    """Log in for the command *word*, and then answer with what *made* makes of it."""
    access, address = session.engine.access, session.line.address
    return session.promise(lambda told: access.login(user, password, address, word, told), made)


def admit(session: Caller, login: Login) -> None:
    """Go on as another user. What it may not listen to ends."""
    session.engine.access.admit(session.session, login)
    session.engine.set_alarm(0, session.engine.access.settle)


def check_label(label: bytes) -> str:
    """A name as Redis allows it for a connection."""
    if len(label) > 256 or any(not 0x21 <= octet <= 0x7E for octet in label):
        raise InvalidArgument("Client names cannot contain spaces, newlines or special characters.")
    return label.decode()
