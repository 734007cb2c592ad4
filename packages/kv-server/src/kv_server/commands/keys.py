"""Keys of whatever type: existence, expiry, names, and walking over them."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, NotFound
from kv_protocol.names import text
from kv_protocol.types import ScanPage
from kv_protocol.values import class_of
from kv_server.commands.strings import change_expiry, demand
from kv_server.engine.effects.keys import KINDS
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.entry import SCALAR
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, SLOW, SWEEPS, WRITE
from kv_server.spec.types import (
    NATIVE,
    Count,
    Cursor,
    Duration,
    Key,
    Namespace,
    Pattern,
    SourceKey,
    Text,
    Time,
    Token,
    Value,
    Version,
)  # fmt: skip

DEFAULT_PAGE: Final = 100


class Where(NamedTuple):
    """Which expiries a change of expiry may replace."""

    if_new: bool
    if_expiring: bool
    if_longer: bool
    if_shorter: bool


@command(WRITE | FAST, group="keys", since="0.1", cost="O(keys)", name="DEL", aliases=("UNLINK",))
def delete(
    tx: Tx,
    /,
    *keys: Key,
    if_version: Annotated[Version | None, NATIVE] = None,
    if_value: Annotated[Value | None, NATIVE] = None,
) -> int:
    """Delete *keys* and return how many there were.

    With a condition there must be one key; one that does not hold fails the call and tells the entry as it is.
    """
    if if_version is not None or if_value is not None:
        if len(keys) != 1:
            raise InvalidArgument("a condition needs exactly one key")
        demand(tx, keys[0], if_version=if_version, if_value=if_value)
    dropped = 0
    for key in keys:
        if tx.exists(key):
            tx.key_drop(key, DELETED)
            dropped += 1
    return dropped


@command(READ | FAST, group="keys", since="0.1", cost="O(keys)")
def exists(tx: Tx, /, *keys: SourceKey) -> int:
    """Return how many of *keys* exist; one given twice counts twice."""
    return sum(map(tx.exists, keys))


@command(READ | FAST, group="keys", since="0.1", cost="O(1)")
def type_(tx: Tx, key: SourceKey, /) -> str | None:
    """Return the type of what is at *key*, as values know it; nothing if there is none."""
    entry = tx.find(key)
    if entry is None:
        return None
    return class_of(entry.value) if entry.kind == SCALAR else KINDS[entry.kind]


@command(
    WRITE | FAST,
    group="keys",
    since="0.1",
    cost="O(1)",
    exclusive=(("if_new", "if_expiring"), ("if_longer", "if_shorter")),
)
def expire(
    tx: Tx,
    key: Key,
    ttl: Duration,
    /,
    *,
    if_new: Annotated[bool, Token("NX")] = False,
    if_expiring: Annotated[bool, Token("XX")] = False,
    if_longer: Annotated[bool, Token("GT")] = False,
    if_shorter: Annotated[bool, Token("LT")] = False,
) -> bool:
    """Let *key* expire *ttl* from now; False if there is no such key or the condition does not hold.

    *if_new*: only if it would not expire yet; *if_expiring*: only if it would; *if_longer*, *if_shorter*: only if
    that moves its end later, earlier. A key that never expires counts as the latest.
    """
    return set_expiry(tx, key, tx.now_ms + ttl, Where(if_new, if_expiring, if_longer, if_shorter))


@command(
    WRITE | FAST,
    group="keys",
    since="0.1",
    cost="O(1)",
    exclusive=(("if_new", "if_expiring"), ("if_longer", "if_shorter")),
)
def expireat(
    tx: Tx,
    key: Key,
    time: Time,
    /,
    *,
    if_new: Annotated[bool, Token("NX")] = False,
    if_expiring: Annotated[bool, Token("XX")] = False,
    if_longer: Annotated[bool, Token("GT")] = False,
    if_shorter: Annotated[bool, Token("LT")] = False,
) -> bool:
    """Let *key* expire at *time*, as `EXPIRE`; a time that has passed deletes it."""
    return set_expiry(tx, key, max(time, 1), Where(if_new, if_expiring, if_longer, if_shorter))


@command(READ | FAST, group="keys", since="0.1", cost="O(1)")
def ttl(tx: Tx, key: SourceKey, /) -> Duration | None:
    """Return the time *key* has left, nothing if it never expires; fails if there is no such key."""
    expires_ms = expiry_of(tx, key)
    return expires_ms - tx.now_ms if expires_ms else None


@command(READ | FAST, group="keys", since="0.1", cost="O(1)")
def expiretime(tx: Tx, key: SourceKey, /) -> Time | None:
    """Return the time at which *key* expires, nothing if it never does; fails if there is no such key."""
    return expiry_of(tx, key) or None


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def persist(tx: Tx, key: Key, /) -> bool:
    """Let *key* never expire; False if there is no such key or it would not have expired."""
    return tx.exists(key) and change_expiry(tx, key, 0)


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def rename(tx: Tx, source: Key, target: Key, /) -> None:
    """Give what is at *source* the name *target*, in the place of whatever is there; fails if there is no *source*."""
    require(tx, source)
    if source != target:
        tx.key_move(source, tx.name, target)


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def renamenx(tx: Tx, source: Key, target: Key, /) -> bool:
    """Rename *source* to *target* unless there is a *target*; fails if there is no *source*."""
    require(tx, source)
    if tx.exists(target):
        return False
    tx.key_move(source, tx.name, target)
    return True


@command(WRITE | GROWS, group="keys", since="0.1", cost="O(size)")
def copy(tx: Tx, source: SourceKey, target: Key, /, *, replace: Annotated[bool, Token("REPLACE")] = False) -> bool:
    """Copy what is at *source*, with its expiry, to *target*.

    False if there is no *source*, or if there is a *target* and no *replace*.
    """
    if source == target:
        raise InvalidArgument("source and destination objects are the same")
    entry = tx.find(source)
    if entry is None or (tx.exists(target) and not replace):
        return False
    tx.key_put(target, entry.value, entry.expires_ms)
    return True


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def move(tx: Tx, key: Key, namespace: Namespace, /) -> bool:
    """Move *key* to another *namespace*; False if there is no such key, or one of its name there."""
    if namespace == tx.name:
        raise InvalidArgument("source and destination objects are the same")
    if not tx.exists(key) or tx.exists_in(namespace, key):
        return False
    tx.key_move(key, namespace, key)
    return True


@command(READ | SWEEPS, group="keys", since="0.1", cost="O(shards)")
def randomkey(tx: Tx, /) -> Key | None:
    """Return a key, each as likely as any other; nothing if the namespace is empty."""
    return tx.random_key()


@command(
    READ | SLOW | SWEEPS, group="keys", since="0.1", cost="O(count), a sort of one shard after new keys came to it"
)
def scan(
    tx: Tx,
    cursor: Cursor,
    /,
    *,
    match: Annotated[Pattern | None, Token("MATCH")] = None,
    count: Annotated[Count, Token("COUNT")] = DEFAULT_PAGE,
    type: Annotated[Text | None, Token("TYPE")] = None,
) -> ScanPage:
    """Return a page of keys and the cursor of the next page; begin with cursor 0, end when it comes back as 0.

    A key that is there from the beginning to the end of a scan is returned exactly once, whatever else comes and
    goes. *count* is how many keys are looked at; *match* and *type* choose among those.
    """
    following, keys = tx.scan(cursor, count)
    if match is not None:
        keys = [key for key in keys if matches(match, key)]
    if type is not None:
        keys = [key for key in keys if type_(tx, key) == type]
    return ScanPage(following, [text(key) for key in keys])


@command(READ | FAST | SWEEPS, group="keys", since="0.1", cost="O(shards)")
def dbsize(tx: Tx, /) -> int:
    """Return how many keys the namespace has."""
    return tx.count()


def set_expiry(tx: Tx, key: bytes, expires_ms: int, where: Where) -> bool:
    entry = tx.find(key)
    if entry is None:
        return False
    old = entry.expires_ms
    if (where.if_new and old) or (where.if_expiring and not old):
        return False
    if (where.if_longer and (not old or expires_ms <= old)) or (where.if_shorter and old and expires_ms >= old):
        return False
    return change_expiry(tx, key, expires_ms)


def expiry_of(tx: Tx, key: bytes) -> int:
    require(tx, key)
    entry = tx.find(key)
    assert entry is not None
    return entry.expires_ms


def require(tx: Tx, key: bytes) -> None:
    if not tx.exists(key):
        raise NotFound("no such key")
