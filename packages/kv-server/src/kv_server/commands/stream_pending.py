"""What the consumers of a group hold: in sum, and entry by entry."""

from __future__ import annotations

from typing import Annotated, Any, Final, NamedTuple

from kv_protocol.names import text
from kv_server.commands.stream_forms import (
    Id,
    high_end,
    low_end,
    word_text,
)
from kv_server.commands.stream_groups import NoGroup
from kv_server.engine.tx import Tx
from kv_server.model.stream_group import Group
from kv_server.model.stream_id import id_text
from kv_server.spec.catalog import command
from kv_server.spec.checks import syntax_error, text_int
from kv_server.spec.command import NATIVE_DOOR, READ, RESP_DOOR, Grammar
from kv_server.spec.resp_kinds import NIL_ARRAY
from kv_server.spec.types import NATIVE, Count, Int, Name, Size, SourceKey, Text, Timeout
from kv_server.spec.words import Words

_SHOWN_AT_ONCE: Final = 100


class PendingSummary(NamedTuple):
    """How many entries a group's consumers hold, the lowest and the highest id of them, and how many each holds."""

    held: int
    first: Text | None
    last: Text | None
    consumers: dict[Name, int]


class PendingEntry(NamedTuple):
    """An entry that is held: by whom, how long since it was delivered, and how often it was."""

    id: Text
    consumer: Name
    idle: Timeout
    deliveries: int


@command(READ, group="stream", since="0.1", cost="O(consumers)", doors=NATIVE_DOOR, handle="pending")
def xpending(tx: Tx, key: SourceKey, group: Name, /) -> PendingSummary:
    """Return how many entries of the stream at *key* the consumers of *group* hold, and between which ids.

    >>> id = await client.xadd("jobs", {"n": 1}, id="1-0")
    >>> await client.xgroup_create("jobs", "workers", "0")
    >>> given = await client.xreadgroup("workers", "ann", {"jobs": ">"})
    >>> await client.xpending("jobs", "workers")
    PendingSummary(held=1, first='1-0', last='1-0', consumers={'ann': 1})
    """
    return summary(need_pending(tx, key, group))


@command(
    READ,
    group="stream",
    since="0.1",
    cost="O(entries looked at)",
    doors=NATIVE_DOOR,
    name="XPENDINGRANGE",
    handle="pending_range",
)
def xpending_range(
    tx: Tx,
    key: SourceKey,
    group: Name,
    start: Id = "-",
    end: Id = "+",
    /,
    *,
    count: Annotated[Count, NATIVE] = _SHOWN_AT_ONCE,
    consumer: Annotated[Name | None, NATIVE] = None,
    min_idle: Annotated[Timeout, NATIVE] = 0,
) -> list[PendingEntry]:
    """Return at most *count* entries that the consumers of *group* hold, from the id *start* to the id *end*.

    Only those of *consumer*, if one is named, and only those delivered *min_idle* ago or longer.

    >>> id = await client.xadd("jobs", {"n": 1}, id="1-0")
    >>> await client.xgroup_create("jobs", "workers", "0")
    >>> given = await client.xreadgroup("workers", "ann", {"jobs": ">"})
    >>> [(held.id, held.consumer) for held in await client.xpending_range("jobs", "workers")]
    [('1-0', 'ann')]
    """
    low, high = low_end(start), high_end(end)
    return held_between(tx, need_pending(tx, key, group), low, high, count, consumer, min_idle)


def parse_xpending(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args = words.take(), words.take()
    options: dict[str, Any] = {}
    if words.left:
        if not 3 <= words.left <= 6:
            raise syntax_error()
        if words.token("IDLE"):
            options["min_idle"] = text_int(words.take())
            if words.left < 3:
                raise syntax_error()
        options["start"], options["end"] = word_text(words.take()), word_text(words.take())
        options["count"] = max(text_int(words.take()), 0)
        if words.left:
            options["consumer"] = words.take()
            words.rest()  # Redis reads no further either
    return args, options


@command(
    READ,
    group="stream",
    since="0.1",
    cost="O(consumers), or O(entries looked at)",
    doors=RESP_DOOR,
    method=None,
    name="XPENDING",
    grammar=Grammar("key group [[IDLE min-idle-time] start end count [consumer]]", parse_xpending, least=2),
)
def xpending_on_resp(
    tx: Tx,
    key: SourceKey,
    group: Name,
    /,
    *,
    min_idle: Int = 0,
    start: Id | None = None,
    end: Id = "+",
    count: Size = 0,
    consumer: Name | None = None,
) -> object:
    """Return what the consumers of *group* hold: in sum, or entry by entry."""
    if start is None:
        found = summary(need_pending(tx, key, group))
        names = [(name, str(held)) for name, held in found.consumers.items()]
        return [found.held, found.first, found.last, names or NIL_ARRAY]
    low, high = low_end(start), high_end(end)
    held = need_pending(tx, key, group)
    return [list(each) for each in held_between(tx, held, low, high, count, consumer, min_idle)]


def summary(group: Group) -> PendingSummary:
    first, last = (None if id is None else id_text(id) for id in (group.pending.first(), group.pending.last()))
    names = {name: len(who.pending) for name, who in sorted(group.consumers.items()) if len(who.pending)}
    return PendingSummary(len(group.pending), first, last, names)


def held_between(
    tx: Tx, group: Group, low: bytes, high: bytes, count: int, consumer: bytes | None, min_idle: int
) -> list[PendingEntry]:
    """What is held by *consumer*, or by anybody, between two ids."""
    pending = group.pending
    if consumer is not None:
        who = group.consumers.get(consumer)
        if who is None:
            return []
        pending = who.pending
    found: list[PendingEntry] = []
    for id, held in pending.upward(low, high):
        if len(found) == count:
            break
        idle = tx.now_ms - held.delivered_ms
        if idle >= min_idle:
            found.append(PendingEntry(id_text(id), held.consumer, max(idle, 0), held.count))
    return found


def need_pending(tx: Tx, key: bytes, name: bytes) -> Group:
    group = tx.stream_group(key, name)
    if group is None:
        raise NoGroup(f"No such key '{text(key)}' or consumer group '{text(name)}'")
    return group
