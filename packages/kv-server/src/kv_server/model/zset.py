"""Sorted sets: the score of every member, and all of them in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, compress, filterfalse
from math import copysign
from typing import Any, Final

from kv_server.model.container import CONTAINERS, Piece
from kv_server.model.entry import ZSET
from kv_server.model.large_set import MEMBER_BYTES, LargeSet, few, weight
from kv_server.model.ranking import Pair, Ranking, in_order
from kv_server.model.steps import Steps, parts, sorting

__all__ = ["SortedSet"]

SCORE_BYTES: Final = MEMBER_BYTES + 116  # measured: what one member costs beyond its bytes


class SortedSet:
    """Members, each with a score that is a number, in the order of the scores and, where those tie, of their bytes.

    *members* tells them apart and says in what order to walk over them: no change of a score disturbs a walk.
    """

    __slots__ = ("members", "ranking", "scores")

    def __init__(self, members: Iterable[bytes] = (), scores: Iterable[float] = ()) -> None:
        self.members = LargeSet(members)
        self.scores = list(scores)
        if any(copysign(1.0, zero) < 0 for zero in filterfalse(None, self.scores)):
            self.scores = [score + 0.0 for score in self.scores]
        self.ranking = Ranking(in_order(self.scores, zip(self.scores, self.members, strict=True)))

    def __len__(self) -> int:
        return len(self.scores)

    def __contains__(self, member: bytes) -> bool:
        return member in self.members.places

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.members.members)

    def score(self, member: bytes) -> float | None:
        place = self.members.places.get(member)
        return None if place is None else self.scores[place]

    # ---- changes
    def put(self, score: float, member: bytes) -> int:
        """Give *member* a *score* and return by how many bytes that grows the account. There is one zero only."""
        score += 0.0  # of -0.0 this makes 0.0
        place = self.members.places.get(member)
        if place is None:
            self.members.add(member)
            self.scores.append(score)
            self.ranking.add((score, member))
            return len(member) + SCORE_BYTES
        self.ranking.remove((self.scores[place], member))
        self.scores[place] = score
        self.ranking.add((score, member))
        return 0

    def remove(self, member: bytes) -> int:
        """Take out *member*, which must be there, and return what it was accounted for."""
        place = self.members.places[member]
        self.ranking.remove((self.scores[place], member))
        self.members.remove(member)
        last = self.scores.pop()
        if place < len(self.scores):
            self.scores[place] = last
        return len(member) + SCORE_BYTES

    def put_all(self, pairs: Sequence[Pair]) -> int:
        """The same as `put` for many."""
        if few(len(pairs), len(self)):
            return sum(self.put(score, member) for score, member in pairs)
        places, scores = self.members.places, self.scores
        fresh: list[bytes] = []
        for score, member in pairs:
            place = places.setdefault(member, len(scores))
            if place < len(scores):
                scores[place] = score + 0.0
            else:
                scores.append(score + 0.0)
                fresh.append(member)
        self.members.members += fresh
        self.members.bytes += weight(fresh)
        ordered = chain.from_iterable(self.ranking.chunks)
        if len(fresh) == len(pairs):
            self.ranking = Ranking(
                in_order(scores, chain(ordered, zip(scores[len(scores) - len(fresh) :], fresh, strict=True)))
            )
        else:
            self.ranking = Ranking(in_order(scores, zip(scores, self.members.members, strict=True)))
        return sum(map(len, fresh)) + SCORE_BYTES * len(fresh)

    def remove_all(self, members: Sequence[bytes], garbage: list[Piece]) -> int:
        """The same as `remove` for many, each once; what is to be freed in slices comes to *garbage*."""
        if few(len(members), len(self)):
            return sum(map(self.remove, members))
        garbage += self.pieces()
        first = self.scores[self.members.places[members[0]]], members[0]
        self.scores = list(compress(self.scores, self.members.cut(members)))
        self.ranking = self.ranking.without(first, members) if self.scores else Ranking()
        return sum(map(len, members)) + SCORE_BYTES * len(members)

    # ---- reads
    def rank(self, member: bytes) -> int:
        """How many stand before *member*, which must be there."""
        return self.ranking.rank((self.scores[self.members.places[member]], member))

    def rank_of_score(self, score: float, *, beyond: bool) -> int:
        """How many have a lower score; *beyond*: a lower one or this."""
        return self.ranking.rank_of_score(score, beyond=beyond)

    def rank_of_member(self, member: bytes, *, beyond: bool) -> int:
        """How many members are lower, given that all have one score; *beyond*: lower or this."""
        return self.ranking.rank_of_member(member, beyond=beyond)

    def slice(self, start: int, stop: int) -> list[Pair]:
        """The pairs of the ranks from *start*, which is not negative, up to *stop*, which is left out."""
        return self.ranking.slice(start, stop)

    def pair(self, place: int) -> Pair:
        """Score and member at a place of the walk."""
        return self.scores[place], self.members.members[place]

    def pairs(self) -> list[Pair]:
        """All of them in the order in which walks meet them."""
        return list(zip(self.scores, self.members.members, strict=True))

    def page(self, cursor: int, count: int) -> tuple[int, list[Pair]]:
        """Up to *count* members with their scores, and the cursor of the next page, as those of a set."""
        following, members = self.members.page(cursor, count)
        places = self.members.places
        scores = map(self.scores.__getitem__, map(places.__getitem__, members))
        return following, list(zip(scores, members, strict=True))

    # ---- as a container
    def copy(self) -> SortedSet:
        """The same, to be changed apart."""
        made = SortedSet.__new__(SortedSet)
        made.members, made.scores = self.members.copy(), self.scores.copy()
        made.ranking = self.ranking.copy()
        return made

    def pieces(self) -> list[Piece]:
        return [self.scores, *self.members.pieces(), *self.ranking.chunks]

    def dump(self) -> Any:
        """The members in the order of walks, and their scores in the same."""
        return [self.members.dump(), self.scores.copy()]

    @classmethod
    def load(cls, dumped: Any) -> SortedSet:
        """The sorted set that was dumped."""
        members, scores = dumped
        made = cls(members, scores)
        if len(made.members.places) != len(scores):
            raise ValueError("a member twice")
        return made

    @classmethod
    def loading(cls, dumped: Any) -> Steps[SortedSet]:
        members, scores = dumped
        made = cls()
        made.members = yield from LargeSet.loading(members)
        pairs: list[Pair] = []
        for some, found in zip(parts(scores), parts(members), strict=True):
            made.scores += [score + 0.0 for score in some]
            pairs += zip(made.scores[-len(some) :], found, strict=True)
            yield
        made.ranking = Ranking((yield from sorting(pairs)))
        return made

    @property
    def bytes(self) -> int:
        """What the members are accounted for."""
        return self.members.bytes + (SCORE_BYTES - MEMBER_BYTES) * len(self.scores)


CONTAINERS[ZSET] = SortedSet
