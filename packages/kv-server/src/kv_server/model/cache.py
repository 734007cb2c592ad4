"""Namespaces whose keys may be evicted: how a key that is used is marked, and which key is the next to go.

Others pay nothing: a cache has tables of its own, whose entries know their place in a ring of all that may go. Drawing
from the ring is one step. As in Redis, some are drawn each time, and a small pool keeps the best found so far.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Final

from kv_server.model.collector import spare
from kv_server.model.entry import CACHED_BYTES, SCALAR, STREAM, Cached, Entry, Loose
from kv_server.model.table import Table

if TYPE_CHECKING:
    from kv_server.model.space import Namespace

__all__ = ["Cache", "CacheTable", "Habits"]

_POOL: Final = 16
_MINUTE_MS: Final = 60_000
_FIRST_COUNT: Final = 5  # so a new key is not the first to go
_MOST: Final = 255


class Habits:
    """How all caches of a store choose: out of how many, and how fast uses count and are forgotten."""

    __slots__ = ("decay_minutes", "factor", "samples", "throws")

    def __init__(self, dice: Random) -> None:
        self.samples = 5
        self.factor = 10
        self.decay_minutes = 1
        self.throws = Random(dice.getrandbits(64))


class Cache:
    """What of one namespace may go, and in which order."""

    __slots__ = ("_pool", "home", "order", "ring", "table", "volatile", "worth")

    def __init__(self, home: Namespace, policy: str) -> None:
        scope, _, order = policy.partition("-")
        self.home = home
        self.order = order
        self.volatile = scope == "volatile"
        self.table = {"lru": RecentTable, "lfu": FrequentTable}.get(order, CacheTable)
        self.worth = {"lru": last_used, "lfu": self.count, "ttl": deadline}.get(order)
        self.ring: list[Cached] = []
        spare(self.ring)
        self._pool: list[tuple[int, int, Cached]] = []

    # ---- the ring
    def fits(self, entry: Entry) -> bool:
        """Whether *entry* is of those that may go."""
        return entry.kind != STREAM and (not self.volatile or entry.expires_ms > 0)

    def enter(self, entry: Cached) -> None:
        entry.place = len(self.ring) if self.fits(entry) else -1
        if entry.place >= 0:
            self.ring.append(entry)

    def leave(self, entry: Cached) -> None:
        """Take *entry* out; the last takes its place."""
        place, ring = entry.place, self.ring
        if place >= 0:
            last = ring.pop()
            if last is not entry:
                ring[place] = last
                last.place = place
            entry.place = -1

    def follow(self, entry: Cached, made: Cached) -> None:
        """Let *made* be what *entry* was."""
        made.used, made.place = entry.used, entry.place
        if made.place >= 0:
            self.ring[made.place] = made
        self._pool = [(worth, tie, made if known is entry else known) for worth, tie, known in self._pool]

    def clear(self) -> None:
        """Nothing is left."""
        self.ring = []
        spare(self.ring)
        self._pool = []

    # ---- uses
    def began(self) -> int:
        """The mark of an entry that is new, or of which nothing is known."""
        now_ms = self.home.store.elapsed_ms
        return (now_ms // _MINUTE_MS) << 8 | _FIRST_COUNT if self.table is FrequentTable else now_ms

    def counted(self, used: int) -> int:
        """The count in the mark *used*, of which time has taken something off."""
        decay, count = self.home.store.habits.decay_minutes, used & _MOST
        gone = self.home.store.elapsed_ms // _MINUTE_MS - (used >> 8)
        return max(0, count - gone // decay) if decay and gone else count

    def count(self, entry: Cached) -> int:
        """How often *entry* was used, roughly, and lately."""
        return self.counted(entry.used)

    def mark(self, used: int) -> int:
        """The mark that follows *used*: Morris's counter."""
        count, habits = self.counted(used), self.home.store.habits
        if count < _MOST:
            above = count - _FIRST_COUNT
            if above <= 0 or habits.throws.random() * (above * habits.factor + 1) < 1:
                count += 1
        return (self.home.store.elapsed_ms // _MINUTE_MS) << 8 | count

    # ---- choosing
    def choose(self, bound: set[tuple[bytes, int]]) -> Cached | None:
        """The entry that should go next, none of the keys *bound* at these versions; None if there is none."""
        ring, habits = self.ring, self.home.store.habits
        random = habits.throws.random
        for _ in range(_POOL):
            if not ring:
                return None
            if self.worth is None:
                found: Cached | None = ring[int(random() * len(ring))]
            else:
                for _ in range(habits.samples):
                    self._consider(ring[int(random() * len(ring))], int(random() * _MINUTE_MS))
                found = self._best()
            if found is not None and (not bound or (found.key, found.version) not in bound):
                return found
        if not bound:
            return None
        return next((entry for entry in ring if (entry.key, entry.version) not in bound), None)

    def _consider(self, entry: Cached, tie: int) -> None:
        assert self.worth is not None
        pool, worth = self._pool, self.worth(entry)
        if len(pool) < _POOL or worth < pool[-1][0]:
            if any(known is entry for _, _, known in pool):
                return
            insort(pool, (worth, tie, entry), key=_by_worth)
            del pool[_POOL:]

    def _best(self) -> Cached | None:
        """The worst of the pool that was not used meanwhile, and is still there."""
        assert self.worth is not None
        pool, ring = self._pool, self.ring
        while pool:
            worth, _, entry = pool.pop(0)
            if 0 <= entry.place < len(ring) and ring[entry.place] is entry and self.worth(entry) <= worth:
                return entry
        return None


def last_used(entry: Cached) -> int:
    return entry.used


def deadline(entry: Cached) -> int:
    return entry.expires_ms


def _by_worth(candidate: tuple[int, int, Cached]) -> tuple[int, int]:
    return candidate[0], candidate[1]


class CacheTable(Table):
    """The table of a cache that takes no notice of uses."""

    __slots__ = ()
    cache: Cache

    def put(self, key: bytes, entry: Entry) -> Entry:
        made = super().put(key, entry)
        assert isinstance(made, Cached)
        made.used = self.cache.began()
        self.cache.enter(made)
        self.grow(CACHED_BYTES)
        return made

    def put_all(
        self, keys: Sequence[bytes], blobs: Sequence[bytes], versions: Sequence[int], expiries: Sequence[int]
    ) -> None:
        for key, blob, version, expires_ms in zip(keys, blobs, versions, expiries, strict=True):
            self.put(key, Loose(SCALAR, blob, version, expires_ms))

    def replace(self, key: bytes, entry: Entry, value: bytes, version: int) -> Entry:
        made = super().replace(key, entry, value, version)
        if made is not entry:
            assert isinstance(made, Cached)
            assert isinstance(entry, Cached)
            self.cache.follow(entry, made)
        return made

    def remove(self, key: bytes) -> Entry:
        entry = super().remove(key)
        assert isinstance(entry, Cached)
        self.cache.leave(entry)
        self.grow(-CACHED_BYTES)
        return entry

    def set_expiry(self, key: bytes, entry: Entry, expires_ms: int) -> None:
        super().set_expiry(key, entry, expires_ms)
        assert isinstance(entry, Cached)
        if self.cache.volatile and (entry.place >= 0) != (expires_ms > 0):
            if expires_ms:
                self.cache.enter(entry)
            else:
                self.cache.leave(entry)


class RecentTable(CacheTable):
    """The table of a cache that keeps what was used last."""

    __slots__ = ()

    def get(self, key: bytes, default: None = None) -> Entry | None:  # type: ignore[override]
        entry = self.peek(key)
        if isinstance(entry, Cached):
            entry.used = self.cache.home.store.elapsed_ms
        return entry


class FrequentTable(CacheTable):
    """The table of a cache that keeps what is used most often."""

    __slots__ = ()

    def get(self, key: bytes, default: None = None) -> Entry | None:  # type: ignore[override]
        entry = self.peek(key)
        if isinstance(entry, Cached):
            entry.used = self.cache.mark(entry.used)
        return entry
