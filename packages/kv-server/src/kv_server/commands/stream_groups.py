"""Consumer groups: who reads a stream together, each entry by one of them, which holds it until it is settled."""

from __future__ import annotations

from typing import Any, NamedTuple

from kv_protocol.errors import ConditionFailed, InvalidArgument, NotFound
from kv_protocol.names import text
from kv_server.commands.resp_views import AS_OK
from kv_server.commands.stream_forms import (
    Id,
    StreamEntry,
    by_stream,
    entries_of,
    entry_of,
    id_of,
    id_or_end,
    ids_of,
    read_with_gaps,
    word_text,
)
from kv_server.commands.streams import parse_block, parse_streams
from kv_server.engine.rows import KEYS
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock
from kv_server.model.stream_group import UNKNOWN, Group
from kv_server.model.stream_id import FIRST, LAST, id_text, next_id
from kv_server.spec.catalog import command
from kv_server.spec.checks import syntax_error, text_int
from kv_server.spec.command import BLOCKS, FAST, GROWS, TAKES, WRITE, Grammar, View
from kv_server.spec.types import Count, Int, Key, Name, TakenKey, Timeout
from kv_server.spec.words import Words


class NoGroup(NotFound):
    """There is no such group."""

    resp = "NOGROUP"


class GroupExists(ConditionFailed):
    """There is such a group already."""

    resp = "BUSYGROUP"


class GroupReading(NamedTuple):
    """A stream, and what of it is read: `>` for new entries, or the id after which a consumer's own begin."""

    stream: TakenKey
    after: Id = ">"


