"""Taking the lowest or highest members out of sorted sets, at once or as soon as there are some.

Text clients say a time to wait as seconds, 0 for no end; natively it is an option, none for no end, 0 to try once. So
the words that wait are declared once for each door.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple

from kv_server.commands.turns import in_turn, until_filled
from kv_server.commands.zset_forms import AS_PAIRS, Scored, pair_of_one, scored, with_scores
from kv_server.engine.tx import Tx
from kv_server.model.entry import ZSET
from kv_server.model.ranking import Pair
from kv_server.spec.catalog import command
from kv_server.spec.command import BLOCKS, FAST, NATIVE_DOOR, RESP_DOOR, TAKES, WRITE, View
from kv_server.spec.types import Count, Counted, Float, Key, Name, Size, TakenKey, Timeout, Token, Unit

End = Literal["MIN", "MAX"]


class PoppedMember(NamedTuple):
    """A member taken out of a sorted set, with its score, and the key of that sorted set."""

    key: Key
    score: Float
    member: Name


class PoppedMembers(NamedTuple):
    """Members taken out of a sorted set, and its key."""

    key: Key
    items: list[Scored]


def member_then_score(popped: PoppedMember | None) -> tuple[Key, Name, Float] | None:
    return None if popped is None else (popped.key, popped.member, popped.score)


def key_and_pairs(popped: PoppedMembers | None) -> tuple[Key, list[tuple[Name, Float]]] | None:
    return None if popped is None else (popped.key, with_scores(popped.items))


SECONDS: Final = Unit(1000)
ONE: Final = (View("one", member_then_score),)
PAIRED: Final = (View("pairs", key_and_pairs),)


@command(
    WRITE | TAKES | FAST,
    group="zset",
    since="0.1",
    cost="O(log size * count)",
    views=(AS_PAIRS, View("one", pair_of_one, without="count")),
    handle="pop_lowest",
    event="zpopmin",
)
def zpopmin(tx: Tx, key: TakenKey, count: Size = 1, /) -> list[Scored]:
    """Take up to *count* members of the lowest scores out of the sorted set at *key* and return them, lowest first.

    >>> await client.zadd("board", {"ann": 70, "bob": 55, "cid": 90})
    3
    >>> await client.zpopmin("board")
    Scored(score=55.0, member='bob')
    >>> [each.member for each in await client.zpopmin("board", 5)]
    ['ann', 'cid']
    """
    return scored(pop(tx, key, "MIN", count))


@command(
    WRITE | TAKES | FAST,
    group="zset",
    since="0.1",
    cost="O(log size * count)",
    views=(AS_PAIRS, View("one", pair_of_one, without="count")),
    handle="pop_highest",
    event="zpopmax",
)
def zpopmax(tx: Tx, key: TakenKey, count: Size = 1, /) -> list[Scored]:
    """Take up to *count* members of the highest scores out of the sorted set at *key*; return them, highest first.

    >>> await client.zadd("board", {"ann": 70, "bob": 55})
    2
    >>> await client.zpopmax("board")
    Scored(score=70.0, member='ann')
    """
    return scored(pop(tx, key, "MAX", count))


@command(WRITE | TAKES, group="zset", since="0.1", cost="O(keys + log size * count)", views=PAIRED)
def zmpop(
    tx: Tx, keys: Counted[TakenKey], end: End, /, *, count: Annotated[Count, Token("COUNT")] = 1
) -> PoppedMembers | None:
    """Take up to *count* members out of the first of *keys* that has some, from its *end*; return key and members.

    >>> await client.zadd("low", {"ann": 70})
    1
    >>> await client.zmpop(["high", "low"], "MIN")
    PoppedMembers(key='low', items=[Scored(score=70.0, member='ann')])
    """
    return pop_first(tx, keys, end, count)


@command(
    WRITE | BLOCKS | TAKES | FAST,
    group="zset",
    since="0.1",
    cost="O(keys + log size)",
    doors=NATIVE_DOOR,
    handle="wait_pop_lowest",
    event="zpopmin",
)
def bzpopmin(tx: Tx, /, *keys: TakenKey, wait: Timeout | None = None) -> PoppedMember | None:
    """Take the lowest member out of the first of *keys* that has one; if none has, wait for one.

    It waits its turn at most *wait*, without end unless given; 0 tries once. Return it with its key, nothing if the
    time is over.

    >>> await client.zadd("jobs", {"a": 1, "b": 2})
    2
    >>> await client.bzpopmin("urgent", "jobs", wait=5)
    PoppedMember(key='jobs', score=1.0, member='a')
    >>> await client.sorted_set("jobs").wait_pop_lowest(wait=5)
    Scored(score=2.0, member='b')
    """
    return pop_one(tx, keys, "MIN", wait)


@command(
    WRITE | BLOCKS | TAKES | FAST, group="zset", since="0.1", cost="O(keys + log size)", name="BZPOPMIN",
    doors=RESP_DOOR, method=None, views=ONE,
    event="zpopmin",
)  # fmt: skip
def bzpopmin_on_resp(tx: Tx, /, *keys: TakenKey, timeout: Annotated[Timeout, SECONDS]) -> PoppedMember | None:
    """Take the lowest member out of the first of *keys* that has one, or wait; *timeout* 0 has no end."""
    return pop_one(tx, keys, "MIN", timeout or None)


@command(
    WRITE | BLOCKS | TAKES | FAST,
    group="zset",
    since="0.1",
    cost="O(keys + log size)",
    doors=NATIVE_DOOR,
    handle="wait_pop_highest",
    event="zpopmax",
)
def bzpopmax(tx: Tx, /, *keys: TakenKey, wait: Timeout | None = None) -> PoppedMember | None:
    """Take the highest member out of the first of *keys* that has one; otherwise as `BZPOPMIN`.

    >>> await client.zadd("jobs", {"a": 1, "b": 2})
    2
    >>> await client.bzpopmax("urgent", "jobs", wait=5)
    PoppedMember(key='jobs', score=2.0, member='b')
    >>> await client.sorted_set("jobs").wait_pop_highest(wait=5)
    Scored(score=1.0, member='a')
    """
    return pop_one(tx, keys, "MAX", wait)


@command(
    WRITE | BLOCKS | TAKES | FAST, group="zset", since="0.1", cost="O(keys + log size)", name="BZPOPMAX",
    doors=RESP_DOOR, method=None, views=ONE,
    event="zpopmax",
)  # fmt: skip
def bzpopmax_on_resp(tx: Tx, /, *keys: TakenKey, timeout: Annotated[Timeout, SECONDS]) -> PoppedMember | None:
    """Take the highest member out of the first of *keys* that has one, or wait; *timeout* 0 has no end."""
    return pop_one(tx, keys, "MAX", timeout or None)


@command(WRITE | BLOCKS | TAKES, group="zset", since="0.1", cost="O(keys + log size * count)", doors=NATIVE_DOOR)
def bzmpop(
    tx: Tx, keys: Counted[TakenKey], end: End, /, *, count: Count = 1, wait: Timeout | None = None
) -> PoppedMembers | None:
    """Take up to *count* members as `ZMPOP`; if none of *keys* has one, wait as `BZPOPMIN`, at most *wait*.

    >>> await client.zadd("jobs", {"a": 1, "b": 2})
    2
    >>> await client.bzmpop(["urgent", "jobs"], "MAX", wait=5)
    PoppedMembers(key='jobs', items=[Scored(score=2.0, member='b')])
    """
    return pop_or_wait(tx, keys, end, count, wait)


@command(
    WRITE | BLOCKS | TAKES, group="zset", since="0.1", cost="O(keys + log size * count)", name="BZMPOP",
    doors=RESP_DOOR, method=None, views=PAIRED,
)  # fmt: skip
def bzmpop_on_resp(
    tx: Tx,
    timeout: Annotated[Timeout, SECONDS],
    keys: Counted[TakenKey],
    end: End,
    /,
    *,
    count: Annotated[Count, Token("COUNT")] = 1,
) -> PoppedMembers | None:
    """Take up to *count* members as `ZMPOP`; if none of *keys* has one, wait for one; *timeout* 0 has no end."""
    return pop_or_wait(tx, keys, end, count, timeout or None)


def pop(tx: Tx, key: bytes, end: End, count: int) -> list[Pair]:
    """Take members out from one *end*."""
    size = tx.zset_len(key)
    count = min(count, size)
    taken = tx.zset_slice(key, 0, count) if end == "MIN" else tx.zset_slice(key, size - count, size)[::-1]
    if taken:
        tx.zset_drop(key, [member for _, member in taken])
    return taken


def pop_first(tx: Tx, keys: Sequence[bytes], end: End, count: int) -> PoppedMembers | None:
    """Take members out of the first of *keys* that has some."""
    for key in keys:
        if tx.zset_len(key):
            return PoppedMembers(key, scored(pop(tx, key, end, count)))
    return None


def pop_or_wait(tx: Tx, keys: Sequence[bytes], end: End, count: int, wait: int | None) -> PoppedMembers | None:
    """Take members out of the first of *keys* that has some, or wait for that."""
    popped = pop_first(tx, in_turn(tx, keys, ZSET), end, count)
    if popped is None and wait != 0:
        raise until_filled(keys, wait)
    return popped


def pop_one(tx: Tx, keys: Sequence[bytes], end: End, wait: int | None) -> PoppedMember | None:
    popped = pop_or_wait(tx, keys, end, 1, wait)
    return None if popped is None else PoppedMember(popped.key, *popped.items[0])
