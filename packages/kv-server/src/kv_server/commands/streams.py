"""Streams: entries of named fields, appended in the order of ever higher ids, read from any id on, by many."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Any, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, NotFound, WrongType
from kv_server.commands.resp_views import AS_OK
from kv_server.commands.stream_forms import (
    NONE_ASKED,
    Id,
    StreamEntry,
    by_stream,
    check_spelling,
    entries_of,
    high_end,
    id_of,
    ids_of,
    low_end,
    new_id,
    read_streams,
    shown_entries,
    word_text,
)
from kv_server.commands.stream_trim import cut_of, parse_trim, surplus_of
from kv_server.engine.rows import KEYS
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock
from kv_server.model.stream import Stored
from kv_server.model.stream_id import FIRST, LAST, id_text, next_id
from kv_server.spec.catalog import command
from kv_server.spec.checks import from_octets, syntax_error, text_int, words_missing
from kv_server.spec.command import BLOCKS, FAST, GROWS, READ, WRITE, Grammar, View
from kv_server.spec.types import (
    Bool,
    Count,
    Int,
    Key,
    Name,
    Size,
    SourceKey,
    Text,
    Timeout,
    Token,
    Value,
)  # fmt: skip
from kv_server.spec.words import Words

_AS_ENTRIES: Final = (View("entries", shown_entries),)


class Field(NamedTuple):
    """A field of an entry."""

    name: Name
    value: Value


class Reading(NamedTuple):
    """A stream, and the id after which it is read."""

    stream: SourceKey
    after: Id


# ---- how command lines are written
def parse_xadd(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    options: dict[str, Any] = {}
    key = words.take()
    if words.token("*") is None:
        parse_trim(words, options, adds=True)
        if words.left:
            options["id"] = word_text(words.take())
            check_spelling(options["id"])
        cut_of(options.get("max_length"), options.get("min_id"), options.get("nearly", False), options.get("limit"))
    rest = words.rest()
    if not rest or len(rest) % 2:
        raise words_missing(words.command)
    fields = [Field(rest[at], from_octets(rest[at + 1])) for at in range(0, len(rest), 2)]
    return (key, *fields), options


def parse_xtrim(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    options: dict[str, Any] = {}
    key = words.take()
    parse_trim(words, options, adds=False)
    return (key,), options


def parse_streams(words: Words, mark: str) -> list[tuple[bytes, str]]:
    """The streams and ids that stand last on the line."""
    rest = words.rest()
    if not rest:
        raise syntax_error()
    if len(rest) % 2:
        raise InvalidArgument(
            f"Unbalanced '{words.command}' list of streams: for each stream key an ID or '{mark}' must be specified."
        )
    half = len(rest) // 2
    return list(zip(rest[:half], map(word_text, rest[half:]), strict=True))


def parse_block(word: bytes) -> int:
    """A time to wait in milliseconds."""
    try:
        wait = text_int(word)
    except InvalidArgument:
        raise InvalidArgument("timeout is not an integer or out of range") from None
    if wait < 0:
        raise InvalidArgument("timeout is negative")
    return wait


def parse_xread(words: Words) -> tuple[tuple[Any, ...], dict[str, Any]]:
    options: dict[str, Any] = {}
    while words.left:
        token = words.token("BLOCK", "COUNT", "STREAMS", "GROUP", "NOACK")
        if token == "STREAMS" and words.left:
            return tuple(parse_streams(words, "$")), options
        if token == "BLOCK" and words.left:
            options["block"] = parse_block(words.take())
        elif token == "COUNT" and words.left:
            options["count"] = max(text_int(words.take()), 0) or None
        elif token == "NOACK" or (token == "GROUP" and words.left >= 2):
            raise InvalidArgument(f"The {token} option is only supported by XREADGROUP. You called XREAD instead.")
        else:
            break
    raise syntax_error()


# ---- appending and trimming
@command(
    WRITE | GROWS | FAST,
    group="stream",
    since="0.1",
    cost="O(fields)",
    grammar=Grammar(
        "key [NOMKSTREAM] [<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]",
        parse_xadd,
        least=4,
    ),
    exclusive=(("max_length", "min_id"),),
    handle="add",
    nothing_with=("create",),
)
def xadd(
    tx: Tx,
    key: Key,
    /,
    *fields: Field,
    id: Id = "*",
    create: Bool = True,
    max_length: Size | None = None,
    min_id: Id | None = None,
    nearly: bool = False,
    limit: Size | None = None,
) -> Text | None:
    """Append an entry of *fields* to the stream at *key* and return its id; nothing if there is no stream to *create*.

    *id* is `*` for one made of the time, `ms-*` for the next of a millisecond, or an id higher than all before. Then
    the stream is trimmed as by `XTRIM`, if *max_length* or *min_id* is given.

    >>> first = await client.xadd("log", {"user": "ann", "page": 1})
    >>> second = await client.xadd("log", {"user": "bob"}, max_length=1000, nearly=True)
    >>> [entry.fields for entry in await client.xrange("log", first, second)]
    [{'user': 'ann', 'page': 1}, {'user': 'bob'}]
    """
    cut = cut_of(max_length, min_id, nearly, limit)
    check_spelling(id)
    if id != "*" and not id.endswith("-*") and id_of(id) == FIRST:
        raise InvalidArgument("The ID specified in XADD must be greater than 0-0")
    last = tx.stream_last_id(key)
    if last is None and not create:
        return None
    new = new_id(id, last or FIRST, tx.now_ms)
    surplus = surplus_of(tx, key, cut, new)
    tx.stream_add(key, new, tuple(chain.from_iterable(fields)))
    if surplus:
        tx.stream_trim(key, surplus)
    return id_text(new)


@command(
    WRITE,
    group="stream",
    since="0.1",
    cost="O(entries taken out)",
    grammar=Grammar("key <MAXLEN | MINID> [= | ~] threshold [LIMIT count]", parse_xtrim, least=3),
    exclusive=(("max_length", "min_id"),),
    handle="trim",
)
def xtrim(
    tx: Tx,
    key: Key,
    /,
    *,
    max_length: Size | None = None,
    min_id: Id | None = None,
    nearly: bool = False,
    limit: Size | None = None,
) -> int:
    """Take the oldest entries out until *max_length* are left, or none below *min_id*, and return how many went.

    With *nearly* they go by the hundred, so that some tens more may stay, and at most *limit* go (10,000 unless given,
    0: any number). The stream itself stays, also without entries.

    >>> ids = [await client.xadd("log", {"n": n}) for n in range(5)]
    >>> await client.xtrim("log", max_length=2)
    3
    """
    cut = cut_of(max_length, min_id, nearly, limit)
    if cut is None:
        raise InvalidArgument("syntax error, XTRIM must be called with a trimming strategy")
    surplus = surplus_of(tx, key, cut, None)
    if surplus:
        tx.stream_trim(key, surplus)
    return surplus


@command(WRITE | FAST, group="stream", since="0.1", cost="O(ids)", handle="delete")
def xdel(tx: Tx, key: Key, /, *ids: Id) -> int:
    """Delete the entries *ids* of the stream at *key* and return how many there were. The stream itself stays.

    >>> id = await client.xadd("log", {"n": 1})
    >>> await client.xdel("log", id), await client.xlen("log")
    (1, 0)
    """
    if tx.stream_last_id(key) is None:
        return 0
    found = tuple(id for id in ids_of(ids) if tx.stream_fields(key, id) is not None)
    if found:
        tx.stream_delete(key, found)
    return len(found)


@command(WRITE | FAST, group="stream", since="0.1", cost="O(1)", views=(AS_OK,), handle="set_id")
def xsetid(
    tx: Tx,
    key: Key,
    last_id: Id,
    /,
    *,
    entries_added: Annotated[Int | None, Token("ENTRIESADDED")] = None,
    max_deleted_id: Annotated[Id | None, Token("MAXDELETEDID")] = None,
) -> None:
    """Set what the stream at *key* remembers: the highest id ever, *entries_added*, the highest id ever deleted.

    >>> id = await client.xadd("log", {"n": 1}, id="5-0")
    >>> await client.xsetid("log", "7-0")
    >>> (await client.xinfo_stream("log")).last_id
    '7-0'
    """
    last = id_of(last_id)
    if entries_added is not None and entries_added < 0:
        raise InvalidArgument("entries_added must be positive")
    deleted = FIRST if max_deleted_id is None else id_of(max_deleted_id)
    if last < deleted:
        raise InvalidArgument("The ID specified in XSETID is smaller than the provided max_deleted_entry_id")
    facts = tx.stream_facts(key)
    if facts is None:
        raise NotFound("no such key")
    if facts.length:
        if last < tx.stream_range(key, FIRST, LAST, 1, backwards=True)[0][0]:
            raise InvalidArgument("The ID specified in XSETID is smaller than the target stream top item")
        if entries_added is not None and entries_added < facts.length:
            raise InvalidArgument("The entries_added specified in XSETID is smaller than the target stream length")
    added = facts.added if entries_added is None else entries_added
    tx.stream_set(key, last, added, facts.max_deleted if deleted == FIRST else deleted)


# ---- reading
@command(READ | FAST, group="stream", since="0.1", cost="O(1)", handle="size")
def xlen(tx: Tx, key: SourceKey, /) -> int:
    """Return how many entries the stream at *key* has.

    >>> id = await client.xadd("log", {"n": 1})
    >>> await client.xlen("log")
    1
    """
    return tx.stream_len(key)


@command(READ, group="stream", since="0.1", cost="O(log size + count)", views=_AS_ENTRIES, handle="range")
def xrange(
    tx: Tx, key: SourceKey, start: Id, end: Id, /, *, count: Annotated[Int | None, Token("COUNT")] = None
) -> list[StreamEntry]:
    """Return the entries of the stream at *key* from the id *start* to the id *end*, at most *count*.

    `-` is the lowest id there can be and `+` the highest; an id without its second part is any of that millisecond;
    `(` before an id leaves that one out.

    >>> ids = [await client.xadd("log", {"n": n}, id=f"{n}-0") for n in (1, 2, 3)]
    >>> await client.xrange("log", "(1-0", "+", count=1)
    [StreamEntry(id='2-0', fields={'n': 2})]
    """
    return in_range(tx, key, low_end(start), high_end(end), count, backwards=False)


@command(READ, group="stream", since="0.1", cost="O(log size + count)", views=_AS_ENTRIES, handle="reverse_range")
def xrevrange(
    tx: Tx, key: SourceKey, end: Id, start: Id, /, *, count: Annotated[Int | None, Token("COUNT")] = None
) -> list[StreamEntry]:
    """Return the entries of the stream at *key* from the id *end* down to the id *start*; otherwise as `XRANGE`.

    >>> ids = [await client.xadd("log", {"n": n}, id=f"{n}-0") for n in (1, 2, 3)]
    >>> await client.xrevrange("log", "+", "-", count=1)
    [StreamEntry(id='3-0', fields={'n': 3})]
    """
    return in_range(tx, key, low_end(start), high_end(end), count, backwards=True)


@command(
    READ | BLOCKS,
    group="stream",
    since="0.1",
    cost="O(streams * log size + entries)",
    grammar=Grammar("[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]", parse_xread, least=3),
    views=(View("streams", read_streams),),
    handle="read",
)
def xread(
    tx: Tx, /, *streams: Reading, count: Count | None = None, block: Timeout | None = None
) -> dict[Key, list[StreamEntry]] | None:
    """Return the entries of *streams* after an id of each, at most *count* of each; nothing if there are none.

    With *block* the call waits for an entry, at most so long (0: without end); `$` then stands for the last id of the
    stream when the call was made.

    >>> ids = [await client.xadd("log", {"n": n}, id=f"{n}-0") for n in (1, 2)]
    >>> await client.xread({"log": "1-0", "absent": "0"})
    {'log': [StreamEntry(id='2-0', fields={'n': 2})]}
    >>> await client.stream("log").read("1-0", block=5)
    [StreamEntry(id='2-0', fields={'n': 2})]
    """
    after: list[bytes] = tx.kept or [start_of(tx, stream, after) for stream, after in streams]
    each = [(key, entries_after(tx, key, id, count)) for (key, _), id in zip(streams, after, strict=True)]
    found = by_stream([(key, entries_of(stored)) for key, stored in each if stored])
    if found is None and block is not None:
        raise WouldBlock(KEYS, [key for key, _ in streams], block or None, None, kept=after, kin=object())
    return found


def in_range(tx: Tx, key: bytes, low: bytes, high: bytes, count: int | None, *, backwards: bool) -> list[StreamEntry]:
    if count is not None and count <= 0:
        return NONE_ASKED if tx.stream_last_id(key) is not None else []
    return entries_of(tx.stream_range(key, low, high, count, backwards=backwards))


def start_of(tx: Tx, stream: bytes, after: str) -> bytes:
    """The id after which *stream* is read."""
    last = tx.stream_last_id(stream)
    if after == "$":
        return last or FIRST
    if after == ">":
        raise InvalidArgument(
            "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
        )
    return id_of(after)


def entries_after(tx: Tx, key: bytes, id: bytes, count: int | None) -> list[Stored]:
    """The entries after *id*; a call that waits already does not mind what is no stream."""
    if id == LAST:
        return []
    try:
        return tx.stream_range(key, next_id(id), LAST, count)
    except WrongType:
        if tx.kept is None:
            raise
        return []
