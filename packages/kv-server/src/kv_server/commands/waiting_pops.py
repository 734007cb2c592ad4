"""Pops that wait until there is something to pop: in the order of asking, one value to one caller.

Text clients say a time to wait as seconds, 0 for no end, at a place that differs from word to word; natively it is an
option, none for no end, 0 to try once. So these words are declared once for each door.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_server.commands.lists import LEFT, RIGHT, End, Taken, pop_first, shift
from kv_server.commands.turns import in_turn, until_filled
from kv_server.engine.tx import Tx
from kv_server.model.entry import LIST
from kv_server.spec.catalog import command
from kv_server.spec.command import BLOCKS, GROWS, NATIVE_DOOR, RESP_DOOR, TAKES, WRITE, View
from kv_server.spec.resp_kinds import NIL_ARRAY
from kv_server.spec.spelled import resp_value
from kv_server.spec.types import NATIVE, Count, Counted, Key, TakenKey, Timeout, Token, Unit, Value

SECONDS: Final = Unit(1000)


class Popped(NamedTuple):
    """A value taken off a list, and the key of that list."""

    key: Key
    value: Value


def moved(value: bytes | None) -> object:
    """What was moved; where time was over, Redis says so with an array."""
    return NIL_ARRAY if value is None else resp_value(value)


@command(WRITE | BLOCKS | TAKES, group="list", since="0.1", cost="O(keys)", doors=NATIVE_DOOR, handle="wait_pop_left")
def blpop(tx: Tx, /, *keys: TakenKey, wait: Annotated[Timeout | None, NATIVE] = None) -> Popped | None:
    """Take a value off the left end of the first of *keys* that holds a list; if none does, wait for one.

    It waits its turn at most *wait*, without end unless given; 0 tries once. Return the value with its key, nothing
    if the time is over.

    >>> await client.rpush("jobs", "a", "b")
    2
    >>> await client.blpop("urgent", "jobs", wait=5)
    Popped(key='jobs', value='a')
    >>> await client.list("jobs").wait_pop_left(wait=5)
    'b'
    """
    return pop_one(tx, keys, LEFT, wait)


@command(WRITE | BLOCKS | TAKES, group="list", since="0.1", cost="O(keys)", name="BLPOP", doors=RESP_DOOR, method=None)
def blpop_on_resp(tx: Tx, /, *keys: TakenKey, timeout: Annotated[Timeout, SECONDS]) -> Popped | None:
    """Take a value off the left end of the first of *keys* that holds a list, or wait; *timeout* 0 has no end."""
    return pop_one(tx, keys, LEFT, timeout or None)


@command(WRITE | BLOCKS | TAKES, group="list", since="0.1", cost="O(keys)", doors=NATIVE_DOOR, handle="wait_pop_right")
def brpop(tx: Tx, /, *keys: TakenKey, wait: Annotated[Timeout | None, NATIVE] = None) -> Popped | None:
    """Take a value off the right end of the first of *keys* that holds a list; otherwise as `BLPOP`.

    >>> await client.rpush("jobs", "a", "b")
    2
    >>> await client.brpop("urgent", "jobs", wait=5)
    Popped(key='jobs', value='b')
    >>> await client.list("jobs").wait_pop_right(wait=5)
    'a'
    """
    return pop_one(tx, keys, RIGHT, wait)


@command(WRITE | BLOCKS | TAKES, group="list", since="0.1", cost="O(keys)", name="BRPOP", doors=RESP_DOOR, method=None)
def brpop_on_resp(tx: Tx, /, *keys: TakenKey, timeout: Annotated[Timeout, SECONDS]) -> Popped | None:
    """Take a value off the right end of the first of *keys* that holds a list, or wait; *timeout* 0 has no end."""
    return pop_one(tx, keys, RIGHT, timeout or None)


@command(WRITE | BLOCKS | TAKES, group="list", since="0.1", cost="O(keys + count)", doors=NATIVE_DOOR)
def blmpop(
    tx: Tx,
    keys: Counted[TakenKey],
    take: End,
    /,
    *,
    count: Annotated[Count, NATIVE] = 1,
    wait: Annotated[Timeout | None, NATIVE] = None,
) -> Taken | None:
    """Take *count* values as `LMPOP`; if none of *keys* holds a list, wait for one, at most *wait* (as `BLPOP`).

    >>> await client.rpush("jobs", "a", "b", "c")
    3
    >>> await client.blmpop(["urgent", "jobs"], "RIGHT", count=2, wait=5)
    Taken(key='jobs', values=['c', 'b'])
    """
    return pop_several(tx, keys, take, count, wait)


@command(
    WRITE | BLOCKS | TAKES, group="list", since="0.1", cost="O(keys + count)", name="BLMPOP", doors=RESP_DOOR,
    method=None,
)  # fmt: skip
def blmpop_on_resp(
    tx: Tx,
    timeout: Annotated[Timeout, SECONDS],
    keys: Counted[TakenKey],
    take: End,
    /,
    *,
    count: Annotated[Count, Token("COUNT")] = 1,
) -> Taken | None:
    """Take *count* values as `LMPOP`; if none of *keys* holds a list, wait for one; *timeout* 0 has no end."""
    return pop_several(tx, keys, take, count, timeout or None)


@command(WRITE | BLOCKS | TAKES | GROWS, group="list", since="0.1", cost="O(1)", doors=NATIVE_DOOR, handle="wait_move")
def blmove(
    tx: Tx, source: TakenKey, target: Key, take: End, give: End, /, *, wait: Annotated[Timeout | None, NATIVE] = None
) -> Value | None:
    """Move a value as `LMOVE`; if there is no *source*, wait for one, at most *wait* (as `BLPOP`).

    >>> await client.rpush("waiting", "a")
    1
    >>> await client.blmove("waiting", "running", "LEFT", "RIGHT", wait=5)
    'a'
    """
    return move_one(tx, source, target, take, give, wait)


@command(
    WRITE | BLOCKS | TAKES | GROWS, group="list", since="0.1", cost="O(1)", name="BLMOVE", doors=RESP_DOOR, method=None,
    views=(View("moved", moved),),
)  # fmt: skip
def blmove_on_resp(
    tx: Tx, source: TakenKey, target: Key, take: End, give: End, timeout: Annotated[Timeout, SECONDS], /
) -> Value | None:
    """Move a value as `LMOVE`; if there is no *source*, wait for one; *timeout* 0 has no end."""
    return move_one(tx, source, target, take, give, timeout or None)


@command(
    WRITE | BLOCKS | TAKES | GROWS, group="list", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None,
    views=(View("moved", moved),),
)  # fmt: skip
def brpoplpush(tx: Tx, source: TakenKey, target: Key, timeout: Annotated[Timeout, SECONDS], /) -> Value | None:
    """Move a value from the right end of *source* to the left of *target*: the older word for `BLMOVE`."""
    return move_one(tx, source, target, RIGHT, LEFT, timeout or None)


def pop_one(tx: Tx, keys: tuple[bytes, ...], end: str, wait: int | None) -> Popped | None:
    found = pop_several(tx, keys, end, 1, wait)
    return None if found is None else Popped(found.key, found.values[0])


def pop_several(tx: Tx, keys: tuple[bytes, ...], end: str, count: int, wait: int | None) -> Taken | None:
    """Pop from the first of *keys* that holds a list, or wait for that."""
    found = pop_first(tx, in_turn(tx, keys, LIST), end, count)
    if found is None and wait != 0:
        raise until_filled(keys, wait)
    return found


def move_one(tx: Tx, source: bytes, target: bytes, take: str, give: str, wait: int | None) -> bytes | None:
    """Move a value, or wait for one."""
    value = shift(tx, source, target, take, give) if in_turn(tx, (source,), LIST) else None
    if value is None and wait != 0:
        raise until_filled((source,), wait)
    return value