def parse_xreadgroup(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    options: dict[str, Any] = {}
    who: tuple[bytes, bytes] | None = None
    while words.left:
        token = words.token("BLOCK", "COUNT", "STREAMS", "GROUP", "NOACK")
        if token == "STREAMS" and words.left:
            streams = parse_streams(words, ">")
            if who is None:
                raise InvalidArgument("Missing GROUP option for XREADGROUP")
            return (*who, *streams), options
        if token == "GROUP" and words.left >= 2:
            who = words.take(), words.take()
        elif token == "BLOCK" and words.left:
            options["block"] = parse_block(words.take())
        elif token == "COUNT" and words.left:
            options["count"] = max(text_int(words.take()), 0) or None
        elif token == "NOACK":
            options["no_ack"] = True
        else:
            break
    raise syntax_error()


def parse_start(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Where a group begins to read: `XGROUP CREATE` and `XGROUP SETID`."""
    action = words.command.partition("|")[2].upper()
    args = words.take(), words.take(), word_text(words.take())
    options: dict[str, Any] = {}
    while words.left:
        if action == "CREATE" and words.token("MKSTREAM"):
            options["create_stream"] = True
        elif words.left > 1 and words.token("ENTRIESREAD"):
            options["entries_read"] = text_int(words.take())
            read_of(options["entries_read"])
        else:
            raise InvalidArgument(f"unknown subcommand or wrong number of arguments for '{action}'. Try XGROUP HELP.")
    return args, options


# ---- groups
@command(
    WRITE | GROWS,
    group="stream",
    since="0.1",
    cost="O(1)",
    name="XGROUP CREATE",
    grammar=Grammar("key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]", parse_start, least=3),
    views=(AS_OK,),
    handle="create_group",
    event="xgroup-create",
)
def xgroup_create(
    tx: Tx,
    key: Key,
    group: Name,
    id: Id,
    /,
    *,
    create_stream: bool = False,
    entries_read: Int | None = None,
) -> None:
    """Make a *group* that reads the stream at *key* from after *id* on (`$`: its last id); fails if there is one.

    With *create_stream* a stream that is not there is made too. *entries_read* says how many entries come up to *id*
    (-1: nobody knows), for the lag of the group to be told.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> [group.name for group in await client.xinfo_groups("jobs")]
    ['workers']
    """
    read = read_of(entries_read)
    last = tx.stream_last_id(key)
    if last is None and not create_stream:
        raise no_stream()
    after = (last or FIRST) if id == "$" else id_of(id)
    if tx.stream_group(key, group) is not None:
        raise GroupExists("Consumer Group name already exists")
    tx.group_put(key, group, after, read)


@command(
    WRITE,
    group="stream",
    since="0.1",
    cost="O(1)",
    name="XGROUP SETID",
    grammar=Grammar("key group <id | $> [ENTRIESREAD entries-read]", parse_start, least=3),
    views=(AS_OK,),
    handle="set_group_id",
    event="xgroup-setid",
)
def xgroup_setid(
    tx: Tx,
    key: Key,
    group: Name,
    id: Id,
    /,
    *,
    entries_read: Int | None = None,
) -> None:
    """Let *group* read on from after *id* (`$`: the last id of the stream). What was given out stays so.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> await client.xgroup_setid("jobs", "workers", "0")
    """
    read = read_of(entries_read)
    last = tx.stream_last_id(key)
    if last is None:
        raise no_stream()
    need_group(tx, key, group)
    tx.group_put(key, group, last if id == "$" else id_or_end(id), read)


@command(WRITE, group="stream", since="0.1", cost="O(entries held)", name="XGROUP DESTROY", handle="drop_group")
def xgroup_destroy(tx: Tx, key: Key, group: Name, /) -> bool:
    """Take *group* away with its consumers and what they hold; False if there is none. Who waits for it is told.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> await client.xgroup_destroy("jobs", "workers"), await client.xgroup_destroy("jobs", "workers")
    (True, False)
    """
    if tx.stream_last_id(key) is None:
        raise no_stream()
    if tx.stream_group(key, group) is None:
        return False
    tx.group_drop(key, group)
    return True


@command(
    WRITE | GROWS,
    group="stream",
    since="0.1",
    cost="O(1)",
    name="XGROUP CREATECONSUMER",
    handle="create_consumer",
    event="xgroup-createconsumer",
)
def xgroup_createconsumer(tx: Tx, key: Key, group: Name, consumer: Name, /) -> bool:
    """Add *consumer* to *group*; False if it has one of that name. Whoever reads is added without being asked.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> await client.xgroup_createconsumer("jobs", "workers", "ann")
    True
    """
    found = need_group(tx, key, group)
    if consumer in found.consumers:
        return False
    tx.consumer_put(key, group, consumer, tx.now_ms, -1)
    return True


@command(WRITE, group="stream", since="0.1", cost="O(entries held)", name="XGROUP DELCONSUMER", handle="drop_consumer")
def xgroup_delconsumer(tx: Tx, key: Key, group: Name, consumer: Name, /) -> int:
    """Take *consumer* out of *group* and return how many entries it held. Claim those first: nobody holds them then.

    >>> await client.xgroup_create("jobs", "workers", "$", create_stream=True)
    >>> await client.xgroup_createconsumer("jobs", "workers", "ann")
    True
    >>> await client.xgroup_delconsumer("jobs", "workers", "ann")
    0
    """
    found = need_group(tx, key, group).consumers.get(consumer)
    if found is None:
        return 0
    held = len(found.pending)
    tx.consumer_drop(key, group, consumer)
    return held


# ---- reading
@command(
    WRITE | GROWS | BLOCKS | TAKES,
    group="stream",
    since="0.1",
    cost="O(streams * log size + entries)",
    grammar=Grammar(
        "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
        parse_xreadgroup,
        least=6,
    ),
    views=(View("streams", read_with_gaps),),
    handle="read_group",
)
def xreadgroup(
    tx: Tx,
    group: Name,
    consumer: Name,
    /,
    *streams: GroupReading,
    count: Count | None = None,
    block: Timeout | None = None,
    no_ack: bool = False,
) -> dict[Key, list[StreamEntry]] | None:
    """Return entries of *streams* that no other of *group* was given, which *consumer* now holds; nothing if none.

    That is what `>` stands for; *count* bounds it, *block* waits for it (0: without end), and with *no_ack* nobody
    holds it. An id instead returns once more what *consumer* holds after it; what was deleted since has no fields.

    >>> ids = [await client.xadd("jobs", {"n": n}, id=f"{n}-0") for n in (1, 2)]
    >>> await client.xgroup_create("jobs", "workers", "0")
    >>> await client.xreadgroup("workers", "ann", {"jobs": ">"}, count=1)
    {'jobs': [StreamEntry(id='1-0', fields={'n': 1})]}
    >>> await client.stream("jobs").read_group("workers", "bob", block=5)
    [StreamEntry(id='2-0', fields={'n': 2})]
    """
    for key, after in streams:
        check_reading(tx, key, group, after)
    each: list[tuple[bytes, list[StreamEntry]]] = []
    for key, after in streams:
        if after != ">":
            each.append((key, take_again(tx, key, group, consumer, id_of(after), count)))
        elif fresh := take_new(tx, key, group, consumer, count, no_ack):
            each.append((key, fresh))
    found = by_stream(each)
    if found is None and block is not None:
        raise WouldBlock(KEYS, [key for key, _ in streams], block or None, None, kin=("group", group))
    return found


@command(WRITE | FAST, group="stream", since="0.1", cost="O(ids)", handle="ack")
def xack(tx: Tx, key: Key, group: Name, /, *ids: Id) -> int:
    """Settle the entries *ids*: no consumer of *group* holds them any longer. Return how many were held.

    >>> id = await client.xadd("jobs", {"n": 1})
    >>> await client.xgroup_create("jobs", "workers", "0")
    >>> given = await client.xreadgroup("workers", "ann", {"jobs": ">"})
    >>> await client.xack("jobs", "workers", id)
    1
    """
    found = tx.stream_group(key, group)
    if found is None:
        return 0
    held = tuple(id for id in ids_of(ids) if id in found.pending.found)
    if held:
        tx.pending_drop(key, group, held)
    return len(held)


def check_reading(tx: Tx, key: bytes, group: bytes, after: str) -> None:
    """Refuse what cannot be read."""
    if tx.stream_group(key, group) is None:
        raise NoGroup(f"No such key '{text(key)}' or consumer group '{text(group)}' in XREADGROUP with GROUP option")
    if after == "$":
        raise InvalidArgument(
            "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
            "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result "
            "set."
        )
    if after != ">":
        id_of(after)


def take_new(tx: Tx, key: bytes, name: bytes, consumer: bytes, count: int | None, no_ack: bool) -> list[StreamEntry]:
    """Give *consumer* what comes after all that the group was given."""
    group = tx.stream_group(key, name)
    assert group is not None
    stored = tx.stream_range(key, next_id(group.last_id), LAST, count) if group.last_id != LAST else []
    if stored:
        ids = tuple(id for id, _ in stored)
        read = tx.group_read(key, group, ids)
        tx.consumer_put(key, name, consumer, tx.now_ms, tx.now_ms)
        if not no_ack:
            tx.pending_put(key, name, consumer, tx.now_ms, ids, (1,) * len(ids))
        tx.group_put(key, name, ids[-1], read)
    return entries_of(stored)


def take_again(tx: Tx, key: bytes, name: bytes, consumer: bytes, after: bytes, count: int | None) -> list[StreamEntry]:
    """Give *consumer* once more what it holds after an id."""
    group = tx.stream_group(key, name)
    assert group is not None
    held = group.held_by(consumer, after, count)
    entries: list[StreamEntry] = []
    ids: list[bytes] = []
    for id in held:
        fields = tx.stream_fields(key, id)
        entries.append(StreamEntry(id_text(id), {}) if fields is None else entry_of((id, fields)))
        if fields is not None:
            ids.append(id)
    known = group.consumers.get(consumer)
    active_ms = tx.now_ms if held else known.active_ms if known is not None else -1
    counts = tuple(group.pending.found[id].count + 1 for id in ids)
    tx.consumer_put(key, name, consumer, tx.now_ms, active_ms)
    if ids:
        tx.pending_put(key, name, consumer, tx.now_ms, tuple(ids), counts)
    return entries


def need_group(tx: Tx, key: bytes, name: bytes) -> Group:
    """The group *name* of the stream at *key*, both of which must be there."""
    group = tx.stream_group(key, name)
    if group is None:
        if tx.stream_last_id(key) is None:
            raise no_stream()
        raise NoGroup(f"No such consumer group '{text(name)}' for key name '{text(key)}'")
    return group


def no_stream() -> NotFound:
    return NotFound(
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
        "to create an empty stream automatically."
    )


def read_of(entries_read: int | None) -> int:
    """How many entries a group is said to have read."""
    if entries_read is None:
        return UNKNOWN
    if entries_read < UNKNOWN:
        raise InvalidArgument("value for ENTRIESREAD must be positive or -1")
    return entries_read
