"""Lists: values in order under one key, pushed and popped at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias

from kv_protocol.errors import InvalidArgument, NotFound, OutOfRange
from kv_server.commands.counters import INT64_MAX
from kv_server.commands.resp_views import AS_OK
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, RESP_DOOR, TAKES, WRITE, View
from kv_server.spec.types import Count, Counted, Int, Key, Size, SourceKey, TakenKey, Token, Value

LEFT: Final = "LEFT"
RIGHT: Final = "RIGHT"
End: TypeAlias = Literal["LEFT", "RIGHT"]
"""An end of a list."""

_NO_KEY: Final[list[bytes]] = []
"""What a pop finds where there is no list, which text clients tell from a pop of no elements."""


class Taken(NamedTuple):
    """Values taken off a list, and the key of that list."""

    key: Key
    values: list[Value]


def first(values: list[bytes]) -> Value | None:
    return values[0] if values else None


def taken(values: list[bytes]) -> list[Value] | None:
    return None if values is _NO_KEY else values


def place(places: list[int]) -> int | None:
    return places[0] if places else None


_AS_POPPED: Final = (View("one", first, without="count"), View("taken", taken))


@command(WRITE | GROWS | FAST, group="list", since="0.1", cost="O(values)", handle="push_left")
def lpush(tx: Tx, key: Key, /, *values: Value) -> int:
    """Add *values* at the left end, one after the other, and return the new length.

    >>> await client.lpush("jobs", "a", "b")
    2
    >>> await client.lrange("jobs", 0, -1)
    ['b', 'a']
    """
    return tx.list_add(key, True, values)


@command(WRITE | GROWS | FAST, group="list", since="0.1", cost="O(values)", handle="push_right")
def rpush(tx: Tx, key: Key, /, *values: Value) -> int:
    """Add *values* at the right end and return the new length.

    >>> await client.rpush("jobs", "a", {"n": 1})
    2
    >>> await client.lrange("jobs", 0, -1)
    ['a', {'n': 1}]
    """
    return tx.list_add(key, False, values)


@command(WRITE | GROWS | FAST, group="list", since="0.1", cost="O(values)", handle="push_left_if_there")
def lpushx(tx: Tx, key: Key, /, *values: Value) -> int:
    """Add *values* as `LPUSH`, but only to a list that exists; return the new length, 0 if there is none.

    >>> await client.lpushx("jobs", "a")
    0
    """
    return tx.list_add(key, True, values) if tx.list_len(key) else 0


@command(WRITE | GROWS | FAST, group="list", since="0.1", cost="O(values)", handle="push_right_if_there")
def rpushx(tx: Tx, key: Key, /, *values: Value) -> int:
    """Add *values* as `RPUSH`, but only to a list that exists; return the new length, 0 if there is none.

    >>> await client.rpush("jobs", "a"), await client.rpushx("jobs", "b")
    (1, 2)
    """
    return tx.list_add(key, False, values) if tx.list_len(key) else 0


@command(WRITE | TAKES | FAST, group="list", since="0.1", cost="O(count)", views=_AS_POPPED, handle="pop_left")
def lpop(tx: Tx, key: TakenKey, count: Size | None = None, /) -> list[Value]:
    """Take *count* values (1 unless given) off the left end and return them; fewer if there are fewer.

    With the last value goes the key.

    >>> await client.rpush("jobs", "a", "b", "c")
    3
    >>> await client.lpop("jobs")
    'a'
    >>> await client.lpop("jobs", 5)
    ['b', 'c']
    >>> await client.lpop("jobs", default="no job")
    'no job'
    """
    return pop(tx, key, True, count)


@command(WRITE | TAKES | FAST, group="list", since="0.1", cost="O(count)", views=_AS_POPPED, handle="pop_right")
def rpop(tx: Tx, key: TakenKey, count: Size | None = None, /) -> list[Value]:
    """Take *count* values (1 unless given) off the right end and return them, the last one first; as `LPOP`.

    >>> await client.rpush("jobs", "a", "b", "c")
    3
    >>> await client.rpop("jobs"), await client.rpop("jobs", 2)
    ('c', ['b', 'a'])
    """
    return pop(tx, key, False, count)


@command(READ | FAST, group="list", since="0.1", cost="O(1)", handle="size")
def llen(tx: Tx, key: SourceKey, /) -> int:
    """Return how many values the list at *key* has; 0 if there is none.

    >>> await client.rpush("jobs", "a", "b")
    2
    >>> await client.llen("jobs")
    2
    """
    return tx.list_len(key)


@command(READ, group="list", since="0.1", cost="O(values)", handle="range")
def lrange(tx: Tx, key: SourceKey, start: Int, stop: Int, /) -> list[Value]:
    """Return the values from *start* to *stop*, both included. Negative places count from the end.

    >>> await client.rpush("jobs", "a", "b", "c")
    3
    >>> await client.lrange("jobs", 0, 1), await client.lrange("jobs", -1, -1)
    (['a', 'b'], ['c'])
    """
    begin, end = span(tx.list_len(key), start, stop)
    return tx.list_part(key, begin, end)


@command(READ | FAST, group="list", since="0.1", cost="O(1)", handle="get")
def lindex(tx: Tx, key: SourceKey, index: Int, /) -> Value | None:
    """Return the value at *index*, from the end if that is negative; nothing beyond either end.

    >>> await client.rpush("jobs", "a", "b")
    2
    >>> await client.lindex("jobs", -1), await client.lindex("jobs", 9, default="none")
    ('b', 'none')
    """
    return tx.list_at(key, index)


@command(WRITE | GROWS | FAST, group="list", since="0.1", cost="O(1)", views=(AS_OK,), handle="set")
def lset(tx: Tx, key: Key, index: Int, value: Value, /) -> None:
    """Put *value* in the place of the one at *index*; fails beyond either end, or if there is no list.

    >>> await client.rpush("jobs", "a", "b")
    2
    >>> await client.lset("jobs", 0, "z")
    >>> await client.lrange("jobs", 0, -1)
    ['z', 'b']
    """
    length = tx.list_len(key)
    if not length:
        raise NotFound("no such key")
    if not -length <= index < length:
        raise OutOfRange("index out of range")
    tx.list_set(key, index + length if index < 0 else index, value)


@command(WRITE | GROWS, group="list", since="0.1", cost="O(length)", handle="insert")
def linsert(tx: Tx, key: Key, where: Literal["BEFORE", "AFTER"], pivot: Value, value: Value, /) -> int:
    """Add *value* before or after the first *pivot*, and return the new length.

    -1 if there is no such value, 0 if there is no list.

    >>> await client.rpush("jobs", "a", "c")
    2
    >>> await client.linsert("jobs", "BEFORE", "c", "b")
    3
    """
    length = tx.list_len(key)
    found = tx.list_places(key, pivot, backward=False, most=length, skip=0, count=1)
    if not found:
        return -1 if length else 0
    tx.list_insert(key, found[0] + (where == "AFTER"), value)
    return length + 1


@command(WRITE, group="list", since="0.1", cost="O(length)", handle="remove")
def lrem(tx: Tx, key: Key, count: Int, value: Value, /) -> int:
    """Take out the first *count* values that equal *value*, the last ones if negative, all if 0; return how many.

    >>> await client.rpush("jobs", "a", "b", "a")
    3
    >>> await client.lrem("jobs", 0, "a")
    2
    """
    found = tx.list_places(key, value, backward=count < 0, most=tx.list_len(key), skip=0, count=1)
    return tx.list_remove(key, value, count < 0, abs(count)) if found else 0


@command(WRITE, group="list", since="0.1", cost="O(values taken out)", views=(AS_OK,), handle="trim")
def ltrim(tx: Tx, key: Key, start: Int, stop: Int, /) -> None:
    """Keep the values from *start* to *stop* alone, as `LRANGE` counts; if that is none, the key goes.

    >>> await client.rpush("log", 1, 2, 3, 4)
    4
    >>> await client.ltrim("log", -2, -1)
    >>> await client.lrange("log", 0, -1)
    [3, 4]
    """
    length = tx.list_len(key)
    begin, end = span(length, start, stop)
    if end - begin < length:
        tx.list_trim(key, begin, end)


@command(
    READ, group="list", since="0.1", cost="O(length)", views=(View("place", place, without="count"),), handle="find"
)
def lpos(
    tx: Tx,
    key: SourceKey,
    value: Value,
    /,
    *,
    rank: Annotated[Int, Token("RANK")] = 1,
    count: Annotated[Int | None, Token("COUNT")] = None,
    max_length: Annotated[Int, Token("MAXLEN")] = 0,
) -> list[int]:
    """Return the places of the values that equal *value*: *count* of them (1 unless given, 0: all).

    Begin with match number *rank*; negative: count matches from the end. Look at *max_length* values (0: all).

    >>> await client.rpush("jobs", "a", "b", "a")
    3
    >>> await client.lpos("jobs", "a"), await client.lpos("jobs", "a", count=0)
    (0, [0, 2])
    """
    if not rank:
        raise InvalidArgument(
            "RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
            "or use negative to start from the end of the list"
        )
    if rank < -INT64_MAX:
        raise InvalidArgument(f"value is out of range, value must between -{INT64_MAX} and {INT64_MAX}")
    if count is not None and count < 0:
        raise InvalidArgument("COUNT can't be negative")
    if max_length < 0:
        raise InvalidArgument("MAXLEN can't be negative")
    wanted = 1 if count is None else count or None
    most = max_length or tx.list_len(key)
    return tx.list_places(key, value, backward=rank < 0, most=most, skip=abs(rank) - 1, count=wanted)


@command(WRITE | TAKES | GROWS | FAST, group="list", since="0.1", cost="O(1)", handle="move")
def lmove(tx: Tx, source: TakenKey, target: Key, take: End, give: End, /) -> Value | None:
    """Take a value off the *take* end of *source*, add it at the *give* end of *target*, and return it.

    Nothing is returned, and nothing done, if there is no *source*. The two may be one list.

    >>> await client.rpush("waiting", "a", "b")
    2
    >>> await client.lmove("waiting", "running", "LEFT", "RIGHT")
    'a'
    """
    return shift(tx, source, target, take, give)


@command(WRITE | TAKES | GROWS | FAST, group="list", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def rpoplpush(tx: Tx, source: TakenKey, target: Key, /) -> Value | None:
    """Move a value from the right end of *source* to the left of *target*: the older word for `LMOVE`."""
    return shift(tx, source, target, RIGHT, LEFT)


@command(WRITE | TAKES, group="list", since="0.1", cost="O(keys + count)")
def lmpop(
    tx: Tx, keys: Counted[TakenKey], take: End, /, *, count: Annotated[Count, Token("COUNT")] = 1
) -> Taken | None:
    """Take *count* values, or as many as there are, off one end of the first of *keys* that holds a list.

    Return them with that key; nothing if none of *keys* exists.

    >>> await client.rpush("low", "a", "b")
    2
    >>> await client.lmpop(["high", "low"], "LEFT", count=5)
    Taken(key='low', values=['a', 'b'])
    """
    return pop_first(tx, keys, take, count)


def pop(tx: Tx, key: bytes, left: bool, count: int | None) -> list[bytes]:
    if not tx.list_len(key):
        return _NO_KEY
    return [] if count == 0 else tx.list_pop(key, left, 1 if count is None else count)


def pop_first(tx: Tx, keys: Sequence[bytes], end: str, count: int) -> Taken | None:
    """Pop from the first of *keys* that holds a list."""
    for key in keys:
        if tx.list_len(key):
            return Taken(key, tx.list_pop(key, end == LEFT, count))
    return None


def shift(tx: Tx, source: bytes, target: bytes, take: str, give: str) -> bytes | None:
    """Move one value, if there is one."""
    length = tx.list_len(source)
    if not length:
        return None
    tx.list_len(target)  # refuses another type before anything is taken
    if source == target and length == 1:
        value = tx.list_part(source, 0, 1)[0]
        tx.list_push(source, give == LEFT, value)  # taking it first would end the key, and its expiry
        tx.list_pop(source, take == LEFT, 1)
        return value
    (value,) = tx.list_pop(source, take == LEFT, 1)
    tx.list_push(target, give == LEFT, value)
    return value


def span(length: int, start: int, stop: int) -> tuple[int, int]:
    """Where the places from *start* to *stop*, both included, begin and end in a list of *length*."""
    begin = max(start + length if start < 0 else start, 0)
    end = min(stop + length if stop < 0 else stop, length - 1) + 1
    return (begin, end) if begin < end else (0, 0)
