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
from kv_server.model.glob import matcher, seeking
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, SLOW, SWEEPS, WRITE, View
from kv_server.spec.resp_kinds import Simple
from kv_server.spec.types import (
    NATIVE,
    TELLS,
    Count,
    Cursor,
    Duration,
    Key,
    Name,
    Namespace,
    Pattern,
    SourceKey,
    TakenKey,
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


ALWAYS: Final = Where(False, False, False, False)


@command(WRITE | FAST, group="keys", since="0.1", cost="O(keys)", name="DEL", aliases=("UNLINK",))
def delete(
    tx: Tx,
    /,
    *keys: Key,
    if_version: Annotated[Version | None, NATIVE, TELLS] = None,
    if_value: Annotated[Value | None, NATIVE, TELLS] = None,
) -> int:
    """Delete *keys* and return how many there were.

    With a condition there must be one key; one that does not hold fails the call and tells the entry as it is.

    >>> version = await client.mset({"a": 1, "b": 2})
    >>> await client.delete("a", "b", "absent")
    2
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
    """Return how many of *keys* exist; one given twice counts twice.

    >>> version = await client.set("a", 1)
    >>> await client.exists("a", "absent")
    1
    """
    return sum([tx.exists(key) for key in keys])


def redis_type(kind: str | None) -> Simple:
    """As Redis tells types: every scalar is a string."""
    return Simple(b"none" if kind is None else kind.encode() if kind in COLLECTIONS else b"string")


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", views=(View("redis", redis_type),))
def type_(tx: Tx, key: SourceKey, /) -> str | None:
    """Return the type of what is at *key*, as values know it; nothing if there is none.

    >>> version = await client.set("a", 1.5)
    >>> await client.type("a"), await client.type("absent")
    ('float', None)
    """
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
    handle="expire",
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

    >>> version = await client.set("a", 1)
    >>> await client.expire("a", 60), await client.expire("a", 30, if_longer=True)
    (True, False)
    """
    return set_expiry(tx, key, tx.now_ms + ttl, Where(if_new, if_expiring, if_longer, if_shorter))


@command(
    WRITE | FAST,
    group="keys",
    since="0.1",
    cost="O(1)",
    doors=NATIVE_DOOR,
    exclusive=(("if_new", "if_expiring"), ("if_longer", "if_shorter")),
    handle="expire_at",
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
    """Let *key* expire at *time*, as `EXPIRE`; a time that has passed deletes it.

    >>> version = await client.set("a", 1)
    >>> await client.expireat("a", datetime(2100, 1, 1, tzinfo=UTC))
    True
    >>> await client.expiretime("a")
    datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return set_expiry(tx, key, max(time, 1), Where(if_new, if_expiring, if_longer, if_shorter))


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", doors=NATIVE_DOOR, handle="ttl")
def ttl(tx: Tx, key: SourceKey, /) -> Duration | None:
    """Return the time *key* has left, nothing if it never expires; fails if there is no such key.

    >>> version = await client.set("a", 1, ttl=3600)
    >>> round((await client.ttl("a") or 0) / 60)
    60
    """
    expires_ms = expiry_of(tx, key)
    return expires_ms - tx.now_ms if expires_ms else None


@command(READ | FAST, group="keys", since="0.1", cost="O(1)", doors=NATIVE_DOOR, handle="expires_at")
def expiretime(tx: Tx, key: SourceKey, /) -> Time | None:
    """Return the time at which *key* expires, nothing if it never does; fails if there is no such key.

    >>> version = await client.set("a", 1, expires_at=datetime(2100, 1, 1, tzinfo=UTC))
    >>> await client.expiretime("a")
    datetime.datetime(2100, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return expiry_of(tx, key) or None


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", handle="persist")
def persist(tx: Tx, key: Key, /) -> bool:
    """Let *key* never expire; False if there is no such key or it would not have expired.

    >>> version = await client.set("a", 1, ttl=60)
    >>> await client.persist("a"), await client.ttl("a")
    (True, None)
    """
    return tx.exists(key) and change_expiry(tx, key, 0)


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)", views=(AS_OK,))
def rename(tx: Tx, source: TakenKey, target: Key, /) -> None:
    """Give what is at *source* the name *target*, in the place of whatever is there; fails if there is no *source*.

    >>> version = await client.set("draft", "text")
    >>> await client.rename("draft", "final")
    >>> await client.get("final")
    'text'
    """
    require(tx, source)
    if source != target:
        tx.key_move(source, tx.name, target)


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def renamenx(tx: Tx, source: TakenKey, target: Key, /) -> bool:
    """Rename *source* to *target* unless there is a *target*; fails if there is no *source*.

    >>> version = await client.mset({"draft": 1, "final": 2})
    >>> await client.renamenx("draft", "final"), await client.renamenx("draft", "other")
    (False, True)
    """
    require(tx, source)
    if tx.exists(target):
        return False
    tx.key_move(source, tx.name, target)
    return True


@command(WRITE | GROWS, group="keys", since="0.1", cost="O(size)", event="copy_to")
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

    >>> version = await client.set("a", 1)
    >>> await client.copy("a", "b"), await client.copy("a", "b"), await client.copy("a", "b", replace=True)
    (True, False, True)
    """
    elsewhere = namespace is not None and namespace != tx.name
    if source == target and not elsewhere:
        raise InvalidArgument("source and destination objects are the same")
    entry = tx.find(source)
    taken = tx.exists_in(namespace, target) if namespace is not None and elsewhere else tx.exists(target)
    if entry is None or (taken and not replace):
        return False
    tx.afford(entry.bytes, namespace if elsewhere and not taken else None)
    if entry.kind == SCALAR and not elsewhere:
        tx.key_put(target, entry.value, entry.expires_ms)
    else:
        tx.key_copy(source, tx.name if namespace is None else namespace, target)
    return True


@command(WRITE | FAST, group="keys", since="0.1", cost="O(1)")
def move(tx: Tx, key: TakenKey, namespace: Namespace, /) -> bool:
    """Move *key* to another *namespace*; False if there is no such key, or one of its name there.

    >>> version = await client.set("a", 1)
    >>> await client.move("a", "archive"), await client.exists("a")
    (True, 0)
    """
    if namespace == tx.name:
        raise InvalidArgument("source and destination objects are the same")
    if not tx.exists(key) or tx.exists_in(namespace, key):
        return False
    entry = tx.find(key)
    tx.afford(entry.bytes if entry is not None else 0, namespace)
    tx.key_move(key, namespace, key)
    return True


@command(READ | SWEEPS, group="keys", since="0.1", cost="O(shards)")
def randomkey(tx: Tx, /) -> Key | None:
    """Return a key, each as likely as any other; nothing if the namespace is empty.

    >>> version = await client.set("only", 1)
    >>> await client.randomkey()
    'only'
    """
    return tx.random_key()


@command(READ | SLOW | SWEEPS, group="keys", since="0.1", cost="O(keys)", name="KEYS", method="all_keys")
def keys_(tx: Tx, pattern: Pattern, /) -> list[Name]:
    """Return all keys that fit *pattern*, at once: for small namespaces; `SCAN` is for all others.

    >>> version = await client.mset({"user:1": 1, "user:2": 2, "other": 3})
    >>> sorted(await client.all_keys("user:*"))
    ['user:1', 'user:2']
    """
    return tx.slowly(lambda: seeking(pattern, tx.all_keys()))


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

    >>> version = await client.mset({"user:1": 1, "user:2": 2, "other": 3})
    >>> page = await client.scan(0, match="user:*", count=100)
    >>> page.cursor, sorted(page.keys)
    (0, ['user:1', 'user:2'])
    >>> sorted([key async for key in client.keys("user:*")])
    ['user:1', 'user:2']
    """
    following, keys = tx.scan(cursor, count)
    if match is not None:
        keys = list(filter(matcher(match), keys))
    if type is not None:
        wanted = type.lower()
        keys = [key for key in keys if has_type(tx, key, wanted)]
    return ScanPage(following, [text(key) for key in keys])


@command(READ | FAST | SWEEPS, group="keys", since="0.1", cost="O(shards)")
def dbsize(tx: Tx, /) -> int:
    """Return how many keys the namespace has.

    >>> version = await client.mset({"a": 1, "b": 2})
    >>> await client.dbsize()
    2
    """
    return tx.count()


def has_type(tx: Tx, key: bytes, wanted: str) -> bool:
    """Whether what is at *key* is *wanted*, a type or, for any scalar, `string`."""
    found = type_(tx, key)
    return found == wanted or (wanted == "string" and found is not None and found not in COLLECTIONS)


def set_expiry(tx: Tx, key: bytes, expires_ms: int, where: Where) -> bool:
    entry = tx.find(key)
    if entry is None or (where is not ALWAYS and not where.allow(entry.expires_ms, expires_ms)):
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
