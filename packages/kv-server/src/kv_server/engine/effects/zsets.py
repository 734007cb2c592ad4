"""Sorted sets: members in the order of their scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kv_server.engine.effects.sets import SetEffects
from kv_server.engine.ground import wrong_type
from kv_server.engine.rows import ZSET_DROP, ZSET_PUT
from kv_server.model.entry import SET, ZSET
from kv_server.model.ranking import Pair
from kv_server.model.set import Set, sample
from kv_server.model.zset import SortedSet

__all__ = ["ScoreSource", "ZsetEffects"]


class ScoreSource:
    """What can be combined with others: a sorted set, or a set, whose members all score 1. To be read at once."""

    __slots__ = ("held",)

    def __init__(self, held: SortedSet | Set) -> None:
        self.held = held

    def whole(self) -> tuple[list[bytes], list[float]]:
        """The members, and their scores in the same order."""
        dumped = self.held.dump()
        return (dumped, [1.0] * len(dumped)) if isinstance(self.held, Set) else dumped

    def scores_of(self, members: Sequence[bytes]) -> Iterable[float]:
        """The scores of *members*, who are all there."""
        return [1.0] * len(members) if isinstance(self.held, Set) else map(self.held.score, members)  # type: ignore[arg-type]


class ZsetEffects(SetEffects):
    """What commands read and change about sorted sets. A key that is absent is an empty one."""

    def zset_at(self, key: bytes) -> SortedSet | None:
        """For the reads below: commands get scores and members, never the sorted set itself."""
        found: SortedSet | None = self.read(key, ZSET)
        return found

    def zset_len(self, key: bytes) -> int:
        return len(self.zset_at(key) or ())

    def zset_score(self, key: bytes, member: bytes) -> float | None:
        found = self.zset_at(key)
        return found.score(member) if found is not None else None

    def zset_scores(self, key: bytes, members: Sequence[bytes]) -> list[float | None]:
        found = self.zset_at(key)
        return [found.score(member) if found is not None else None for member in members]

    def zset_rank(self, key: bytes, member: bytes) -> tuple[int, float] | None:
        """How many members stand before *member*, and its score; nothing if it is not there."""
        found = self.zset_at(key)
        score = found.score(member) if found is not None else None
        if found is None or score is None:
            return None
        return found.rank(member), score

    def zset_rank_of_score(self, key: bytes, score: float, *, beyond: bool) -> int:
        """How many members have a lower score; *beyond*: a lower one or this."""
        found = self.zset_at(key)
        return found.rank_of_score(score, beyond=beyond) if found is not None else 0

    def zset_rank_of_member(self, key: bytes, member: bytes, *, beyond: bool) -> int:
        """How many members are lower by their bytes; *beyond*: lower or this. All must have one score."""
        found = self.zset_at(key)
        return found.rank_of_member(member, beyond=beyond) if found is not None else 0

    def zset_slice(self, key: bytes, start: int, stop: int) -> list[Pair]:
        """Scores and members of the ranks from *start* up to *stop*, which is left out."""
        found = self.zset_at(key)
        return found.slice(start, stop) if found is not None else []

    def zset_sample(self, key: bytes, count: int) -> list[Pair]:
        """*count* of them at random, all different; all of them if there are no more."""
        found = self.zset_at(key)
        if found is None:
            return []
        chosen = sample(self.dice, range(len(found)), min(count, len(found)))
        return [found.pair(place) for place in chosen]

    def zset_draws(self, key: bytes, count: int) -> list[Pair]:
        """*count* of them at random, each drawn from all of them."""
        found = self.zset_at(key)
        return [found.pair(place) for place in self.dice.choices(range(len(found)), k=count)] if found else []

    def zset_page(self, key: bytes, cursor: int, count: int) -> tuple[int, list[Pair]]:
        """A page of a walk over all of them, and the cursor of the next."""
        found = self.zset_at(key)
        return found.page(cursor, count) if found is not None else (0, [])

    def score_source(self, key: bytes) -> ScoreSource:
        """What is at *key*, a sorted set or a set, to be combined with others."""
        entry = self.find(key)
        if entry is None:
            return ScoreSource(SortedSet())
        if entry.kind != ZSET and entry.kind != SET:
            raise wrong_type(ZSET, entry.kind)
        return ScoreSource(entry.value)

    def zset_put(self, key: bytes, pairs: Sequence[Pair]) -> None:
        """Give each member in *pairs* the score beside it."""
        found = self.open_collection(key, ZSET)
        self.effects.append((ZSET_PUT, key, pairs))
        self.close_collection(key, found, found.put_all(pairs))

    def zset_drop(self, key: bytes, members: Sequence[bytes]) -> None:
        """Take *members*, all of which are there, out."""
        found = self.open_collection(key, ZSET)
        self.effects.append((ZSET_DROP, key, members))
        self.close_collection(key, found, -found.remove_all(members, self.store.garbage))
