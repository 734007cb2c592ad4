"""Words about keys whose numbers mean to Redis what they do not mean natively: expiry in units, with -1 and -2."""

from __future__ import annotations

from typing import Annotated, Final

from kv_protocol.errors import InvalidArgument
from kv_server.commands.counters import INT64_MAX, INT64_MIN
from kv_server.commands.keys import ALWAYS, Where, set_expiry
from kv_server.commands.resp_views import AS_OK, ASYNC_OR_SYNC
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.checks import NUMBERED
from kv_server.spec.command import ADMIN, FAST, READ, RESP_DOOR, SPANS, SWEEPS, WRITE
from kv_server.spec.types import MAX_TIME_MS, OPTIONAL, Int, Key, Namespace, SourceKey, Text

ABSENT: Final = -2
ENDLESS: Final = -1


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", name="EXPIRE", doors=RESP_DOOR, method=None)
def expire_on_resp(tx: Tx, key: Key, seconds: Int, /, *conditions: Annotated[Text, OPTIONAL]) -> int:
    """Let *key* expire *seconds* from now, at once if they are none: `[NX | XX | GT | LT]`."""
    return let_expire(tx, key, seconds, 1000, tx.now_ms, conditions, "expire")


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def pexpire(tx: Tx, key: Key, milliseconds: Int, /, *conditions: Annotated[Text, OPTIONAL]) -> int:
    """Let *key* expire *milliseconds* from now, at once if they are none: `[NX | XX | GT | LT]`."""
    return let_expire(tx, key, milliseconds, 1, tx.now_ms, conditions, "pexpire")


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", name="EXPIREAT", doors=RESP_DOOR, method=None)
def expireat_on_resp(tx: Tx, key: Key, time: Int, /, *conditions: Annotated[Text, OPTIONAL]) -> int:
    """Let *key* expire at *time*, in seconds since 1970: `[NX | XX | GT | LT]`."""
    return let_expire(tx, key, time, 1000, 0, conditions, "expireat")


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def pexpireat(tx: Tx, key: Key, time: Int, /, *conditions: Annotated[Text, OPTIONAL]) -> int:
    """Let *key* expire at *time*, in milliseconds since 1970: `[NX | XX | GT | LT]`."""
    return let_expire(tx, key, time, 1, 0, conditions, "pexpireat")


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", name="TTL", doors=RESP_DOOR, method=None)
def ttl_on_resp(tx: Tx, key: SourceKey, /) -> int:
    """Return the seconds *key* has left; -1 if it never expires, -2 if there is none."""
    expires_ms = expiry_or_sign(tx, key)
    return (expires_ms - tx.now_ms + 500) // 1000 if expires_ms > 0 else expires_ms


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def pttl(tx: Tx, key: SourceKey, /) -> int:
    """Return the milliseconds *key* has left; -1 if it never expires, -2 if there is none."""
    expires_ms = expiry_or_sign(tx, key)
    return expires_ms - tx.now_ms if expires_ms > 0 else expires_ms


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", name="EXPIRETIME", doors=RESP_DOOR, method=None)
def expiretime_on_resp(tx: Tx, key: SourceKey, /) -> int:
    """Return when *key* expires, in seconds since 1970; -1 if it never does, -2 if there is none."""
    expires_ms = expiry_or_sign(tx, key)
    return (expires_ms + 500) // 1000 if expires_ms > 0 else expires_ms


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def pexpiretime(tx: Tx, key: SourceKey, /) -> int:
    """Return when *key* expires, in milliseconds since 1970; -1 if it never does, -2 if there is none."""
    return expiry_or_sign(tx, key)


@command(
    WRITE | ADMIN | SWEEPS | SPANS, group="namespace", since="0.1", cost="O(shards); the freeing follows in slices",
    doors=RESP_DOOR, method=None, views=(AS_OK, *ASYNC_OR_SYNC),
)  # fmt: skip
def flushall(tx: Tx, /) -> int:
    """Delete every key of the numbered namespaces and of the current one; locks stay, and so do other namespaces."""
    found = [name for name in [tx.name, *(b"%d" % number for number in range(NUMBERED))] if name in tx.store.namespaces]
    emptied = dict.fromkeys(name for name in found if len(tx.store.namespaces[name]))
    for name in emptied:
        tx.namespace_flush(name)
    return len(emptied)


@command(
    WRITE | ADMIN | FAST, group="namespace", since="0.1", cost="O(shards)", doors=RESP_DOOR, method=None, views=(AS_OK,)
)
def swapdb(tx: Tx, first: Namespace, second: Namespace, /) -> None:
    """Exchange the keys of two namespaces, for everybody at once; locks stay where they are."""
    if first != second:
        tx.namespace_swap(first, second)


def let_expire(
    tx: Tx, key: bytes, number: int, scale: int, base_ms: int, conditions: tuple[str, ...], word: str
) -> int:
    """Let *key* expire *number* units after *base_ms*; 1 if it will, or was at once, deleted."""
    where = conditions_of(conditions)
    scaled = number * scale
    expires_ms = scaled + base_ms
    if not (INT64_MIN <= scaled <= INT64_MAX and INT64_MIN <= expires_ms <= INT64_MAX):
        raise InvalidArgument(f"invalid expire time in '{word}' command")
    if expires_ms > tx.now_ms:
        return int(set_expiry(tx, key, min(expires_ms, MAX_TIME_MS), where))
    entry = tx.find(key)
    if entry is None or not where.allow(entry.expires_ms, expires_ms):
        return 0
    tx.key_drop(key, DELETED)
    return 1


def conditions_of(words: tuple[str, ...]) -> Where:
    """What the words after the number ask for."""
    if not words:
        return ALWAYS
    given = {word.upper() for word in words}
    for word in words:
        if word.upper() not in ("NX", "XX", "GT", "LT"):
            raise InvalidArgument(f"Unsupported option {word}")
    where = Where("NX" in given, "XX" in given, "GT" in given, "LT" in given)
    if where.if_new and (where.if_expiring or where.if_longer or where.if_shorter):
        raise InvalidArgument("NX and XX, GT or LT options at the same time are not compatible")
    if where.if_longer and where.if_shorter:
        raise InvalidArgument("GT and LT options at the same time are not compatible")
    return where


def expiry_or_sign(tx: Tx, key: bytes) -> int:
    entry = tx.find(key)
    return ABSENT if entry is None else entry.expires_ms or ENDLESS
