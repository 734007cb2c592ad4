"""What streams look like to callers: ids as text, entries as records, and their forms on the text door."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from kv_protocol.errors import InvalidArgument
from kv_protocol.names import text
from kv_server.model.stream import Stored
from kv_server.model.stream_id import FIRST, LAST, id_text, make_id, next_id, parts, previous_id
from kv_server.spec.reply import Stretch
from kv_server.spec.resp_kinds import LONG, NIL_ARRAY, PairTable, in_parts
from kv_server.spec.spelled import resp_value
from kv_server.spec.types import NAME_TEXT, Name, Text, Value

V = TypeVar("V")
_PART: Final = re.compile(r"[ \t-\r]*\+?[0-9]{1,100}", re.ASCII).fullmatch

Id: TypeAlias = Annotated[str, NAME_TEXT]
"""An id as callers write it."""

PART_MAX: Final = 2**64 - 1
"""The highest either part of an id can be."""


class StreamEntry(NamedTuple):
    """An entry of a stream. It has no fields where only its id was asked for, or where it was deleted since."""

    id: Text
    fields: dict[Name, Value]


class Repeated(dict[bytes, V]):
    """Things by name where a name came more than once; *all* is every one of them in turn."""

    __slots__ = ("all",)
    all: list[tuple[bytes, V]]


class Table(PairTable):
    """A table in which a name may come more than once."""

    __slots__ = ("all",)

    def __init__(self, all: list[tuple[bytes, object]]) -> None:
        self.all = all

    def __len__(self) -> int:
        return len(self.all)

    def items(self) -> Any:
        return self.all


NONE_ASKED: Final[list[StreamEntry]] = []
"""What a range of at most no entries holds, which text clients tell from an empty range."""


# ---- ids
def id_of(word: str, missing: int = 0) -> bytes:
    """The id that *word* spells: `ms-seq`, or `ms` alone, whose sequence number is *missing*."""
    ms, dash, sequence = word.partition("-")
    numbers = [part_of(ms), part_of(sequence) if dash else missing]
    return make_id(*numbers)


def part_of(digits: str) -> int:
    if _PART(digits):
        number = int(digits)
        if number <= PART_MAX:
            return number
    raise InvalidArgument("Invalid stream ID specified as stream command argument")


def ids_of(words: Iterable[str]) -> list[bytes]:
    """The ids that *words* spell, each once."""
    return list(dict.fromkeys(map(id_of, words)))


def low_end(word: str) -> bytes:
    """Where a range begins: an id, `(` before one that is not part of it, `-` for the first, `+` for the last."""
    id, outside = end_of(word, 0)
    if not outside:
        return id
    if id == LAST:
        raise InvalidArgument("invalid start ID for the interval")
    return next_id(id)


def high_end(word: str) -> bytes:
    """Where a range ends."""
    id, outside = end_of(word, PART_MAX)
    if not outside:
        return id
    if id == FIRST:
        raise InvalidArgument("invalid end ID for the interval")
    return previous_id(id)


def end_of(word: str, missing: int) -> tuple[bytes, bool]:
    if len(word) > 1 and word[0] == "(":
        return id_of(word[1:], missing), True
    return id_or_end(word, missing), False


def id_or_end(word: str, missing: int = 0) -> bytes:
    """The id that *word* spells, or the lowest (`-`) or highest (`+`) there can be."""
    if word in ("-", "+"):
        return FIRST if word == "-" else LAST
    return id_of(word, missing)


def word_text(word: bytes) -> str:
    """A word that spells an id, or none."""
    return text(word)


# ---- ids of new entries
def check_spelling(word: str) -> None:
    """Refuse what does not spell the id of a new entry."""
    if word.endswith("-*"):
        part_of(word[:-2])
    elif word != "*":
        id_of(word)


def new_id(word: str, last: bytes, now_ms: int) -> bytes:
    """The id of an entry that comes after *last*."""
    if last == LAST:
        raise InvalidArgument("The stream has exhausted the last possible ID, unable to add more items")
    if word == "*":
        return max(make_id(now_ms, 0), next_id(last))
    if word.endswith("-*"):
        ms = part_of(word[:-2])
        last_ms, sequence = parts(last)
        id = make_id(ms, 0) if ms != last_ms else next_id(last) if sequence < PART_MAX else FIRST
    else:
        id = id_of(word)
    if id <= last:
        raise InvalidArgument("The ID specified in XADD is equal or smaller than the target stream top item")
    return id


# ---- entries
def entry_of(stored: Stored) -> StreamEntry:
    """An entry as callers have it."""
    id, fields = stored
    by_name = dict(zip(fields[::2], fields[1::2], strict=True))
    if 2 * len(by_name) != len(fields):
        by_name = repeated = Repeated(by_name)
        repeated.all = list(zip(fields[::2], fields[1::2], strict=True))
    return StreamEntry(id_text(id), by_name)


def entries_of(stored: list[Stored]) -> list[StreamEntry]:
    return cast(list[StreamEntry], Stretch(stored, entry_of)) if len(stored) > LONG else list(map(entry_of, stored))


def by_stream(found: list[tuple[bytes, list[StreamEntry]]]) -> dict[bytes, list[StreamEntry]] | None:
    """What was found in each stream; nothing if it was in none. A stream that was read twice has all of it."""
    if not found:
        return None
    by_key = dict(found)
    if len(by_key) == len(found):
        return by_key
    repeated = Repeated({key: [entry for name, part in found if name == key for entry in part] for key in by_key})
    repeated.all = found
    return repeated


def each_of(things: dict[bytes, V]) -> Iterable[tuple[bytes, V]]:
    """Everything that *things* were made of."""
    return things.all if isinstance(things, Repeated) else things.items()


# ---- on the text door
def shown_fields(fields: dict[bytes, bytes]) -> list[object]:
    """Names and values in turn."""
    shown: list[object] = []
    for name, blob in fields.items() if type(fields) is dict else each_of(fields):
        shown += (name, resp_value(blob))
    return shown


def shown_entry(entry: StreamEntry | None) -> list[object] | None:
    return None if entry is None else [entry.id, shown_fields(entry.fields)]


def shown_entries(entries: list[StreamEntry]) -> list[list[object]] | None:
    """Each entry as its id and its fields."""
    return None if entries is NONE_ASKED else shown_each(entries)


@in_parts
def shown_each(entries: list[StreamEntry]) -> list[list[object]]:
    return [[entry.id, shown_fields(entry.fields)] for entry in entries]


def claimed(entries: list[StreamEntry]) -> list[object]:
    """The same for entries of which perhaps only the ids were asked for."""
    return [[entry.id, shown_fields(entry.fields)] if entry.fields else entry.id for entry in entries]


def read_streams(found: dict[bytes, list[StreamEntry]] | None) -> object:
    """Entries by stream."""
    if found is None:
        return NIL_ARRAY
    return Table([(key, shown_entries(entries)) for key, entries in each_of(found)])


def read_with_gaps(found: dict[bytes, list[StreamEntry]] | None) -> object:
    """The same where entries may have been deleted since."""
    if found is None:
        return NIL_ARRAY
    return Table([(key, shown_or_gone(entries)) for key, entries in each_of(found)])


@in_parts
def shown_or_gone(entries: list[StreamEntry]) -> list[list[object]]:
    return [[entry.id, shown_fields(entry.fields) if entry.fields else NIL_ARRAY] for entry in entries]
