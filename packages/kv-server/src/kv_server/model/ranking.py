"""Pairs of score and member in order, with the rank of each: sorted chunks of bounded size under an index of counts.

Finding a pair is a search over the last pairs of all chunks and one in a chunk; the rank of a chunk is a sum over an
index of partial sums (Fenwick's), so both cost O(log n). An insertion moves at most one chunk.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from math import inf, nextafter
from operator import itemgetter
from typing import Final, TypeAlias

__all__ = ["Pair", "Ranking", "in_order"]

Pair: TypeAlias = tuple[float, bytes]

_CHUNK: Final = 512  # as a chunk is laid out; it is halved when twice as long, dropped when empty
_score = itemgetter(0)
_member = itemgetter(1)


def in_order(scores: Collection[float], pairs: Iterable[Pair]) -> list[Pair]:
    """*pairs*, which have these *scores*, sorted. Floats compare faster than pairs do, and after that only ties are
    left to be put right.
    """
    ordered = sorted(pairs, key=_score)
    ties = len(scores) - len(set(scores))
    if ties * 4 > len(ordered):
        ordered.sort(key=_member)
        ordered.sort(key=_score)
    elif ties:
        ordered.sort()
    return ordered


class Ranking:
    """Distinct pairs, ordered by score, then by the bytes of the member."""

    __slots__ = ("chunks", "count", "lasts", "sums")

    def __init__(self, ordered: Iterable[Pair] = ()) -> None:
        """*ordered* must be in order already."""
        pairs = list(ordered)
        self.count = len(pairs)
        self.chunks = [pairs[at : at + _CHUNK] for at in range(0, len(pairs), _CHUNK)]
        self.lasts = [chunk[-1] for chunk in self.chunks]
        self.sums: list[int] = []
        self._sum_up()

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Pair]:
        for chunk in self.chunks:
            yield from chunk

    def copy(self) -> Ranking:
        made = Ranking()
        made.count = self.count
        made.chunks = [chunk.copy() for chunk in self.chunks]
        made.lasts = self.lasts.copy()
        made.sums = self.sums.copy()
        return made

    def _sum_up(self) -> None:
        """Count all chunks anew. `sums[i]` counts those up to i, as many as the lowest bit of i + 1 says."""
        sums = [len(chunk) for chunk in self.chunks]
        for index in range(len(sums)):
            above = index | (index + 1)
            if above < len(sums):
                sums[above] += sums[index]
        self.sums = sums

    def _note(self, index: int, change: int) -> None:
        sums = self.sums
        size = len(sums)
        while index < size:
            sums[index] += change
            index |= index + 1
        self.count += change

    def _before_chunk(self, index: int) -> int:
        """How many pairs stand before the chunk at *index*."""
        total = 0
        sums = self.sums
        while index:
            total += sums[index - 1]
            index &= index - 1
        return total

    def add(self, pair: Pair) -> None:
        """Add *pair*, which must not be there yet."""
        chunks = self.chunks
        if not chunks:
            chunks.append([pair])
            self.lasts.append(pair)
            self.count = 1
            self._sum_up()
            return
        index = bisect_left(self.lasts, pair)
        if index == len(chunks):
            index -= 1
            chunk = chunks[index]
            chunk.append(pair)
            self.lasts[index] = pair
        else:
            chunk = chunks[index]
            insort(chunk, pair)
        if len(chunk) < 2 * _CHUNK:
            self._note(index, 1)
            return
        chunks.insert(index + 1, chunk[_CHUNK:])
        del chunk[_CHUNK:]
        self.lasts.insert(index, chunk[-1])
        self.count += 1
        self._sum_up()

    def remove(self, pair: Pair) -> None:
        """Take out *pair*, which must be there."""
        index = bisect_left(self.lasts, pair)
        chunk = self.chunks[index]
        del chunk[bisect_left(chunk, pair)]
        if chunk:
            self.lasts[index] = chunk[-1]
            self._note(index, -1)
        else:
            del self.chunks[index], self.lasts[index]
            self.count -= 1
            self._sum_up()

    def without(self, first: Pair, members: Sequence[bytes]) -> Ranking:
        """The same pairs but for those of *members*, each once, of which *first* is that of the first."""
        start = self.rank(first)
        stop = start + len(members)
        if list(map(_member, self.slice(start, stop))) == members:
            return Ranking(self.slice(0, start) + self.slice(stop, self.count))
        gone = set(members)
        return Ranking([pair for pair in chain.from_iterable(self.chunks) if pair[1] not in gone])

    def rank(self, pair: tuple[float] | Pair) -> int:
        """How many pairs stand before *pair*, be it there or not; a score alone stands before its members."""
        index = bisect_left(self.lasts, pair)
        if index == len(self.chunks):
            return self.count
        return self._before_chunk(index) + bisect_left(self.chunks[index], pair)

    def rank_of_score(self, score: float, *, beyond: bool) -> int:
        """How many pairs have a lower score; *beyond*: a lower one or this."""
        if not beyond:
            return self.rank((score,))
        return self.count if score == inf else self.rank((nextafter(score, inf),))

    def rank_of_member(self, member: bytes, *, beyond: bool) -> int:
        """How many members are lower, given that all have one score; *beyond*: lower or this."""
        wanted = member + b"\0" if beyond else member
        index = bisect_left(self.lasts, wanted, key=_member)
        if index == len(self.chunks):
            return self.count
        return self._before_chunk(index) + bisect_left(self.chunks[index], wanted, key=_member)

    def slice(self, start: int, stop: int) -> list[Pair]:
        """The pairs of the ranks from *start*, which is not negative, up to *stop*, which is left out."""
        stop = min(stop, self.count)
        if start >= stop:
            return []
        index, skipped = self._chunk_at(start)
        first = start - skipped
        wanted = stop - start
        found = self.chunks[index][first : first + wanted]
        while len(found) < wanted:
            index += 1
            found += self.chunks[index][: wanted - len(found)]
        return found

    def _chunk_at(self, rank: int) -> tuple[int, int]:
        """The chunk that holds the pair of *rank*, and how many pairs stand before that chunk."""
        sums = self.sums
        index = skipped = 0
        step = 1 << (len(sums).bit_length() - 1)
        while step:
            further = index + step
            if further <= len(sums) and skipped + sums[further - 1] <= rank:
                index = further
                skipped += sums[further - 1]
            step >>= 1
        return index, skipped
