"""Scalar values: one value of any type under a key."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple, NoReturn

from kv_protocol.errors import CommandError, ConditionFailed, InvalidArgument, LockLost, OutOfRange, TooLarge
from kv_protocol.limits import MAX_FRAME, VALUE_MARGIN
from kv_protocol.types import Entry
from kv_protocol.values import bytes_blob, class_of, from_octets, octets
from kv_server.commands.locks import AS_FENCE, NamedLease
from kv_server.commands.resp_views import AS_OK
from kv_server.engine.rows import DELETED, EXPIRED
from kv_server.engine.tx import Tx
from kv_server.model.entry import SCALAR
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, TAKES, WRITE, View
from kv_server.spec.resp_kinds import OK, Simple
from kv_server.spec.types import NATIVE, TELLS, Duration, Int, Key, SourceKey, TakenKey, Time, Token, Value, Version

MAX_OCTETS: Final = MAX_FRAME - VALUE_MARGIN


class Pair(NamedTuple):
    """A key and the value it is to have."""

    key: Key
    value: Value


def ok_if_set(version: int | None) -> Simple | None:
    return None if version is None else OK


def unset(error: CommandError) -> None:
    """Text clients get nil when a condition of `SET` does not hold."""
    if not isinstance(error, ConditionFailed):
        raise error


def old_value(value: bytes | None) -> Value | None:
    return value


def kept_value(error: CommandError) -> bytes | None:
    """With GET they get the value either way."""
    if not isinstance(error, ConditionFailed):
        raise error
    current: Entry[bytes] | None = error.current
    return None if current is None else current.value


@command(READ | FAST, group="string", since="0.1", cost="O(1)")
def get(tx: Tx, key: SourceKey, /) -> Value | None:
    """Return the value at *key*; nothing if there is none.

    >>> version = await client.set("greeting", "hello")
    >>> await client.get("greeting"), await client.get("absent", default=0)
    ('hello', 0)
    """
    return tx.value(key)


@command(READ | FAST, group="string", since="0.1", cost="O(1)", name="GETENTRY")
def get_entry(tx: Tx, key: SourceKey, /) -> Entry[Value] | None:
    """Return the value at *key* with its version and the time it has left; nothing if there is none.

    >>> version = await client.set("user:1", {"name": "Ada"}, ttl=60)
    >>> entry = await client.get_entry("user:1")
    >>> entry and (entry.value, entry.version == version, entry.ttl is not None)
    ({'name': 'Ada'}, True, True)
    """
    return current(tx, key)


@command(
    WRITE | GROWS | FAST,
    group="string",
    since="0.1",
    cost="O(1)",
    views=(View("ok", ok_if_set, rescue=unset),),
    selects={"GET": "GETSET"},
    exclusive=(("ttl", "expires_at", "keep_ttl"), ("if_absent", "if_present", "if_version", "if_value")),
)
def set_(
    tx: Tx,
    key: Key,
    value: Value,
    /,
    *,
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    expires_at: Annotated[Time | None, Token("EXAT", 1000), Token("PXAT")] = None,
    keep_ttl: Annotated[bool, Token("KEEPTTL")] = False,
    if_absent: Annotated[bool, Token("NX")] = False,
    if_present: Annotated[bool, Token("XX")] = False,
    if_version: Annotated[Version | None, NATIVE, TELLS] = None,
    if_value: Annotated[Value | None, Token("IFEQ"), TELLS] = None,
    lease: Annotated[NamedLease | None, AS_FENCE] = None,
) -> Version:
    """Set *key* to *value* and return its new version.

    Without *ttl* (or *expires_at*) the key never expires; *keep_ttl* keeps the expiry it has. With a *lease* it is gone
    when that is, unless it was changed since. A condition that does not hold fails the call, changes nothing, and tells
    the entry as it is: *if_absent*, *if_present*, *if_version* (0: absent), *if_value*.

    >>> version = await client.set("user:1", {"name": "Ada"}, ttl=3600)
    >>> newer = await client.set("user:1", {"name": "Ada L."}, if_version=version)
    >>> await client.set("user:1", "lost", if_version=version)
    Traceback (most recent call last):
    ConditionFailed: the key has another version
    """
    if if_absent or if_present or if_version is not None or if_value is not None:
        demand(tx, key, if_absent=if_absent, if_present=if_present, if_version=if_version, if_value=if_value)
    if lease is not None and tx.hold(lease.lock, lease.token) is None:
        raise LockLost("the lease is over: nothing was set")
    lasting = ttl is None and expires_at is None and not keep_ttl
    tx.key_put(key, value, 0 if lasting else expiry(tx, key, ttl, expires_at, keep_ttl))
    if expires_at is not None and expires_at <= tx.now_ms:
        tx.key_drop(key, EXPIRED)
    if lease is not None:
        tx.lock_bind(lease.lock, lease.token, key)
    return tx.revision


@command(
    WRITE | GROWS | FAST,
    group="string",
    since="0.1",
    cost="O(1)",
    views=(View("old", old_value, rescue=kept_value),),
    exclusive=(("ttl", "expires_at", "keep_ttl"), ("if_absent", "if_present", "if_version", "if_value")),
)
def getset(
    tx: Tx,
    key: TakenKey,
    value: Value,
    /,
    *,
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    expires_at: Annotated[Time | None, Token("EXAT", 1000), Token("PXAT")] = None,
    keep_ttl: Annotated[bool, Token("KEEPTTL")] = False,
    if_absent: Annotated[bool, Token("NX")] = False,
    if_present: Annotated[bool, Token("XX")] = False,
    if_version: Annotated[Version | None, NATIVE, TELLS] = None,
    if_value: Annotated[Value | None, Token("IFEQ"), TELLS] = None,
    lease: Annotated[NamedLease | None, AS_FENCE] = None,
) -> Value | None:
    """Set *key* to *value* as `SET` does, and return the value it had before; nothing if it had none.

    >>> version = await client.set("state", "open")
    >>> await client.getset("state", "closed")
    'open'
    """
    old = tx.value(key)
    set_(tx, key, value, ttl=ttl, expires_at=expires_at, keep_ttl=keep_ttl, if_absent=if_absent, if_present=if_present,
         if_version=if_version, if_value=if_value, lease=lease)  # fmt: skip
    return old


@command(WRITE | TAKES | FAST, group="string", since="0.1", cost="O(1)")
def getdel(tx: Tx, key: TakenKey, /) -> Value | None:
    """Return the value at *key* and delete the key.

    >>> version = await client.set("ticket", 7)
    >>> await client.getdel("ticket"), await client.exists("ticket")
    (7, 0)
    """
    value = tx.value(key)
    if value is not None:
        tx.key_drop(key, DELETED)
    return value


@command(WRITE | FAST, group="string", since="0.1", cost="O(1)", exclusive=(("ttl", "expires_at", "persist"),))
def getex(
    tx: Tx,
    key: TakenKey,
    /,
    *,
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    expires_at: Annotated[Time | None, Token("EXAT", 1000), Token("PXAT")] = None,
    persist: Annotated[bool, Token("PERSIST")] = False,
) -> Value | None:
    """Return the value at *key* and change when it expires: *ttl* from now, at *expires_at*, or never (*persist*).

    >>> version = await client.set("session", "Ada")
    >>> await client.getex("session", ttl=60)
    'Ada'
    """
    value = tx.value(key)
    if value is not None and (persist or ttl is not None or expires_at is not None):
        change_expiry(tx, key, 0 if persist else expiry(tx, key, ttl, expires_at, False))
    return value


@command(WRITE | GROWS | FAST, group="string", since="0.1", cost="O(length)", event="append")
def append(tx: Tx, key: Key, value: Value, /) -> int:
    """Append the text or bytes *value* to what is at *key*, as it reads, and return the new length in octets.

    bytes stay bytes; anything else becomes text (bytes if the result is not UTF-8). An absent key counts as empty.

    >>> await client.append("log", "one"), await client.append("log", ", two"), await client.get("log")
    (3, 8, 'one, two')
    """
    old = tx.value(key)
    tail = plain(value)
    if old is None:
        tx.key_put(key, value, 0)
        return len(tail)
    whole = octets(old) + tail
    write_octets(tx, key, old, whole)
    return len(whole)


@command(READ, group="string", since="0.1", cost="O(length)", aliases=("SUBSTR",))
def getrange(tx: Tx, key: SourceKey, start: Int, end: Int, /) -> Value:
    """Return the octets from *start* to *end*, both included, of what is at *key* as it reads.

    Negative positions count from the end, the first octet being as far as they reach.

    >>> version = await client.set("text", "in memory")
    >>> await client.getrange("text", 3, -1)
    'memory'
    """
    value = tx.value(key)
    if value is None:
        return from_octets(b"")
    whole = octets(value)
    size = len(whole)
    first = max(start + size if start < 0 else start, 0)
    last = max(end + size if end < 0 else end, 0)
    return like(value, b"" if end < start < 0 else whole[first : last + 1])


@command(WRITE | GROWS, group="string", since="0.1", cost="O(length)", event="setrange")
def setrange(tx: Tx, key: Key, offset: Int, value: Value, /) -> int:
    """Overwrite octets from *offset* on with the text or bytes *value*, and return the new length.

    Zero octets fill a gap between the old end and *offset*.

    >>> version = await client.set("text", "hello world")
    >>> await client.setrange("text", 6, "there"), await client.get("text")
    (11, 'hello there')
    """
    if offset < 0:
        raise OutOfRange("offset is out of range")
    patch = plain(value)
    old = tx.value(key)
    whole = octets(old) if old is not None else b""
    if not patch:
        return len(whole)
    check_length(tx, offset + len(patch))
    changed = whole[:offset].ljust(offset, b"\0") + patch + whole[offset + len(patch) :]
    write_octets(tx, key, old or value, changed)
    return len(changed)


@command(READ | FAST, group="string", since="0.1", cost="O(length)")
def strlen(tx: Tx, key: SourceKey, /) -> int:
    """Return how many octets the value at *key* takes as it reads; 0 if there is none.

    >>> version = await client.set("text", "hello")
    >>> await client.strlen("text")
    5
    """
    value = tx.value(key)
    return len(octets(value)) if value is not None else 0


@command(READ | FAST, group="string", since="0.1", cost="O(keys)")
def mget(tx: Tx, /, *keys: SourceKey) -> list[Value | None]:
    """Return the values at *keys* in their order, nothing for those that are absent or hold a collection.

    >>> version = await client.mset({"a": 1, "b": [2, 3]})
    >>> await client.mget("a", "b", "absent")
    [1, [2, 3], None]
    """
    found = [tx.find(key) for key in keys]
    return [entry.value if entry is not None and entry.kind == SCALAR else None for entry in found]


@command(WRITE | GROWS, group="string", since="0.1", cost="O(keys)", views=(AS_OK,))
def mset(tx: Tx, /, *items: Pair, ttl: Annotated[Duration | None, NATIVE] = None) -> Version:
    """Set all of *items* at once and return their one new version. A key given twice takes its last value.

    >>> version = await client.mset({"a": 1, "b": "two"}, ttl=60)
    >>> await client.mget("a", "b", "c")
    [1, 'two', None]
    """
    expires_ms = 0 if ttl is None else tx.now_ms + ttl
    for key, value in dict(items).items():
        tx.key_put(key, value, expires_ms)
    return tx.revision


@command(WRITE | GROWS, group="string", since="0.1", cost="O(keys)")
def msetnx(tx: Tx, /, *items: Pair, ttl: Annotated[Duration | None, NATIVE] = None) -> bool:
    """Set all of *items* if none of their keys exists; False, and nothing is set, if one does.

    >>> await client.msetnx({"a": 1, "b": 2})
    True
    >>> await client.msetnx({"b": 3, "c": 4})
    False
    """
    pairs = dict(items)
    if any(tx.exists(key) for key in pairs):
        return False
    expires_ms = 0 if ttl is None else tx.now_ms + ttl
    for key, value in pairs.items():
        tx.key_put(key, value, expires_ms)
    return True


def current(tx: Tx, key: bytes) -> Entry[bytes] | None:
    """The entry at *key* as callers see it."""
    value = tx.value(key)
    if value is None:
        return None
    entry = tx.find(key)
    assert entry is not None
    return Entry(value, entry.version, entry.expires_ms - tx.now_ms if entry.expires_ms else None)


def demand(
    tx: Tx,
    key: bytes,
    *,
    if_absent: bool = False,
    if_present: bool = False,
    if_version: int | None,
    if_value: bytes | None,
) -> None:
    """Raise ConditionFailed with the entry as it is unless every condition holds."""
    entry = tx.find(key)
    if entry is None:
        if if_present or if_version or if_value is not None:
            fail_condition(tx, key, "the key is absent")
    elif if_absent:
        fail_condition(tx, key, "the key is present")
    elif if_version is not None and entry.version != if_version:
        fail_condition(tx, key, "the key has another version")
    elif if_value is not None and tx.value(key) != if_value:
        fail_condition(tx, key, "the key has another value")


def fail_condition(tx: Tx, key: bytes, why: str) -> NoReturn:
    told = (entry := tx.find(key)) is not None and entry.kind == SCALAR and tx.may_read(key)
    raise ConditionFailed(why, {"current": current(tx, key) if told else None})


def expiry(tx: Tx, key: bytes, ttl: int | None, expires_at: int | None, keep_ttl: bool) -> int:
    """The absolute expiry that a write asks for, 0 for none."""
    if ttl is not None:
        return tx.now_ms + ttl
    if expires_at is not None:
        return max(expires_at, 1)
    if keep_ttl:
        entry = tx.find(key)
        return entry.expires_ms if entry is not None else 0
    return 0


def change_expiry(tx: Tx, key: bytes, expires_ms: int) -> bool:
    """Let *key*, which exists, expire at *expires_ms* (0: never; past: now). False if it never would have."""
    entry = tx.find(key)
    assert entry is not None
    if not expires_ms and not entry.expires_ms:
        return False
    if expires_ms and expires_ms <= tx.now_ms:
        tx.key_drop(key, DELETED)
    else:
        tx.key_expiry(key, expires_ms)
    return True


def plain(value: bytes) -> bytes:
    """The octets of a text or bytes *value*; anything else cannot be a part of text."""
    kind = class_of(value)
    if kind not in ("str", "bytes"):
        raise InvalidArgument(f"value: text or bytes are wanted, not {kind}")
    return octets(value)


def like(model: bytes, content: bytes) -> bytes:
    """*content* as a blob: bytes if *model* is bytes, else text where it is UTF-8."""
    return bytes_blob(content) if class_of(model) == "bytes" else from_octets(content)


def write_octets(tx: Tx, key: bytes, old: bytes, content: bytes) -> None:
    """Put *content* in the place of *old*, in its class, with the expiry the key has."""
    check_length(tx, len(content))
    entry = tx.find(key)
    tx.key_put(key, like(old, content), entry.expires_ms if entry is not None else 0)


def check_length(tx: Tx, size: int) -> None:
    if size > MAX_OCTETS:
        raise TooLarge("string exceeds maximum allowed size", {"limit": MAX_OCTETS})
    tx.afford(size)
