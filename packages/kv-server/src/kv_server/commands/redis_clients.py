"""The connections as Redis lists, names, stops and ends them."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Annotated, Any, Final, Literal, NamedTuple

from kv_protocol.errors import CallCancelled, InvalidArgument, ShuttingDown
from kv_server.commands.redis_session import check_label
from kv_server.engine.engine import Caller, Engine
from kv_server.engine.node import Connected
from kv_server.engine.session import Line, Outbox, Session
from kv_server.engine.waiting import Parked
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int
from kv_server.spec.command import ADMIN, FAST, READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import OK, Members, Simple, Verbatim
from kv_server.spec.types import OPTIONAL, Int, Octets

_TYPES: Final = ("normal", "master", "replica", "slave", "pubsub")
_SWITCHES: Final = {"YES": True, "NO": False}

Test = Callable[[Connected], bool]


class Unblocked(CallCancelled):
    """Somebody ended the wait of another client."""

    resp = "UNBLOCKED"


class Wanted(NamedTuple):
    """Which connections are to end."""

    tests: list[Test]
    skip_me: bool


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT SETINFO", doors=RESP_DOOR, method=None)
def client_setinfo(session: Caller, attribute: Octets, value: Octets, /) -> Simple:
    """Say which library the client is written with: `LIB-NAME` or `LIB-VER`."""
    known = {b"LIB-NAME": 0, b"LIB-VER": 1}.get(attribute.upper())
    if known is None:
        raise InvalidArgument(f"Unrecognized option '{attribute.decode('utf-8', 'replace')}'")
    if any(not 0x21 <= octet <= 0x7E for octet in value):
        raise InvalidArgument(f"{attribute.decode().lower()} cannot contain spaces, newlines or special characters.")
    library = list(session.line.library)
    library[known] = value.decode()
    session.line.library = (library[0], library[1])
    return OK


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT GETNAME", doors=RESP_DOOR, method=None)
def client_getname_on_resp(session: Caller, /) -> str | None:
    """Return the name of this connection; nothing if it has none."""
    return session.session.client or None


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT SETNAME", doors=RESP_DOOR, method=None)
def client_setname_on_resp(session: Caller, name: Octets, /) -> Simple:
    """Give this connection a *name*, without blanks."""
    session.session.client = check_label(name)
    return OK


@command(READ, group="connection", since="0.1", cost="O(connections)", name="CLIENT INFO", doors=RESP_DOOR, method=None)
def client_info(session: Caller, /) -> Verbatim:
    """Return what there is to know about this connection, in one line."""
    found = [one for one in session.engine.node.connections() if one.session is session.session]
    return Verbatim("".join(line_about(one, session.engine) for one in found))


@command(
    READ | ADMIN | SLOW, group="connection", since="0.1", cost="O(connections)", name="CLIENT LIST", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def client_list_on_resp(session: Caller, /, *words: Annotated[Octets, OPTIONAL]) -> Verbatim:
    """Return a line about every connection, or about those of a kind: `[TYPE type | ID id [id ...]]`."""
    found = session.engine.node.connections()
    if words:
        word = words[0].upper()
        if word == b"TYPE" and len(words) == 2:
            test = of_type(words[1])
            found = [one for one in found if test(one)]
        elif word == b"ID" and len(words) > 1:
            ids = {client_number(each, "Invalid client ID", -(2**63)) for each in words[1:]}
            found = [one for one in found if one.session.id in ids]
        else:
            raise InvalidArgument("syntax error")
    return Verbatim("".join(line_about(one, session.engine) for one in found))


@command(
    READ | ADMIN | SLOW, group="connection", since="0.1", cost="O(connections)", name="CLIENT KILL", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def client_kill(session: Caller, /, *words: Octets) -> object:
    """End connections: that with an address, or all that fit `[ID id] [TYPE type] [USER user] [ADDR address]
    [LADDR address] [MAXAGE seconds] [SKIPME yes | no]`, and return how many those were.
    """
    connected = session.engine.node.connections()
    if len(words) == 1:
        address = words[0].decode("utf-8", "replace")
        chosen = [one for one in connected if one.address == address]
        if not chosen:
            raise InvalidArgument("No such client")
    else:
        wanted = wanted_of(words, session.engine.access.table.users)
        chosen = [one for one in connected if all(test(one) for test in wanted.tests)]
        if wanted.skip_me:
            chosen = [one for one in chosen if one.session is not session.session]
    for one in chosen:
        if one.session is session.session:
            session.line.hang_up()
        else:
            one.outbox.close(ShuttingDown("an operator ended the connection"))
    return OK if len(words) == 1 else len(chosen)


@command(
    READ | ADMIN | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT PAUSE", doors=RESP_DOOR, method=None
)
def client_pause(session: Caller, timeout: Octets, mode: Literal["WRITE", "ALL"] = "ALL", /) -> Simple:
    """Let the calls of all connections of this door wait so many milliseconds: those that write, or all."""
    try:
        wait_ms = text_int(timeout)
    except InvalidArgument:
        raise InvalidArgument("timeout is not an integer or out of range") from None
    if wait_ms < 0:
        raise InvalidArgument("timeout is negative")
    session.line.pause(wait_ms, mode == "ALL")
    return OK


@command(
    READ | ADMIN | FAST, group="connection", since="0.1", cost="O(connections)", name="CLIENT UNPAUSE", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def client_unpause(session: Caller, /) -> Simple:
    """End what `CLIENT PAUSE` began."""
    session.line.unpause()
    return OK


@command(
    READ | ADMIN | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT UNBLOCK", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def client_unblock(session: Caller, number: Int, how: Literal["TIMEOUT", "ERROR"] = "TIMEOUT", /) -> int:
    """End the wait of another connection, as if its time were over or with an error; whether it waited."""
    engine = session.engine
    other = engine.sessions.get(number)
    call = next((call for call in other.waiting.values() if isinstance(call, Parked)), None) if other else None
    if call is None:
        return 0
    if how == "ERROR":
        engine.withdraw(call)
        call.outbox.fail(call.request_id, Unblocked("client unblocked via CLIENT UNBLOCK"))
    else:
        engine.retry(call)
    return 1


@command(
    READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT NO-EVICT", doors=RESP_DOOR, method=None
)
def client_no_evict(session: Caller, switch: Literal["ON", "OFF"], /) -> Simple:
    """Accept the word: no connection is ended to gain memory."""
    return OK


@command(
    READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT NO-TOUCH", doors=RESP_DOOR, method=None
)
def client_no_touch(session: Caller, switch: Literal["ON", "OFF"], /) -> Simple:
    """Accept the word: reads leave no mark on keys."""
    return OK


@command(READ, group="connection", since="0.1", cost="O(1)", name="CLIENT TRACKING", doors=RESP_DOOR, method=None)
def client_tracking(session: Caller, switch: Literal["ON", "OFF"], /, *words: Annotated[Octets, OPTIONAL]) -> Simple:
    """Accept `OFF`: this server tells no client of this door what others change."""
    if switch == "ON":
        raise InvalidArgument("client side caching is not supported; see WATCH of the native protocol")
    if words:
        raise InvalidArgument("syntax error")
    return OK


@command(
    READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT GETREDIR", doors=RESP_DOOR, method=None
)
def client_getredir(session: Caller, /) -> int:
    """Return -1: there is no tracking."""
    return -1


@command(READ, group="connection", since="0.1", cost="O(1)", name="CLIENT TRACKINGINFO", doors=RESP_DOOR, method=None)
def client_trackinginfo(session: Caller, /) -> dict[str, Any]:
    """Return that there is no tracking."""
    return {"flags": Members([b"off"]), "redirect": -1, "prefixes": []}


def line_about(one: Connected, engine: Engine) -> str:
    """What Redis says of a connection, and in which namespace it is."""
    session = one.session
    talks = one.outbox.protocol
    line = as_line(one.outbox)
    transaction, hearing = session.transaction, session.hearing
    called = line.command.name.lower().replace(" ", "|") if line is not None and line.command is not None else "NULL"
    library = line.library if line is not None else ("kv", "")
    facts = {
        "id": session.id,
        "addr": one.address,
        "laddr": one.local,
        "fd": one.descriptor,
        "name": session.client,
        "age": one.age // 1000,
        "idle": one.idle // 1000,
        "flags": "O" if engine.observation.watched_by(session) else flags_of(session),
        "db": session.namespace.decode("utf-8", "backslashreplace"),
        "sub": len(hearing.channels) if hearing else 0,
        "psub": len(hearing.patterns) if hearing else 0,
        "ssub": len(hearing.shards) if hearing else 0,
        "multi": len(transaction.calls) if transaction is not None and transaction.queueing else -1,
        "qbuf": 0,
        "qbuf-free": 0,
        "argv-mem": 0,
        "multi-mem": 0,
        "rbs": 0,
        "rbp": 0,
        "obl": 0,
        "oll": 0,
        "omem": one.unsent,
        "tot-mem": one.unsent,
        "events": "r",
        "cmd": called,
        "user": user_of(session),
        "redir": -1,
        "resp": talks,
        "lib-name": library[0],
        "lib-ver": library[1],
    }
    return " ".join(f"{fact}={value}" for fact, value in facts.items()) + "\n"


def as_line(outbox: Outbox) -> Line | None:
    """The connection, if it is one of the text door."""
    return outbox if outbox.protocol else None  # type: ignore[return-value]


def flags_of(session: Session) -> str:
    transaction = session.transaction
    marks = (
        "P" * bool(session.hearing)
        + "x" * (transaction is not None and transaction.queueing)
        + "b" * any(isinstance(call, Parked) for call in session.waiting.values())
    )
    return marks or "N"


def of_type(word: bytes) -> Test:
    """Whether a connection is of that type: one that listens is not normal."""
    kind = word.decode("utf-8", "replace").lower()
    if kind not in _TYPES:
        raise InvalidArgument(f"Unknown client type '{word.decode('utf-8', 'replace')}'")
    if kind in ("normal", "pubsub"):
        return lambda one: bool(one.session.hearing) is (kind == "pubsub")
    return lambda one: False


def client_number(word: bytes, refusal: str, least: int = 1) -> int:
    try:
        return text_int(word, least)
    except InvalidArgument:
        raise InvalidArgument(refusal) from None


def user_of(session: Session) -> str:
    return "(nobody)" if session.login is None else session.login.user


def wanted_of(words: tuple[bytes, ...], users: Container[str]) -> Wanted:
    """What the pairs of words after `CLIENT KILL` ask for."""
    if len(words) % 2:
        raise InvalidArgument("syntax error")
    wanted = Wanted([], True)
    for name, value in zip(words[::2], words[1::2], strict=True):
        text = value.decode("utf-8", "replace")
        match name.upper():
            case b"ID":
                number = client_number(value, "client-id should be greater than 0")
                wanted.tests.append(lambda one, number=number: one.session.id == number)  # type: ignore[misc]
            case b"TYPE":
                wanted.tests.append(of_type(value))
            case b"ADDR":
                wanted.tests.append(lambda one, text=text: one.address == text)  # type: ignore[misc]
            case b"LADDR":
                wanted.tests.append(lambda one, text=text: one.local == text)  # type: ignore[misc]
            case b"MAXAGE":
                age = client_number(value, "maxage is not an integer or out of range") * 1000
                wanted.tests.append(lambda one, age=age: one.age >= age)  # type: ignore[misc]
            case b"USER" if text in users:
                wanted.tests.append(lambda one, text=text: user_of(one.session) == text)  # type: ignore[misc]
            case b"USER":
                raise InvalidArgument(f"No such user '{text}'")
            case b"SKIPME" if text.upper() in _SWITCHES:
                wanted = wanted._replace(skip_me=_SWITCHES[text.upper()])
            case _:
                raise InvalidArgument("syntax error")
    return wanted
