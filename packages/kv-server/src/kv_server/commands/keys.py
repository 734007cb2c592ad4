"""Keys of whatever type: existence, expiry, names, and walking over them."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, NotFound
from kv_protocol.names import text
from kv_protocol.types import ScanPage
from kv_protocol.values import class_of
from kv_server.commands.resp_views import AS_OK
from kv_server.commands.strings import change_expiry, demand
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.entry import KINDS, SCALAR
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, SLOW, SWEEPS, WRITE, View
from kv_server.spec.resp_kinds import Simple
from kv_server.spec.types import (
    NATIVE,
    Count,
    Cursor,
    Duration,
    Key,
    Name,
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
COLLECTIONS: Final = frozenset(name for kind, name in KINDS.items() if kind != SCALAR)


class Where(NamedTuple):
    """Which expiries a change of expiry may replace."""

    if_new: bool
    if_expiring: bool
    if_longer: bool
    if_shorter: bool

    def allow(self, old: int, new: int) -> bool:
        """Whether the expiry *old* (0: never) may become *new*."""
        if (self.if_new and old) or (self.if_expiring and not old):
            return False
        return not (self.if_longer and (not old or new <= old)) and not (self.if_shorter and old and new >= old)


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


@command(READ | FAST, group="keys", since="0.1", cost="O(keys)", aliases=("TOUCH",))
def exists(tx: Tx, /, *keys: SourceKey) -> int:
    """Return how many of *keys* exist; one given twice counts twice."""
    return sum(map(tx.exists, keys))


def redis_type(kind: str | None) -> Simple:
    """As Redis tells types: every scalar is a string."""
    return Simple(b"none" if kind is None else kind.encode() if kind in COLLECTIONS else b"string")


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", views=(View("redis", redis_type),))
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
    doors=NATIVE_DOOR,
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
    doors=NATIVE_DOOR,
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


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", doors=NATIVE_DOOR)
def ttl(tx: Tx, key: SourceKey, /) -> Duration | None:
    """Return the time *key* has left, nothing if it never expires; fails if there is no such key."""
    expires_ms = expiry_of(tx, key)
    return expires_ms - tx.now_ms if expires_ms else None


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", doors=NATIVE_DOOR)
def expiretime(tx: Tx, key: SourceKey, /) -> Time | None:
    """Return the time at which *key* expires, nothing if it never does; fails if there is no such key."""
    return expiry_of(tx, key) or None


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def persist(tx: Tx, key: Key, /) -> bool:
    """Let *key* never expire; False if there is no such key or it would not have expired."""
    return tx.exists(key) and change_expiry(tx, key, 0)


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", views=(AS_OK,))
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
def copy(
    tx: Tx,
    source: SourceKey,
    target: Key,
    /,
    *,
    namespace: Annotated[Namespace | None, Token("DB")] = None,
    replace: Annotated[bool, Token("REPLACE")] = False,
) -> bool:
    """Copy what is at *source*, with its expiry, to *target*, in another *namespace* if one is named.

    False if there is no *source*, or if there is a *target* and no *replace*.
    """
    elsewhere = namespace is not None and namespace != tx.name
    if source == target and not elsewhere:
        raise InvalidArgument("source and destination objects are the same")
    entry = tx.find(source)
    taken = tx.exists_in(namespace, target) if namespace is not None and elsewhere else tx.exists(target)
    if entry is None or (taken and not replace):
        return False
    if namespace is not None and elsewhere:
        tx.key_copy(source, namespace, target)
        return True
    if entry.kind == SCALAR:
        tx.key_put(target, entry.value, entry.expires_ms)
    else:
        tx.key_load(target, entry.kind, entry.value.dump(), entry.expires_ms)
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


@command(READ | SLOW | SWEEPS, group="keys", since="0.1", cost="O(keys)", name="KEYS", method="all_keys")
def keys_(tx: Tx, pattern: Pattern, /) -> list[Name]:
    """Return all keys that fit *pattern*, at once: for small namespaces; `SCAN` is for all others."""
    return tx.all_keys() if pattern == b"*" else [key for key in tx.all_keys() if matches(pattern, key)]


def redis_page(page: ScanPage) -> tuple[str, list[Name]]:
    """A cursor of Redis is text."""
    return str(page.cursor), [key.encode("utf-8", "surrogateescape") for key in page.keys]


@command(
    READ | SLOW | SWEEPS,
    group="keys",
    since="0.1",
    cost="O(count), a sort of one shard after new keys came to it",
    views=(View("redis", redis_page),),
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
    goes. *count* is how many keys are looked at; *match* and *type* choose among those. The type `string` is that of
    every scalar.
    """
    following, keys = tx.scan(cursor, count)
    if match is not None:
        keys = [key for key in keys if matches(match, key)]
    if type is not None:
        wanted = type.lower()
        keys = [key for key in keys if has_type(tx, key, wanted)]
    return ScanPage(following, [text(key) for key in keys])


@command(READ | FAST | SWEEPS, group="keys", since="0.1", cost="O(shards)")
def dbsize(tx: Tx, /) -> int:
    """Return how many keys the namespace has."""
    return tx.count()


def has_type(tx: Tx, key: bytes, wanted: str) -> bool:
    """Whether what is at *key* is *wanted*, a type or, for any scalar, `string`."""
    found = type_(tx, key)
    return found == wanted or (wanted == "string" and found is not None and found not in COLLECTIONS)


def set_expiry(tx: Tx, key: bytes, expires_ms: int, where: Where) -> bool:
    entry = tx.find(key)
    if entry is None or not where.allow(entry.expires_ms, expires_ms):
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
