"""Scalar values: one value of any type under a key."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple, NoReturn

from kv_protocol.errors import ConditionFailed, InvalidArgument, OutOfRange, TooLarge
from kv_protocol.limits import MAX_FRAME, VALUE_MARGIN
from kv_protocol.types import Entry
from kv_protocol.values import bytes_blob, class_of, from_octets, octets
from kv_server.engine.rows import DELETED, EXPIRED
from kv_server.engine.tx import Tx
from kv_server.model.entry import SCALAR
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, TAKES, WRITE
from kv_server.spec.types import NATIVE, Duration, Int, Key, SourceKey, Time, Token, Value, Version

MAX_OCTETS: Final = MAX_FRAME - VALUE_MARGIN


class Pair(NamedTuple):
    """A key and the value it is to have."""

    key: Key
    value: Value


@command(READ | FAST, group="string", since="0.1", cost="O(1)")
def get(tx: Tx, key: SourceKey, /) -> Value | None:
    """Return the value at *key*; nothing if there is none."""
    return tx.value(key)


@command(READ | FAST, group="string", since="0.1", cost="O(1)", name="GETENTRY")
def get_entry(tx: Tx, key: SourceKey, /) -> Entry[Value] | None:
    """Return the value at *key* with its version and the time it has left; nothing if there is none."""
    return current(tx, key)


@command(
    WRITE | GROWS | FAST,
    group="string",
    since="0.1",
    cost="O(1)",
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
    if_version: Annotated[Version | None, NATIVE] = None,
    if_value: Annotated[Value | None, Token("IFEQ")] = None,
) -> Version:
    """Set *key* to *value* and return its new version.

    Without *ttl* (or *expires_at*) the key never expires; *keep_ttl* keeps the expiry it has. A condition that does
    not hold fails the call, changes nothing, and tells the entry as it is: *if_absent*, *if_present*, *if_version*
    (0: absent), *if_value*.
    """
    if if_absent or if_present or if_version is not None or if_value is not None:
        demand(tx, key, if_absent=if_absent, if_present=if_present, if_version=if_version, if_value=if_value)
    lasting = ttl is None and expires_at is None and not keep_ttl
    tx.key_put(key, value, 0 if lasting else expiry(tx, key, ttl, expires_at, keep_ttl))
    if expires_at is not None and expires_at <= tx.now_ms:
        tx.key_drop(key, EXPIRED)
    return tx.revision


@command(
    WRITE | GROWS | FAST,
    group="string",
    since="0.1",
    cost="O(1)",
    exclusive=(("ttl", "expires_at", "keep_ttl"), ("if_absent", "if_present", "if_version", "if_value")),
)
def getset(
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
    if_version: Annotated[Version | None, NATIVE] = None,
    if_value: Annotated[Value | None, Token("IFEQ")] = None,
) -> Value | None:
    """Set *key* to *value* as `SET` does, and return the value it had before; nothing if it had none."""
    old = tx.value(key)
    if if_absent or if_present or if_version is not None or if_value is not None:
        demand(tx, key, if_absent=if_absent, if_present=if_present, if_version=if_version, if_value=if_value)
    lasting = ttl is None and expires_at is None and not keep_ttl
    tx.key_put(key, value, 0 if lasting else expiry(tx, key, ttl, expires_at, keep_ttl))
    if expires_at is not None and expires_at <= tx.now_ms:
        tx.key_drop(key, EXPIRED)
    return old


@command(WRITE | TAKES | FAST, group="string", since="0.1", cost="O(1)")
def getdel(tx: Tx, key: Key, /) -> Value | None:
    """Return the value at *key* and delete the key."""
    value = tx.value(key)
    if value is not None:
        tx.key_drop(key, DELETED)
    return value


@command(WRITE | FAST, group="string", since="0.1", cost="O(1)", exclusive=(("ttl", "expires_at", "persist"),))
def getex(
    tx: Tx,
    key: Key,
    /,
    *,
    ttl: Annotated[Duration | None, Token("EX", 1000), Token("PX")] = None,
    expires_at: Annotated[Time | None, Token("EXAT", 1000), Token("PXAT")] = None,
    persist: Annotated[bool, Token("PERSIST")] = False,
) -> Value | None:
    """Return the value at *key* and change when it expires: *ttl* from now, at *expires_at*, or never (*persist*)."""
    value = tx.value(key)
    if value is not None and (persist or ttl is not None or expires_at is not None):
        change_expiry(tx, key, 0 if persist else expiry(tx, key, ttl, expires_at, False))
    return value


@command(WRITE | GROWS | FAST, group="string", since="0.1", cost="O(length)")
def append(tx: Tx, key: Key, value: Value, /) -> int:
    """Append the text or bytes *value* to what is at *key*, as it reads, and return the new length in octets.

    bytes stay bytes; anything else becomes text (bytes if the result is not UTF-8). An absent key counts as empty.
    """
    old = tx.value(key)
    tail = plain(value)
    if old is None:
        tx.key_put(key, value, 0)
        return len(tail)
    whole = octets(old) + tail
    write_octets(tx, key, old, whole)
    return len(whole)


@command(READ, group="string", since="0.1", cost="O(length)")
def getrange(tx: Tx, key: SourceKey, start: Int, end: Int, /) -> Value:
    """Return the octets from *start* to *end*, both included, of what is at *key* as it reads.

    Negative positions count from the end.
    """
    value = tx.value(key)
    if value is None:
        return from_octets(b"")
    whole = octets(value)
    size = len(whole)
    first = max(start + size if start < 0 else start, 0)
    last = end + size if end < 0 else end
    return like(value, whole[first : last + 1] if last >= first else b"")


@command(WRITE | GROWS, group="string", since="0.1", cost="O(length)")
def setrange(tx: Tx, key: Key, offset: Int, value: Value, /) -> int:
    """Overwrite octets from *offset* on with the text or bytes *value*, and return the new length.

    Zero octets fill a gap between the old end and *offset*.
    """
    if offset < 0:
        raise OutOfRange("offset is out of range")
    patch = plain(value)
    old = tx.value(key)
    whole = octets(old) if old is not None else b""
    if not patch:
        return len(whole)
    if offset + len(patch) > MAX_OCTETS:
        raise too_large()
    changed = whole[:offset].ljust(offset, b"\0") + patch + whole[offset + len(patch) :]
    write_octets(tx, key, old or value, changed)
    return len(changed)


@command(READ | FAST, group="string", since="0.1", cost="O(length)")
def strlen(tx: Tx, key: SourceKey, /) -> int:
    """Return how many octets the value at *key* takes as it reads; 0 if there is none."""
    value = tx.value(key)
    return len(octets(value)) if value is not None else 0


@command(READ | FAST, group="string", since="0.1", cost="O(keys)")
def mget(tx: Tx, /, *keys: SourceKey) -> list[Value | None]:
    """Return the values at *keys* in their order, nothing for those that are absent or hold a collection."""
    found = map(tx.find, keys)
    return [entry.value if entry is not None and entry.kind == SCALAR else None for entry in found]


@command(WRITE | GROWS, group="string", since="0.1", cost="O(keys)")
def mset(tx: Tx, /, *items: Pair, ttl: Annotated[Duration | None, NATIVE] = None) -> Version:
    """Set all of *items* at once and return their one new version. A key given twice takes its last value."""
    expires_ms = 0 if ttl is None else tx.now_ms + ttl
    for key, value in dict(items).items():
        tx.key_put(key, value, expires_ms)
    return tx.revision


@command(WRITE | GROWS, group="string", since="0.1", cost="O(keys)")
def msetnx(tx: Tx, /, *items: Pair, ttl: Annotated[Duration | None, NATIVE] = None) -> bool:
    """Set all of *items* if none of their keys exists; False, and nothing is set, if one does."""
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
    entry = tx.find(key)
    seen = current(tx, key) if entry is not None and entry.kind == SCALAR else None
    raise ConditionFailed(why, {"current": seen})


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
    """Let *key*, which exists, expire at *expires_ms* (0: never; past: now). False if nothing changed."""
    entry = tx.find(key)
    assert entry is not None
    if entry.expires_ms == expires_ms:
        return expires_ms != 0
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
    if len(content) > MAX_OCTETS:
        raise too_large()
    entry = tx.find(key)
    tx.key_put(key, like(old, content), entry.expires_ms if entry is not None else 0)


def too_large() -> TooLarge:
    return TooLarge("string exceeds maximum allowed size", {"limit": MAX_OCTETS})
