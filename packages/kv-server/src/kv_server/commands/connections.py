"""The calling connection and its like: who it is, and what it wants to be told."""

from __future__ import annotations

from typing import Annotated

from kv_protocol.errors import InvalidArgument, ShuttingDown
from kv_protocol.types import Change, ClientInfo
from kv_server.engine.engine import PARKED, Caller
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, FAST, NATIVE_DOOR, READ, STREAMS
from kv_server.spec.types import NATIVE, OPTIONAL, Count, Prefix, Size, SourceKey, Text, Value

MAX_LABEL = 256


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", doors=NATIVE_DOOR)
def ping(session: Caller, /) -> str:
    """Answer PONG."""
    return "PONG"


@command(READ | FAST, group="connection", since="0.1", cost="O(1)")
def echo(session: Caller, value: Value, /) -> Value:
    """Answer *value*."""
    return value


@command(READ | FAST, group="connection", since="0.1", cost="O(1)", name="CLIENT ID")
def client_id(session: Caller, /) -> int:
    """Return the number of the calling session."""
    return session.session.id


@command(
    READ | FAST,
    group="connection",
    since="0.1",
    cost="O(1)",
    name="CLIENT GETNAME",
    method="client_name",
    doors=NATIVE_DOOR,
)
def client_getname(session: Caller, /) -> str:
    """Return the name the calling session gave itself; empty if none."""
    return session.session.client


@command(
    READ | FAST,
    group="connection",
    since="0.1",
    cost="O(1)",
    name="CLIENT SETNAME",
    method="set_client_name",
    doors=NATIVE_DOOR,
)
def client_setname(session: Caller, name: Text, /) -> None:
    """Give the calling session a *name*, by which people know it in `CLIENT LIST`, `LOCKS` and logs."""
    if len(name) > MAX_LABEL or not name.isprintable():
        raise InvalidArgument(f"name: at most {MAX_LABEL} printable characters")
    session.session.client = name


@command(
    READ | ADMIN,
    group="connection",
    since="0.1",
    cost="O(connections)",
    name="CLIENT LIST",
    method="clients",
    doors=NATIVE_DOOR,
)
def client_list(node: Node, /) -> list[ClientInfo]:
    """Return every connection of the server, oldest first."""
    return node.clients()


@command(
    READ, group="connection", since="0.1", cost="O(connections)", name="CLIENT INFO", method="client_info",
    doors=NATIVE_DOOR,
)  # fmt: skip
def client_info(session: Caller, /) -> ClientInfo | None:
    """Return what there is to know about the calling connection."""
    return next((one for one in session.engine.node.clients() if one.id == session.session.id), None)


@command(
    READ | ADMIN, group="connection", since="0.1", cost="O(connections)", name="CLIENT KILL", method="kill_client",
    doors=NATIVE_DOOR,
)  # fmt: skip
def client_kill(session: Caller, id: Count, /) -> bool:
    """End the connection of the session with this number; False if there is none. Its client may connect again."""
    found = [one for one in session.engine.node.connections() if one.session.id == id]
    for one in found:
        one.outbox.close(ShuttingDown("an operator ended the connection"))
    return bool(found)


@command(READ | STREAMS, group="watch", since="0.1", cost="O(keys)", doors=NATIVE_DOOR, method=None)
def watch(
    session: Caller,
    /,
    *keys: Annotated[SourceKey, OPTIONAL],
    prefix: Annotated[Prefix | None, NATIVE] = None,
    credit: Annotated[Size, NATIVE] = 0,
    values: Annotated[bool, NATIVE] = True,
) -> None:
    """Tell every change of *keys*, and of all keys that begin with *prefix*, from now on, as events of this call.

    *credit* is how many events may be sent before more is granted; without *values* events carry none.
    """
    if not keys and prefix is None:
        raise InvalidArgument("watch at least one key, or a prefix")
    watching = session.subscribe(tuple(dict.fromkeys(keys)), prefix, credit, values)
    watching.tell(Change("open", session.engine.revision, None, None))
    return PARKED  # type: ignore[return-value]
