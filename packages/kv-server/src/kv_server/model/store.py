"""All namespaces with their tables and locks, the schedule of deadlines, and the order in which scans walk.

A namespace exists from its first write, a table from its first key. Dropping a namespace takes it out of the name
table at once; its entries are freed in slices. Slots are Redis Cluster's, shards are ranges of slots.
"""

from bisect import bisect_left
from collections.abc import Iterator
from hashlib import blake2b
from random import Random
from typing import Final

from kv_protocol.limits import SLOTS
from kv_server.model.account import Account
from kv_server.model.cache import Habits
from kv_server.model.collector import spare, spare_all
from kv_server.model.container import Piece
from kv_server.model.entry import SCALAR, Entry
from kv_server.model.schedule import Schedule
from kv_server.model.space import NAMESPACE_BYTES, TABLE_BYTES, Namespace
from kv_server.model.table import Table
from kv_server.model.terms import Rules

__all__ = ["Namespace", "Store"]

_ORDER_BITS: Final = 48
_FREED_PER_SLICE: Final = 5_000
_FREED_AT_ONCE: Final = 1_000


class Store(Account):
    """The namespaces by name. *shift* turns a slot into a shard; *seed* decides the order of scans."""

    def __init__(self, shards: int, seed: bytes) -> None:
        if shards < 1 or shards > SLOTS or shards & (shards - 1):
            raise ValueError(f"shards must be a power of two from 1 to {SLOTS}, not {shards}")
        super().__init__(None)
        self.shards = shards
        self.shift = SLOTS.bit_length() - shards.bit_length()
        self.seed = seed
        self.namespaces: dict[bytes, Namespace] = {}
        self.callers = 0
        """What sessions take with what is kept for them; it is among the bytes."""
        self.rules = Rules()
        self.habits = Habits(Random(seed))
        self.turning: list[Iterator[None]] = []
        """Namespaces that become caches, or none."""
        self.elapsed_ms = 0
        self.empty = Table(self)
        self.due: Schedule[tuple[Table, Namespace]] = Schedule(lambda due_ms, place: place[0].due_ms == due_ms)
        self.leases: Schedule[tuple[bytes, bytes, int]] = Schedule(self.lease_ends)
        spare(self.leases.heap)  # names and numbers
        self.garbage: list[Piece] = []
        self.frozen = False
        """What was dropped is not freed: somebody copies it."""

    def namespace(self, name: bytes) -> Namespace:
        """The namespace called *name*, made now if it did not exist."""
        found = self.namespaces.get(name)
        if found is None:
            found = self.namespaces[name] = Namespace(name, self)
            found.grow(NAMESPACE_BYTES + len(name))
            terms = self.rules.of(name)
            if terms is not found.terms:
                found.apply(terms)
        return found

    def table(self, namespace: Namespace, shard: int) -> Table:
        """The table of *shard*, made now if it did not exist."""
        table = namespace.tables[shard]
        if table is self.empty:
            table = namespace.tables[shard] = namespace.table()
        return table

    # ---- deadlines
    def schedule(self, namespace: Namespace, table: Table) -> None:
        """See to it that *table* is looked at when its first deadline comes."""
        first = table.first_due()
        if first and (not table.due_ms or first < table.due_ms):
            table.due_ms = first
            self.due.add(first, (table, namespace))

    def due_key(self, now_ms: int) -> tuple[Namespace, bytes] | None:
        """A key whose deadline has passed; it stays due until it is taken out of its table. None when there is none."""
        while (place := self.due.peek(now_ms)) is not None:
            table, namespace = place
            key = table.due_key(now_ms)
            if key is not None:
                return namespace, key
            table.due_ms = 0
            self.schedule(namespace, table)
        return None

    def lease_ends(self, until_ms: int, place: tuple[bytes, bytes, int]) -> bool:
        """Whether there is a hold at *place*, namespace, lock and token, whose lease ends at *until_ms*."""
        namespace = self.namespaces.get(place[0])
        held = namespace.locks.get(place[1]) if namespace is not None else None
        hold = held.get(place[2]) if held is not None else None
        return hold is not None and hold.until_ms == until_ms

    # ---- what there may be
    def govern(self, rules: Rules) -> None:
        """Give every namespace the terms that *rules* have for it."""
        self.rules = rules
        for space in self.namespaces.values():
            space.apply(rules.of(space.name))

    def charge_callers(self, size: int) -> None:
        """Say what sessions take now."""
        self.bytes += size - self.callers
        self.callers = size

    # ---- dropping
    def drop(self, name: bytes) -> None:
        """Take the namespace called *name* away with all it holds."""
        space = self.namespaces.pop(name)
        self.flush(space)
        self.bytes -= space.bytes

    def flush(self, namespace: Namespace) -> None:
        """Take every key of *namespace* away; O(shards) now, the freeing later."""
        gone = 0
        for table in namespace.tables:
            if table is self.empty:
                continue
            table.due_ms = 0
            table.clear_deadlines()
            gone += table.bytes + TABLE_BYTES
            if table:
                self.garbage.append(table)
        namespace.tables = [self.empty] * self.shards
        namespace.keys = 0
        namespace.grow(-gone)
        if namespace.cache is not None:
            namespace.cache.clear()

    def swap(self, one: Namespace, two: Namespace) -> None:
        """Exchange the names of two namespaces, but not their locks."""
        one.name, two.name = two.name, one.name
        one.locks, two.locks = two.locks, one.locks
        more = two.lock_bytes + len(one.name) - one.lock_bytes - len(two.name)
        one.lock_bytes, two.lock_bytes = two.lock_bytes, one.lock_bytes
        one.bytes += more
        two.bytes -= more
        self.namespaces[one.name], self.namespaces[two.name] = one, two
        if one.terms != two.terms:
            for space in (one, two):
                space.apply(self.rules.of(space.name))

    def turn_some(self) -> bool:
        """Go on with the namespaces that become caches, or none; True while there is more. Not while somebody copies:
        what he knows are the tables as they were.
        """
        while not self.frozen and self.turning:
            if next(self.turning[0], self) is self:
                del self.turning[0]
            else:
                break
        return bool(self.turning) and not self.frozen

    def discard(self, entry: Entry) -> None:
        """Let go of what was taken out of a table: of a large collection piece by piece."""
        if entry.kind != SCALAR and len(entry.value) > _FREED_AT_ONCE:
            self.garbage += entry.value.pieces()

    def free_some(self) -> bool:
        """Free one slice of what was dropped; True while there is more."""
        left = _FREED_PER_SLICE
        while self.garbage and left > 0:
            piece = self.garbage.pop()
            if isinstance(piece, list):
                before = len(piece)
                del piece[-left:]
                left -= before - len(piece)
            elif isinstance(piece, (dict, Table)):
                while piece and left > 0:
                    _, thing = piece.popitem()
                    left -= 1
                    if isinstance(thing, Entry):
                        self.discard(thing)
            else:
                left -= piece.free(left)
            if piece:
                self.garbage.append(piece)
        return bool(self.garbage)

    # ---- scans
    def scan(self, namespace: Namespace, cursor: int, wanted: int) -> tuple[int, list[bytes]]:
        """The cursor that goes on, 0 at the end, and at least *wanted* keys from *cursor* on if there are as many.

        A cursor is a point: shard, then 48 bits of the key's seeded hash. Keys that stay are met whatever else comes
        and goes.
        """
        shard, point = cursor >> _ORDER_BITS, cursor & ((1 << _ORDER_BITS) - 1)
        found: list[bytes] = []
        while shard < self.shards:
            order = self.order(namespace.tables[shard])
            at = bisect_left(order, (point, b""))
            end = min(len(order), at + max(wanted - len(found), 0))
            while end < len(order) and end > at and order[end][0] == order[end - 1][0]:
                end += 1
            table = namespace.tables[shard]
            found += [key for _, key in order[at:end] if key in table]
            if end < len(order):
                return shard << _ORDER_BITS | order[end][0], found
            shard, point = shard + 1, 0
            if len(found) >= wanted and shard < self.shards:
                return shard << _ORDER_BITS, found
        return 0, found

    def order(self, table: Table) -> list[tuple[int, bytes]]:
        """The keys of *table* by hash, sorted anew only if a key has come since; the caller skips keys that went."""
        if not table:
            return []
        if table.order is None or table.order[0] != table.arrivals:
            points = sorted((self.point(key), key) for key in table)
            spare_all(points)
            spare(points)
            table.order = table.arrivals, points
        return table.order[1]

    def point(self, key: bytes) -> int:
        return int.from_bytes(blake2b(key, digest_size=6, key=self.seed).digest(), "big")
