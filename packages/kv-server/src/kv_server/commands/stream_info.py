"""What there is to know about a stream, its groups and their consumers."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, NotFound
from kv_protocol.names import text
from kv_server.commands.stream_forms import StreamEntry, entries_of, entry_of, shown_entries, shown_entry
from kv_server.commands.stream_groups import NoGroup
from kv_server.engine.effects.streams import StreamFacts
from kv_server.engine.tx import Tx
from kv_server.model.stream_group import UNKNOWN, Consumer, Group
from kv_server.model.stream_id import FIRST, LAST, id_text
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int
from kv_server.spec.command import NATIVE_DOOR, READ, RESP_DOOR, SLOW, View
from kv_server.spec.types import OPTIONAL, Name, Octets, SourceKey, Text, Timeout

_NODE: Final = 100  # entries that text clients are told to lie in one node
_SHOWN: Final = 10


class StreamInfo(NamedTuple):
    """A stream: its entries that are there and that ever were, its ids, its groups, its oldest and newest entry."""

    length: int
    last_id: Text
    max_deleted_id: Text
    entries_added: int
    first_id: Text
    groups: int
    first_entry: StreamEntry | None
    last_entry: StreamEntry | None


class GroupInfo(NamedTuple):
    """A group: what it was given up to now, and how many entries it is behind; nothing where nobody can say."""

    name: Name
    consumers: int
    pending: int
    last_id: Text
    entries_read: int | None
    lag: int | None


class ConsumerInfo(NamedTuple):
    """A consumer: what it holds, how long since it asked, and how long since it got something."""

    name: Name
    pending: int
    idle: Timeout
    inactive: Timeout | None


def shown_groups(groups: list[GroupInfo]) -> list[dict[str, object]]:
    return [
        {
            "name": each.name, "consumers": each.consumers, "pending": each.pending, "last-delivered-id": each.last_id,
            "entries-read": each.entries_read, "lag": each.lag,
        }
        for each in groups
    ]  # fmt: skip


def shown_consumers(consumers: list[ConsumerInfo]) -> list[dict[str, object]]:
    return [
        {
            "name": each.name, "pending": each.pending, "idle": each.idle,
            "inactive": -1 if each.inactive is None else each.inactive,
        }
        for each in consumers
    ]  # fmt: skip


@command(READ, group="stream", since="0.1", cost="O(1)", name="XINFO STREAM", doors=NATIVE_DOOR, handle="info")
def xinfo_stream(tx: Tx, key: SourceKey, /) -> StreamInfo:
    """Return what there is to know about the stream at *key*; fails if there is none.

    >>> id = await client.xadd("log", {"n": 1}, id="1-0")
    >>> info = await client.xinfo_stream("log")
    >>> info.length, info.last_id, info.first_entry
    (1, '1-0', StreamEntry(id='1-0', fields={'n': 1}))
    """
    facts = need_facts(tx, key)
    first, last = ends(tx, key)
    return StreamInfo(
        facts.length, id_text(facts.last_id), id_text(facts.max_deleted), facts.added, id_text(facts.first_id),
        facts.groups, first, last,
    )  # fmt: skip


@command(
    READ | SLOW, group="stream", since="0.1", cost="O(what is shown)", name="XINFO STREAM", doors=RESP_DOOR, method=None
)
def xinfo_stream_on_resp(tx: Tx, key: SourceKey, /, *options: Annotated[Octets, OPTIONAL]) -> object:
    """Return what there is to know about the stream at *key*: `XINFO STREAM key [FULL [COUNT count]]`.

    With FULL these are also entries, groups, consumers and what they hold: so many of each (10 unless given, 0: all).
    Natively, `XRANGE`, `XINFO GROUPS`, `XINFO CONSUMERS` and `XPENDINGRANGE` tell these.
    """
    facts = need_facts(tx, key)
    most = shown_at_most(options)
    nodes = -(-facts.length // _NODE)
    shown: dict[str, object] = {
        "length": facts.length,
        "radix-tree-keys": nodes,
        "radix-tree-nodes": nodes + 1,
        "last-generated-id": id_text(facts.last_id),
        "max-deleted-entry-id": id_text(facts.max_deleted),
        "entries-added": facts.added,
        "recorded-first-entry-id": id_text(facts.first_id),
    }
    if not options:
        first, last = map(shown_entry, ends(tx, key))
        return shown | {"groups": facts.groups, "first-entry": first, "last-entry": last}
    entries = shown_entries(entries_of(tx.stream_range(key, FIRST, LAST, most)))
    groups = [whole_group(tx, key, name, group, most) for name, group in tx.stream_groups(key)]
    return shown | {"entries": entries, "groups": groups}


@command(
    READ,
    group="stream",
    since="0.1",
    cost="O(groups)",
    name="XINFO GROUPS",
    views=(View("groups", shown_groups),),
    handle="groups",
)
def xinfo_groups(tx: Tx, key: SourceKey, /) -> list[GroupInfo]:
    """Return the groups that read the stream at *key*, and how far each is; fails if there is no stream.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> [(group.name, group.pending, group.lag) for group in await client.xinfo_groups("jobs")]
    [('workers', 0, 0)]
    """
    need_facts(tx, key)
    return [
        GroupInfo(
            name, len(group.consumers), len(group.pending), id_text(group.last_id),
            None if group.read == UNKNOWN else group.read, tx.group_lag(key, group),
        )
        for name, group in tx.stream_groups(key)
    ]  # fmt: skip


@command(
    READ, group="stream", since="0.1", cost="O(consumers)", name="XINFO CONSUMERS",
    views=(View("consumers", shown_consumers),), handle="consumers",
)  # fmt: skip
def xinfo_consumers(tx: Tx, key: SourceKey, group: Name, /) -> list[ConsumerInfo]:
    """Return the consumers of *group*, and what each holds; fails if there is no stream or no group.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> await client.xgroup_createconsumer("jobs", "workers", "ann")
    True
    >>> [(consumer.name, consumer.pending) for consumer in await client.xinfo_consumers("jobs", "workers")]
    [('ann', 0)]
    """
    need_facts(tx, key)
    found = tx.stream_group(key, group)
    if found is None:
        raise NoGroup(f"No such consumer group '{text(group)}' for key name '{text(key)}'")
    return [
        ConsumerInfo(
            name, len(who.pending), max(tx.now_ms - who.seen_ms, 0),
            None if who.active_ms < 0 else max(tx.now_ms - who.active_ms, 0),
        )
        for name, who in sorted(found.consumers.items())
    ]  # fmt: skip


def shown_at_most(options: tuple[bytes, ...]) -> int | None:
    """How many of each FULL shows; None: all."""
    words = tuple(map(bytes.upper, options[:2]))
    if words == (b"FULL", b"COUNT") and len(options) == 3:
        count = text_int(options[2])
        return _SHOWN if count < 0 else count or None
    if words not in ((), (b"FULL",)) or len(options) > 1:
        raise InvalidArgument("unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.")
    return _SHOWN


def need_facts(tx: Tx, key: bytes) -> StreamFacts:
    facts = tx.stream_facts(key)
    if facts is None:
        raise NotFound("no such key")
    return facts


def ends(tx: Tx, key: bytes) -> tuple[StreamEntry | None, StreamEntry | None]:
    """The oldest and the newest entry."""
    first = tx.stream_range(key, FIRST, LAST, 1)
    last = tx.stream_range(key, FIRST, LAST, 1, backwards=True)
    return (entry_of(first[0]), entry_of(last[0])) if first else (None, None)


def whole_group(tx: Tx, key: bytes, name: bytes, group: Group, most: int | None) -> dict[str, object]:
    """All about a group, of what its consumers hold at most so many."""
    held = [
        [id_text(id), each.consumer, each.delivered_ms, each.count]
        for id, each in group.pending.between(FIRST, LAST, most)
    ]
    return {
        "name": name,
        "last-delivered-id": id_text(group.last_id),
        "entries-read": None if group.read == UNKNOWN else group.read,
        "lag": tx.group_lag(key, group),
        "pel-count": len(group.pending),
        "pending": held,
        "consumers": [whole_consumer(who, each, most) for who, each in sorted(group.consumers.items())],
    }


def whole_consumer(name: bytes, consumer: Consumer, most: int | None) -> dict[str, object]:
    held = [[id_text(id), each.delivered_ms, each.count] for id, each in consumer.pending.between(FIRST, LAST, most)]
    return {
        "name": name,
        "seen-time": consumer.seen_ms,
        "active-time": consumer.active_ms,
        "pel-count": len(consumer.pending),
        "pending": held,
    }
