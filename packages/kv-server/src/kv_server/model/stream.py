"""A stream: entries in the order of their ids, of which each is a record of fields, and the groups that read it.

A field's name may come again within one entry, so the fields are one tuple of names and values in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat
from typing import Any, Final, Self, cast

from kv_server.model.collector import spare
from kv_server.model.container import CONTAINERS, Piece
from kv_server.model.entry import STREAM
from kv_server.model.ledger import Ledger
from kv_server.model.steps import Steps, parts
from kv_server.model.stream_group import UNKNOWN, Group
from kv_server.model.stream_id import FIRST, LAST
from kv_server.spec.reply import Stretch
from kv_server.spec.resp_kinds import LONG

__all__ = ["Fields", "Stored", "Stream", "parted"]

Fields = tuple[bytes, ...]
"""Name, value blob, name, value blob, and so on."""
Stored = tuple[bytes, Fields]
"""An entry: its id and its fields."""

RECORD_BYTES: Final = 150  # measured: what one entry costs beyond the bytes of its fields
PART_BYTES: Final = 41


def weight(fields: Fields) -> int:
    """What an entry is accounted for."""
    return RECORD_BYTES + sum(map(len, fields)) + PART_BYTES * len(fields)


def weight_of_all(entries: Sequence[Fields]) -> int:
    """What many entries are accounted for."""
    octets = sum(map(len, chain.from_iterable(entries)))
    return octets + PART_BYTES * sum(map(len, entries)) + RECORD_BYTES * len(entries)


def parted(parts: Sequence[bytes], sizes: Sequence[int]) -> list[Fields]:
    """The fields of many entries, of which each is of so many of *parts*."""
    rest = iter(parts)
    if len(set(sizes)) == 1:
        return list(zip(*[rest] * sizes[0], strict=True))
    return list(map(tuple, map(islice, repeat(rest), sizes)))


class Stream:
    """The container of a stream. What changes it returns by how many bytes it has grown."""

    __slots__ = ("added", "bytes", "entries", "groups", "last_id", "max_deleted")

    def __init__(self) -> None:
        self.bytes = 0
        self.entries: Ledger[Fields] = Ledger()
        self.groups: dict[bytes, Group] = {}
        self.last_id = FIRST
        """The highest id an entry ever had, also if that is gone."""
        self.added = 0
        """How many entries were ever added."""
        self.max_deleted = FIRST
        """The highest id of an entry that was deleted by its id."""
        spare(self)
        spare(self.groups)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]

    @property
    def first_id(self) -> bytes:
        """The id of the oldest entry; `FIRST` if there is none."""
        return self.entries.first() or FIRST

    def between(self, low: bytes, high: bytes, count: int | None, *, backwards: bool = False) -> list[Stored]:
        """At most *count* entries from *low* to *high*, both included."""
        ids = self.entries.ids(low, high, count, backwards=backwards)
        every = list(map(self.entries.found.__getitem__, ids))
        if len(ids) <= LONG:
            return list(zip(ids, every, strict=True))
        return cast(list[Stored], Stretch(range(len(ids)), lambda at: (ids[at], every[at])))

    def below(self, id: bytes) -> int:
        """How many entries come before *id*."""
        number = 0
        for found, _ in self.entries.upward(FIRST, id):
            number += found < id
        return number

    # ---- changes
    def add(self, id: bytes, fields: Fields) -> int:
        """Append an entry under *id*, which is higher than any before."""
        self.entries.put(id, fields)
        self.last_id = id
        self.added += 1
        return weight(fields)

    def delete(self, ids: Sequence[bytes]) -> int:
        """Take out the entries *ids*, which are there; that they were deleted is remembered."""
        self.max_deleted = max(self.max_deleted, *ids)
        return -sum(weight(self.entries.take(id)) for id in ids)

    def trim(self, count: int) -> int:
        """Take out the oldest *count* entries."""
        oldest = self.entries.between(FIRST, LAST, count)
        return -sum(weight(self.entries.take(id)) for id, _ in oldest)

    def keep(self, count: int) -> int:
        """Keep the newest *count* entries alone. What the entries were in is left as it was."""
        newest = self.entries.between(FIRST, LAST, count, backwards=True)[::-1]
        self.entries = Ledger.of([id for id, _ in newest], [fields for _, fields in newest])
        groups = sum(len(name) + group.size for name, group in self.groups.items())
        return groups + weight_of_all([fields for _, fields in newest]) - self.bytes

    def put_group(self, name: bytes, group: Group) -> int:
        """Add *group* under *name*, which is new."""
        self.groups[name] = group
        spare(self.groups)
        return len(name) + group.size

    # ---- how far a group is
    def holed_from(self, id: bytes) -> bool:
        """Whether entries from *id* on may have been deleted by their ids."""
        return len(self) > 0 and self.max_deleted != FIRST and id <= self.max_deleted

    def distance(self, id: bytes) -> int:
        """How many entries were ever added up to *id*, as far as that can be told; else `UNKNOWN`."""
        if not self.added:
            return 0
        if not len(self) and id <= self.last_id:
            return self.added
        if id >= self.last_id:
            return self.added if id == self.last_id else UNKNOWN
        if self.max_deleted == FIRST or self.max_deleted < self.first_id:
            if id < self.first_id:
                return self.added - len(self)
            if id == self.first_id:
                return self.added - len(self) + 1
        return UNKNOWN

    def lag(self, group: Group) -> int | None:
        """How many entries *group* has not been given yet; None where nobody can say."""
        if not self.added:
            return 0
        if group.read != UNKNOWN and not self.holed_from(group.last_id):
            return self.added - group.read
        read = self.distance(group.last_id)
        return None if read == UNKNOWN else self.added - read

    def read_after(self, group: Group, ids: Sequence[bytes]) -> int:
        """How many entries *group* has read once it was given *ids* too."""
        read = group.read
        if read != UNKNOWN and ids and not self.holed_from(min(ids)):
            return read + len(ids)
        for id in ids:
            if read != UNKNOWN and not self.holed_from(id):
                read += 1
            elif self.added:
                read = self.distance(id)
        return read

    # ---- as a whole
    def copy(self) -> Self:
        made = type(self)()
        made.bytes, made.entries = self.bytes, self.entries.copy()
        for name, group in self.groups.items():
            made.put_group(name, group.copy())
        made.last_id, made.added, made.max_deleted = self.last_id, self.added, self.max_deleted
        return made

    def pieces(self) -> list[Piece]:
        return self.entries.pieces() + [piece for group in self.groups.values() for piece in group.pieces()]

    def dump(self) -> Any:
        """Of the entries their ids, of how many parts each is, and the parts of all."""
        return [list(part) if isinstance(part, Iterator) else part for part in self.frozen()]

    def frozen(self) -> list[Any]:
        """What is dumped, with iterators that no change disturbs in the place of the long lists."""
        ids, every = list(self.entries.found), list(self.entries.found.values())
        groups = [[name, group.dump()] for name, group in sorted(self.groups.items())]
        told = chain.from_iterable(every)
        return [self.last_id, self.added, self.max_deleted, iter(ids), map(len, every), told, groups]

    @classmethod
    def load(cls, dumped: Any) -> Self:
        ids, sizes, told = dumped[3:6]
        stream = cls()
        if ids:
            stream.entries = Ledger.of(ids, parted(told, sizes))
            stream.bytes = sum(map(len, told)) + PART_BYTES * len(told) + RECORD_BYTES * len(ids)
        return stream._with(dumped)

    @classmethod
    def loading(cls, dumped: Any) -> Steps[Self]:
        ids, sizes, told = dumped[3:6]
        stream = cls()
        start = 0
        for some, lengths in zip(parts(ids), parts(sizes), strict=True):
            stop = start + sum(lengths)
            stream.entries.put_all(some, parted(told[start:stop], lengths))
            start = stop
            yield
        if len(stream.entries) != len(ids):
            raise ValueError("an id twice")
        for part in parts(told):
            stream.bytes += sum(map(len, part))
            yield
        stream.bytes += PART_BYTES * len(told) + RECORD_BYTES * len(ids)
        return stream._with(dumped)

    def _with(self, dumped: Any) -> Self:
        """The same with what was dumped beside the entries."""
        self.last_id, self.added, self.max_deleted, *_, groups = dumped
        for name, group in groups:
            self.bytes += self.put_group(name, Group.load(group))
        return self


CONTAINERS[STREAM] = Stream
