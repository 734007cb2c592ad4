"""Sets: names without order, each once. A key that is absent is an empty set; a set without members is no key."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import OutOfRange
from kv_server.engine.rows import DELETED
from kv_server.engine.tx import Tx
from kv_server.model.entry import SET
from kv_server.model.glob import matches
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


@command(WRITE | GROWS | FAST, group="set", since="0.1", cost="O(members)")
def sadd(tx: Tx, key: Key, /, *members: Name) -> int:
    """Add *members* to the set at *key* and return how many were not there yet."""
    fresh = tx.set_which(key, members, there=False)
    if fresh:
        tx.set_add(key, fresh)
    return len(fresh)


@command(WRITE | FAST, group="set", since="0.1", cost="O(members)")
def srem(tx: Tx, key: Key, /, *members: Name) -> int:
    """Remove *members* from the set at *key* and return how many were there."""
    gone = tx.set_which(key, members, there=True)
    if gone:
        tx.set_remove(key, gone)
    return len(gone)


@command(READ | FAST, group="set", since="0.1", cost="O(1)")
def sismember(tx: Tx, key: SourceKey, member: Name, /) -> bool:
    """Tell whether *member* is in the set at *key*."""
    return tx.set_has(key, member)


@command(READ | FAST, group="set", since="0.1", cost="O(members)")
def smismember(tx: Tx, key: SourceKey, /, *members: Name) -> list[bool]:
    """Tell of each of *members* whether it is in the set at *key*."""
    return [tx.set_has(key, member) for member in members]


@command(READ, group="set", since="0.1", cost="O(size)", views=(AS_SET,))
def smembers(tx: Tx, key: SourceKey, /) -> list[Name]:
    """Return the members of the set at *key*, in no order that means anything."""
    return tx.set_members(key)


@command(READ | FAST, group="set", since="0.1", cost="O(1)")
def scard(tx: Tx, key: SourceKey, /) -> int:
    """Return how many members the set at *key* has."""
    return tx.set_len(key)


@command(WRITE | TAKES | FAST, group="set", since="0.1", cost="O(count)", views=(AS_SET, ONE))
def spop(tx: Tx, key: Key, count: Size = 1, /) -> list[Name]:
    """Take up to *count* random members out of the set at *key* and return them."""
    taken = tx.set_sample(key, count)
    if taken:
        tx.set_remove(key, taken)
    return taken


@command(READ, group="set", since="0.1", cost="O(count)", views=(View("several", several), ONE))
def srandmember(tx: Tx, key: SourceKey, count: Int = 1, /) -> list[Name]:
    """Return up to *count* random members of the set at *key*, all different.

    A negative *count* asks for exactly so many draws, among which a member may come again.
    """
    check_draws(count)
    return tx.set_sample(key, count) if count >= 0 else tx.set_draws(key, -count)


@command(WRITE | FAST, group="set", since="0.1", cost="O(1)")
def smove(tx: Tx, source: Key, target: Key, member: Name, /) -> bool:
    """Move *member* from the set at *source* to the one at *target*; False if it is not in *source*."""
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


@command(READ | SLOW, group="set", since="0.1", cost="O(smallest set * keys)", views=(AS_SET,))
def sinter(tx: Tx, /, *keys: SourceKey) -> list[Name]:
    """Return the members that the sets at all of *keys* have in common."""
    return tx.set_common(keys)


@command(READ | SLOW, group="set", since="0.1", cost="O(members of all)", views=(AS_SET,))
def sunion(tx: Tx, /, *keys: SourceKey) -> list[Name]:
    """Return every member of the sets at *keys*."""
    return tx.set_union(keys)


@command(READ | SLOW, group="set", since="0.1", cost="O(size of the first * keys)", views=(AS_SET,))
def sdiff(tx: Tx, key: SourceKey, /, *others: Annotated[SourceKey, OPTIONAL]) -> list[Name]:
    """Return the members of the set at *key* that none of the sets at *others* has."""
    return tx.set_rest(key, others)


@command(WRITE | GROWS | SLOW, group="set", since="0.1", cost="O(smallest set * keys)")
def sinterstore(tx: Tx, target: Key, /, *keys: SourceKey) -> int:
    """Store at *target* what `SINTER` would return, in the place of whatever is there, and return how many that are.

    Where nothing is left, *target* is deleted.
    """
    return store(tx, target, tx.set_common(keys))


@command(WRITE | GROWS | SLOW, group="set", since="0.1", cost="O(members of all)")
def sunionstore(tx: Tx, target: Key, /, *keys: SourceKey) -> int:
    """Store at *target* what `SUNION` would return, as `SINTERSTORE`."""
    return store(tx, target, tx.set_union(keys))


@command(WRITE | GROWS | SLOW, group="set", since="0.1", cost="O(size of the first * keys)")
def sdiffstore(tx: Tx, target: Key, key: SourceKey, /, *others: Annotated[SourceKey, OPTIONAL]) -> int:
    """Store at *target* what `SDIFF` would return, as `SINTERSTORE`."""
    return store(tx, target, tx.set_rest(key, others))


@command(READ | SLOW, group="set", since="0.1", cost="O(smallest set * keys)")
def sintercard(tx: Tx, keys: Counted[SourceKey], /, *, limit: Annotated[Size, Token("LIMIT")] = 0) -> int:
    """Return how many members the sets at all of *keys* have in common; with a *limit*, counting stops there."""
    return len(tx.set_common(keys, limit or None))


@command(READ, group="set", since="0.1", cost="O(count)", views=(View("page", page_of_members),))
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
    """
    following, members = tx.set_page(key, cursor, count)
    if match is not None:
        members = [member for member in members if matches(match, member)]
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
