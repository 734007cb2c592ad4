"""Sets: names without order, each once. A key that is absent is an empty set; a set without members is no key."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import OutOfRange
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.entry import SET
from kv_server.model.glob import matcher
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, SLOW, TAKES, WRITE, View
from kv_server.spec.types import (
    OPTIONAL,
    Count,
    Counted,
    Cursor,
    Int,
    Key,
    Name,
    Octets,
    Pattern,
    Size,
    SourceKey,
    TakenKey,
    Token,
)  # fmt: skip

DEFAULT_PAGE: Final = 10
MOST_DRAWS: Final = 1_048_576
"""Of one call: draws with repetition have no natural end."""


class MemberPage(NamedTuple):
    """One page of a walk over a set; `cursor` 0 says that the walk is complete."""

    cursor: int
    members: list[Name]


def as_set(members: list[bytes]) -> set[Name]:
    return members  # type: ignore[return-value]


def one(members: list[bytes]) -> Name | None:
    return members[0] if members else None


def several(members: list[bytes]) -> list[Name]:
    return members


def page_of_members(page: MemberPage) -> tuple[Octets, list[Name]]:
    """Text clients get cursors as text."""
    return b"%d" % page.cursor, page.members


AS_SET: Final = View("set", as_set)
ONE: Final = View("one", one, without="count")


@command(WRITE | GROWS | FAST, group="set", since="0.1", cost="O(members)", handle="add")
def sadd(tx: Tx, key: Key, /, *members: Name) -> int:
    """Add *members* to the set at *key* and return how many were not there yet.

    >>> await client.sadd("tags", "red", "blue"), await client.sadd("tags", "red")
    (2, 0)
    """
    fresh = tx.set_which(key, members, False)
    if fresh:
        tx.set_add(key, fresh)
    return len(fresh)


@command(WRITE | FAST, group="set", since="0.1", cost="O(members)", handle="remove")
def srem(tx: Tx, key: Key, /, *members: Name) -> int:
    """Remove *members* from the set at *key* and return how many were there.

    >>> await client.sadd("tags", "red", "blue")
    2
    >>> await client.srem("tags", "red", "absent")
    1
    """
    gone = tx.set_which(key, members, True)
    if gone:
        tx.set_remove(key, gone)
    return len(gone)


@command(READ | FAST, group="set", since="0.1", cost="O(1)", handle="has")
def sismember(tx: Tx, key: SourceKey, member: Name, /) -> bool:
    """Tell whether *member* is in the set at *key*.

    >>> await client.sadd("tags", "red")
    1
    >>> await client.sismember("tags", "red"), await client.sismember("tags", "blue")
    (True, False)
    """
    return tx.set_has(key, member)


@command(READ | FAST, group="set", since="0.1", cost="O(members)", handle="has_many")
def smismember(tx: Tx, key: SourceKey, /, *members: Name) -> list[bool]:
    """Tell of each of *members* whether it is in the set at *key*.

    >>> await client.sadd("tags", "red")
    1
    >>> await client.smismember("tags", "red", "blue")
    [True, False]
    """
    return [tx.set_has(key, member) for member in members]


@command(READ, group="set", since="0.1", cost="O(size)", views=(AS_SET,), handle="members")
def smembers(tx: Tx, key: SourceKey, /) -> list[Name]:
    """Return the members of the set at *key*, in no order that means anything.

    >>> await client.sadd("tags", "red", "blue")
    2
    >>> await client.smembers("tags") == {"red", "blue"}
    True
    """
    return tx.set_members(key)


@command(READ | FAST, group="set", since="0.1", cost="O(1)", handle="size")
def scard(tx: Tx, key: SourceKey, /) -> int:
    """Return how many members the set at *key* has.

    >>> await client.sadd("tags", "red", "blue")
    2
    >>> await client.scard("tags")
    2
    """
    return tx.set_len(key)


@command(
    WRITE | TAKES | FAST, group="set", since="0.1", cost="O(count)", views=(AS_SET, ONE), handle="pop",
    event="spop",
)  # fmt: skip
def spop(tx: Tx, key: TakenKey, count: Size = 1, /) -> list[Name]:
    """Take up to *count* random members out of the set at *key* and return them.

    >>> await client.sadd("tags", "red")
    1
    >>> await client.spop("tags"), await client.spop("tags")
    ('red', None)
    >>> await client.spop("tags", 3)
    set()
    """
    taken = tx.set_sample(key, count)
    if taken:
        tx.set_remove(key, taken)
    return taken


@command(READ, group="set", since="0.1", cost="O(count)", views=(View("several", several), ONE), handle="random")
def srandmember(tx: Tx, key: SourceKey, count: Int = 1, /) -> list[Name]:
    """Return up to *count* random members of the set at *key*, all different.

    A negative *count* asks for exactly so many draws, among which a member may come again.

    >>> await client.sadd("tags", "red")
    1
    >>> await client.srandmember("tags"), await client.srandmember("tags", -2)
    ('red', ['red', 'red'])
    """
    check_draws(count)
    return tx.set_sample(key, count) if count >= 0 else tx.set_draws(key, -count)


@command(WRITE | FAST, group="set", since="0.1", cost="O(1)", handle="move")
def smove(tx: Tx, source: TakenKey, target: Key, member: Name, /) -> bool:
    """Move *member* from the set at *source* to the one at *target*; False if it is not in *source*.

    >>> await client.sadd("waiting", "ann")
    1
    >>> await client.smove("waiting", "playing", "ann"), await client.smove("waiting", "playing", "bob")
    (True, False)
    """
    if not tx.set_len(source):
        return False
    known = tx.set_has(target, member)
    if not tx.set_has(source, member):
        return False
    if source != target:
        tx.set_remove(source, (member,))
        if not known:
            tx.set_add(target, (member,))
    return True


@command(READ | SLOW, group="set", since="0.1", cost="O(smallest set * keys)", views=(AS_SET,), handle="intersection")
def sinter(tx: Tx, /, *keys: SourceKey) -> list[Name]:
    """Return the members that the sets at all of *keys* have in common.

    >>> await client.sadd("ann", "red", "blue"), await client.sadd("bob", "blue", "green")
    (2, 2)
    >>> await client.sinter("ann", "bob")
    {'blue'}
    """
    return tx.set_common(keys)


@command(READ | SLOW, group="set", since="0.1", cost="O(members of all)", views=(AS_SET,), handle="union")
def sunion(tx: Tx, /, *keys: SourceKey) -> list[Name]:
    """Return every member of the sets at *keys*.

    >>> await client.sadd("ann", "red"), await client.sadd("bob", "blue")
    (1, 1)
    >>> sorted(await client.sunion("ann", "bob"))
    ['blue', 'red']
    """
    return tx.set_union(keys)


@command(
    READ | SLOW, group="set", since="0.1", cost="O(size of the first * keys)", views=(AS_SET,), handle="difference"
)
def sdiff(tx: Tx, key: SourceKey, /, *others: Annotated[SourceKey, OPTIONAL]) -> list[Name]:
    """Return the members of the set at *key* that none of the sets at *others* has.

    >>> await client.sadd("ann", "red", "blue"), await client.sadd("bob", "blue", "green")
    (2, 2)
    >>> await client.sdiff("ann", "bob")
    {'red'}
    """
    return tx.set_rest(key, others)


@command(
    WRITE | GROWS | SLOW, group="set", since="0.1", cost="O(smallest set * keys)", handle="store_intersection",
    event="sinterstore",
)  # fmt: skip
def sinterstore(tx: Tx, target: Key, /, *keys: SourceKey) -> int:
    """Store at *target* what `SINTER` would return, in the place of whatever is there, and return how many that are.

    Where nothing is left, *target* is deleted.

    >>> await client.sadd("ann", "red", "blue"), await client.sadd("bob", "blue", "green")
    (2, 2)
    >>> await client.sinterstore("both", "ann", "bob")
    1
    """
    return store(tx, target, tx.set_common(keys))


@command(
    WRITE | GROWS | SLOW, group="set", since="0.1", cost="O(members of all)", handle="store_union",
    event="sunionstore",
)  # fmt: skip
def sunionstore(tx: Tx, target: Key, /, *keys: SourceKey) -> int:
    """Store at *target* what `SUNION` would return, as `SINTERSTORE`.

    >>> await client.sadd("ann", "red", "blue"), await client.sadd("bob", "blue", "green")
    (2, 2)
    >>> await client.sunionstore("any", "ann", "bob")
    3
    """
    return store(tx, target, tx.set_union(keys))


@command(
    WRITE | GROWS | SLOW, group="set", since="0.1", cost="O(size of the first * keys)", handle="store_difference",
    event="sdiffstore",
)  # fmt: skip
def sdiffstore(tx: Tx, target: Key, key: SourceKey, /, *others: Annotated[SourceKey, OPTIONAL]) -> int:
    """Store at *target* what `SDIFF` would return, as `SINTERSTORE`.

    >>> await client.sadd("ann", "red", "blue"), await client.sadd("bob", "blue", "green")
    (2, 2)
    >>> await client.sdiffstore("only", "ann", "bob")
    1
    """
    return store(tx, target, tx.set_rest(key, others))


@command(READ | SLOW, group="set", since="0.1", cost="O(smallest set * keys)", handle="intersection_size")
def sintercard(tx: Tx, keys: Counted[SourceKey], /, *, limit: Annotated[Size, Token("LIMIT")] = 0) -> int:
    """Return how many members the sets at all of *keys* have in common; with a *limit*, counting stops there.

    >>> await client.sadd("ann", "red", "blue"), await client.sadd("bob", "blue", "green")
    (2, 2)
    >>> await client.sintercard(["ann", "bob"], limit=10)
    1
    """
    return len(tx.set_common(keys, limit or None))


@command(READ, group="set", since="0.1", cost="O(count)", views=(View("page", page_of_members),), handle="scan")
def sscan(
    tx: Tx,
    key: SourceKey,
    cursor: Cursor,
    /,
    *,
    match: Annotated[Pattern | None, Token("MATCH")] = None,
    count: Annotated[Count, Token("COUNT")] = DEFAULT_PAGE,
) -> MemberPage:
    """Return a page of members and the cursor of the next page; begin with cursor 0, end when it comes back as 0.

    A member that is there from the beginning to the end of a walk is met at least once, and may be met again only if
    others were removed meanwhile. *count* is how many are looked at; *match* chooses among those.

    >>> await client.sadd("tags", "red", "blue")
    2
    >>> await client.sscan("tags", 0, match="r*", count=100)
    MemberPage(cursor=0, members=['red'])
    >>> sorted([member async for member in client.set_of("tags").scan()])
    ['blue', 'red']
    """
    following, members = tx.set_page(key, cursor, count)
    if match is not None:
        members = list(filter(matcher(match), members))
    return MemberPage(following, members)


def store(tx: Tx, target: bytes, members: list[bytes]) -> int:
    """Let *target* be the set of *members*."""
    if members:
        tx.key_load(target, SET, members, 0)
    elif tx.exists(target):
        tx.key_drop(target, DELETED)
    return len(members)


def check_draws(count: int) -> None:
    if count < -MOST_DRAWS:
        raise OutOfRange("value is out of range", {"limit": MOST_DRAWS})
