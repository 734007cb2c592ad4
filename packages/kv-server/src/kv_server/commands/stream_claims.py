"""Claiming: a consumer takes over what others of its group held for too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from kv_protocol.errors import InvalidArgument
from kv_protocol.names import text
from kv_server.commands.stream_forms import (
    Id,
    StreamEntry,
    claimed,
    entry_of,
    id_of,
    low_end,
    word_text,
)
from kv_server.commands.stream_pending import need_pending
from kv_server.engine.tx import Tx
from kv_server.model.stream_id import FIRST, LAST, id_text
from kv_server.spec.catalog import command
from kv_server.spec.checks import syntax_error, text_int
from kv_server.spec.command import GROWS, TAKES, WRITE, Grammar, View
from kv_server.spec.types import Count, Name, Size, TakenKey, Text, Time, Timeout
from kv_server.spec.words import Words

_CLAIMED_AT_ONCE: Final = 100
_LOOKED_AT_FOR_ONE: Final = 10  # entries that are looked at for each that may be claimed
_MOST_CLAIMED: Final = 2**63 // 160


class Claimed(NamedTuple):
    """Entries that were claimed, those that turned out to be deleted, and where to go on; `0-0`: nowhere."""

    cursor: Text
    entries: list[StreamEntry]
    deleted: list[Text]


def claimed_on_resp(reply: Claimed) -> tuple[Text, list[object], list[Text]]:
    return reply.cursor, claimed(reply.entries), reply.deleted


def parse_xclaim(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key, group, consumer = words.take(), words.take(), words.take()
    min_idle = max(option_int(words, "min-idle-time", "XCLAIM"), 0)
    ids: list[str] = []
    options: dict[str, Any] = {}
    while words.left and spells_id(words.peek()):
        ids.append(word_text(words.take()))
    while words.left:
        parse_claim_option(words, options)
    return (key, group, consumer, min_idle, *ids), options


def spells_id(word: bytes | None) -> bool:
    try:
        id_of(word_text(word or b""))
    except InvalidArgument:
        return False
    return True


def parse_claim_option(words: Words, options: dict[str, Any]) -> None:
    token = words.token("FORCE", "JUSTID") or (
        words.token("IDLE", "TIME", "RETRYCOUNT", "LASTID") if words.left > 1 else None
    )
    match token:
        case "FORCE":
            options["force"] = True
        case "JUSTID":
            options["ids_only"] = True
        case "IDLE":
            options.pop("delivered_at", None)
            options["idle"] = option_int(words, token, "XCLAIM")
        case "TIME":
            options.pop("idle", None)
            options["delivered_at"] = option_int(words, token, "XCLAIM")
        case "RETRYCOUNT":
            deliveries = option_int(words, token, "XCLAIM")
            options["deliveries"] = None if deliveries < 0 else deliveries
        case "LASTID":
            options["last_id"] = word_text(words.take())
        case _:
            raise InvalidArgument(f"Unrecognized XCLAIM option '{text(words.take())}'")


@command(
    WRITE | GROWS | TAKES,
    group="stream",
    since="0.1",
    cost="O(ids * log size)",
    grammar=Grammar(
        "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count]"
        " [FORCE] [JUSTID] [LASTID lastid]",
        parse_xclaim,
        least=5,
    ),
    views=(View("claimed", claimed),),
    exclusive=(("idle", "delivered_at"),),
    handle="claim",
)
def xclaim(
    tx: Tx,
    key: TakenKey,
    group: Name,
    consumer: Name,
    min_idle: Timeout,
    /,
    *ids: Id,
    idle: Timeout | None = None,
    delivered_at: Time | None = None,
    deliveries: Size | None = None,
    force: bool = False,
    ids_only: bool = False,
    last_id: Id | None = None,
) -> list[StreamEntry]:
    """Let *consumer* hold the entries *ids*, as far as they are held for *min_idle* or longer, and return them.

    They count as delivered now, or *idle* ago, or *delivered_at*, and once more than before, or *deliveries* times.
    With *force* also entries that nobody holds are claimed; with *ids_only* the entries come without fields, and do not
    count as delivered again. *last_id* moves the group on, if it was not given that much yet.

    >>> id = await client.xadd("jobs", {"n": 1}, id="1-0")
    >>> await client.xgroup_create("jobs", "workers", "0")
    >>> given = await client.xreadgroup("workers", "ann", {"jobs": ">"})
    >>> await client.xclaim("jobs", "workers", "bob", 0, "1-0")
    [StreamEntry(id='1-0', fields={'n': 1})]
    """
    found = need_pending(tx, key, group)
    wanted = list(map(id_of, ids))
    reached = FIRST if last_id is None else id_of(last_id)
    at = delivered_at if delivered_at is not None else tx.now_ms - (idle or 0)
    delivered_ms = at if 0 <= at <= tx.now_ms else tx.now_ms
    gone: dict[bytes, None] = {}
    taken: list[bytes] = []
    counts: dict[bytes, int] = {}
    for id in wanted:
        held = found.pending.found.get(id)
        if tx.stream_fields(key, id) is None:
            if held is not None:
                gone[id] = None
            continue
        if id in counts:
            waited, count = tx.now_ms - delivered_ms, counts[id]
        elif held is not None:
            waited, count = tx.now_ms - held.delivered_ms, held.count
        elif force:
            waited, count = min_idle, 1
        else:
            continue
        if waited >= min_idle:
            taken.append(id)
            counts[id] = deliveries if deliveries is not None else count + (not ids_only)
    if reached > found.last_id:
        tx.group_put(key, group, reached, found.read)
    if gone:
        tx.pending_drop(key, group, tuple(gone))
    return hand_over(tx, key, group, consumer, delivered_ms, taken, counts, ids_only)


def parse_xautoclaim(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    key, group, consumer = words.take(), words.take(), words.take()
    min_idle = max(option_int(words, "min-idle-time", "XAUTOCLAIM"), 0)
    start = word_text(words.take())
    low_end(start)
    options: dict[str, Any] = {}
    while words.left:
        token = words.token("JUSTID") or (words.token("COUNT") if words.left > 1 else None)
        if token is None:
            raise syntax_error()
        if token == "JUSTID":
            options["ids_only"] = True
        else:
            options["count"] = claim_count(words.take())
    return (key, group, consumer, min_idle, start), options


def claim_count(word: bytes) -> int:
    try:
        return text_int(word, 1, _MOST_CLAIMED)
    except InvalidArgument:
        raise InvalidArgument("COUNT must be > 0") from None


@command(
    WRITE | TAKES,
    group="stream",
    since="0.1",
    cost="O(count)",
    grammar=Grammar("key group consumer min-idle-time start [COUNT count] [JUSTID]", parse_xautoclaim, least=5),
    views=(View("claimed", claimed_on_resp),),
    handle="autoclaim",
)
def xautoclaim(
    tx: Tx,
    key: TakenKey,
    group: Name,
    consumer: Name,
    min_idle: Timeout,
    start: Id,
    /,
    *,
    count: Count = _CLAIMED_AT_ONCE,
    ids_only: bool = False,
) -> Claimed:
    """Let *consumer* hold up to *count* entries from the id *start* on that are held for *min_idle* or longer.

    Return them, those that were deleted since and are held no longer, and the id at which to go on: at last `0-0`. With
    *ids_only* the entries come without fields, and do not count as delivered again.

    >>> id = await client.xadd("jobs", {"n": 1}, id="1-0")
    >>> await client.xgroup_create("jobs", "workers", "0")
    >>> given = await client.xreadgroup("workers", "ann", {"jobs": ">"})
    >>> await client.xautoclaim("jobs", "workers", "bob", 0, "-")
    Claimed(cursor='0-0', entries=[StreamEntry(id='1-0', fields={'n': 1})], deleted=[])
    """
    low = low_end(start)
    found = need_pending(tx, key, group)
    gone: list[bytes] = []
    taken: list[bytes] = []
    counts: dict[bytes, int] = {}
    left, attempts = count, count * _LOOKED_AT_FOR_ONE
    cursor = FIRST
    for id, held in found.pending.upward(low, LAST):
        if not left or not attempts:
            cursor = id
            break
        attempts -= 1
        if tx.stream_fields(key, id) is None:
            gone.append(id)
            left -= 1
        elif tx.now_ms - held.delivered_ms >= min_idle:
            taken.append(id)
            counts[id] = held.count + (not ids_only)
            left -= 1
    if gone:
        tx.pending_drop(key, group, tuple(gone))
    entries = hand_over(tx, key, group, consumer, tx.now_ms, taken, counts, ids_only)
    return Claimed(id_text(cursor), entries, list(map(id_text, gone)))


def hand_over(
    tx: Tx,
    key: bytes,
    group: bytes,
    consumer: bytes,
    delivered_ms: int,
    ids: Sequence[bytes],
    counts: Mapping[bytes, int],
    ids_only: bool,
) -> list[StreamEntry]:
    """Let *consumer* hold the entries *ids*, one perhaps named twice, and return them."""
    if not ids:
        return []
    tx.consumer_put(key, group, consumer, tx.now_ms, tx.now_ms)
    tx.pending_put(key, group, consumer, delivered_ms, tuple(counts), tuple(counts.values()))
    if ids_only:
        return [StreamEntry(id_text(id), {}) for id in ids]
    return [entry_of((id, tx.stream_fields(key, id) or ())) for id in ids]


def option_int(words: Words, option: str, word: str) -> int:
    try:
        return text_int(words.take())
    except InvalidArgument:
        what = option if option == "min-idle-time" else f"{option} option"
        raise InvalidArgument(f"Invalid {what} argument for {word}") from None
