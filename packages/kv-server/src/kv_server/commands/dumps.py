"""Values as octets, to be kept or carried to another server, and back."""

from __future__ import annotations

from typing import Annotated, Any, cast

from kv_protocol.errors import InvalidArgument
from kv_server.commands.strings import expiry, fail_condition
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.container import CONTAINERS, Container
from kv_server.model.dump import Foreign, dumping, undumping
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.steps import Steps
from kv_server.spec.catalog import command
from kv_server.spec.command import GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, WRITE
from kv_server.spec.resp_kinds import OK, RespError, Simple
from kv_server.spec.types import MAX_TIME_MS, Duration, Int, Key, Octets, SourceKey, Time, Token, Version


@command(READ | SLOW, group="dump", since="0.1", cost="O(size)")
def dump(tx: Tx, key: SourceKey, /) -> Octets | None:
    """Return what is at *key*, of whatever type, in octets that `RESTORE` takes; nothing if there is none.

    >>> await client.rpush("letters", "a", "b")
    2
    >>> dumped = await client.dump("letters")
    >>> type(dumped)
    <class 'bytes'>
    """
    entry = tx.find(key)
    if entry is None and tx.work is None:
        return None
    return tx.slowly(lambda: dumping(cast(Entry, entry)))


@command(
    WRITE | GROWS | SLOW,
    group="dump",
    since="0.1",
    cost="O(size)",
    doors=NATIVE_DOOR,
    exclusive=(("ttl", "expires_at"),),
    event="restore",
)
def restore(
    tx: Tx,
    key: Key,
    dumped: Octets,
    /,
    *,
    ttl: Duration | None = None,
    expires_at: Time | None = None,
    replace: bool = False,
) -> Version:
    """Set *key* to what was *dumped*, and return its version. Unless it is to *replace*, there must be none.

    It never expires without *ttl*, or *expires_at*; a time that has passed leaves no key.

    >>> await client.rpush("letters", "a", "b")
    2
    >>> version = await client.restore("copy", await client.dump("letters") or b"")
    >>> await client.lrange("copy", 0, -1)
    ['a', 'b']
    """
    if tx.exists(key) and not replace:
        fail_condition(tx, key, "the key is present")
    put_back(tx, key, dumped, expiry(tx, key, ttl, expires_at, False))
    return tx.revision


@command(
    WRITE | GROWS | SLOW,
    group="dump",
    since="0.1",
    cost="O(size)",
    name="RESTORE",
    doors=RESP_DOOR,
    method=None,
    event="restore",
)
def restore_on_resp(
    tx: Tx,
    key: Key,
    ttl: Int,
    dumped: Octets,
    /,
    *,
    replace: Annotated[bool, Token("REPLACE")] = False,
    absolute: Annotated[bool, Token("ABSTTL")] = False,
    idle: Annotated[Int | None, Token("IDLETIME")] = None,
    frequency: Annotated[Int | None, Token("FREQ")] = None,
) -> Simple:
    """Set *key* to what was *dumped*, to expire *ttl* milliseconds from now (0: never), or at that time if *absolute*.

    *idle* and *frequency* are taken and change nothing: no key is ever evicted.
    """
    if idle is not None and idle < 0:
        raise InvalidArgument("Invalid IDLETIME value, must be >= 0")
    if frequency is not None and not 0 <= frequency <= 255:
        raise InvalidArgument("Invalid FREQ value, must be >= 0 and <= 255")
    if tx.exists(key) and not replace:
        raise RespError("BUSYKEY Target key name already exists.")
    if ttl < 0:
        raise InvalidArgument("Invalid TTL value, must be >= 0")
    put_back(tx, key, dumped, min(ttl if absolute or not ttl else tx.now_ms + ttl, MAX_TIME_MS))
    return OK


def loading(octets: bytes) -> Steps[tuple[int, Any, Container | None]]:
    """Of what was dumped its kind, what a row tells of it, and the container if it is one."""
    kind, value = yield from undumping(octets)
    return kind, value, None if kind == SCALAR else (yield from CONTAINERS[kind].loading(value))


def put_back(tx: Tx, key: bytes, octets: bytes, expires_ms: int) -> None:
    """Set *key* to the value in *octets*, to expire at *expires_ms* (0: never); past: delete it."""
    tx.afford(len(octets))
    past = 0 < expires_ms <= tx.now_ms
    try:
        kind, value, loaded = tx.slowly(lambda: loading(octets))
        if loaded is not None and not past:
            tx.key_loaded(key, kind, value, expires_ms, loaded)
    except Foreign:
        raise InvalidArgument("DUMP payload version or checksum are wrong") from None
    except ValueError:
        raise InvalidArgument("Bad data format") from None
    if past and tx.exists(key):
        tx.key_drop(key, DELETED)
    elif kind == SCALAR and not past:
        tx.key_put(key, value, expires_ms)
