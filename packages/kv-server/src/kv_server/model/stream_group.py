"""Consumer groups of a stream: how far a group has read, who reads for it, and what was delivered and not settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kv_server.model.collector import spare
from kv_server.model.container import Piece
from kv_server.model.ledger import Ledger
from kv_server.model.stream_id import LAST, next_id

__all__ = ["UNKNOWN", "Consumer", "Group", "Pending"]

UNKNOWN: Final = -1
"""How many entries a group has read, where nobody can say."""

GROUP_BYTES: Final = 320  # measured: what one costs beyond the bytes of its name
CONSUMER_BYTES: Final = 310
PENDING_BYTES: Final = 220


class Pending:
    """An entry that *consumer* was given and has not settled."""

    __slots__ = ("consumer", "count", "delivered_ms")

    def __init__(self, consumer: bytes, delivered_ms: int, count: int) -> None:
        self.consumer = consumer
        self.delivered_ms = delivered_ms
        self.count = count
        spare(self)


class Consumer:
    """Who reads for a group: when it last asked, when it last got something (-1: never), what it holds."""

    __slots__ = ("active_ms", "pending", "seen_ms")

    def __init__(self, seen_ms: int, active_ms: int) -> None:
        self.seen_ms = seen_ms
        self.active_ms = active_ms
        self.pending: Ledger[Pending] = Ledger()
        spare(self)


class Group:
    """A group; its methods return by how many bytes it has grown."""

    __slots__ = ("consumers", "last_id", "pending", "read")

    def __init__(self, last_id: bytes, read: int) -> None:
        self.last_id = last_id
        self.read = read
        self.consumers: dict[bytes, Consumer] = {}
        self.pending: Ledger[Pending] = Ledger()
        spare(self)
        spare(self.consumers)

    @property
    def size(self) -> int:
        """What it is accounted for, but for its name."""
        names = sum(len(name) + CONSUMER_BYTES for name in self.consumers)
        return GROUP_BYTES + names + len(self.pending) * PENDING_BYTES

    def held_by(self, name: bytes, after: bytes, count: int | None) -> list[bytes]:
        """The ids of at most *count* entries after *after* that the consumer *name* holds."""
        consumer = self.consumers.get(name)
        if consumer is None or after == LAST:
            return []
        return [id for id, _ in consumer.pending.between(next_id(after), LAST, count)]

    def put_consumer(self, name: bytes, seen_ms: int, active_ms: int) -> int:
        """Note when the consumer *name*, who may be new, was here."""
        consumer = self.consumers.get(name)
        if consumer is None:
            self.consumers[name] = Consumer(seen_ms, active_ms)
            spare(self.consumers)
            return len(name) + CONSUMER_BYTES
        consumer.seen_ms = seen_ms
        consumer.active_ms = active_ms
        return 0

    def drop_consumer(self, name: bytes) -> int:
        """Forget the consumer *name* and all it holds."""
        consumer = self.consumers.pop(name)
        for id in consumer.pending.found:
            self.pending.take(id)
        return -len(name) - CONSUMER_BYTES - PENDING_BYTES * len(consumer.pending)

    def assign(self, id: bytes, name: bytes, delivered_ms: int, count: int) -> int:
        """Let the consumer *name* hold the entry *id*, whoever held it."""
        held = self.pending.found.get(id)
        if held is None:
            held = Pending(name, delivered_ms, count)
            self.pending.put(id, held)
            self.consumers[name].pending.put(id, held)
            return PENDING_BYTES
        if held.consumer != name:
            self.consumers[held.consumer].pending.take(id)
            self.consumers[name].pending.put(id, held)
            held.consumer = name
        held.delivered_ms = delivered_ms
        held.count = count
        return 0

    def assign_all(self, ids: Sequence[bytes], name: bytes, delivered_ms: int, counts: Sequence[int]) -> int:
        """The same for many, each once."""
        if not self.pending.found.keys().isdisjoint(ids):
            return sum(self.assign(id, name, delivered_ms, count) for id, count in zip(ids, counts, strict=True))
        held = [Pending(name, delivered_ms, count) for count in counts]
        self.pending.put_all(ids, held)
        self.consumers[name].pending.put_all(ids, held)
        return PENDING_BYTES * len(ids)

    def settle(self, id: bytes) -> int:
        """Nobody holds the entry *id* any longer."""
        held = self.pending.take(id)
        self.consumers[held.consumer].pending.take(id)
        return -PENDING_BYTES

    def copy(self) -> Group:
        """The same, to be changed apart."""
        return self.load(self.dump())

    def pieces(self) -> list[Piece]:
        """All it is made of, to be emptied."""
        held = [piece for consumer in self.consumers.values() for piece in consumer.pending.pieces()]
        return held + self.pending.pieces()

    def dump(self) -> list[Any]:
        """All of it, to be loaded again."""
        consumers = [[name, who.seen_ms, who.active_ms] for name, who in sorted(self.consumers.items())]
        pending = [
            [id, held.consumer, held.delivered_ms, held.count] for id, held in sorted(self.pending.found.items())
        ]
        return [self.last_id, self.read, consumers, pending]

    @classmethod
    def load(cls, dumped: Any) -> Group:
        """The group that was dumped."""
        last_id, read, consumers, pending = dumped
        group = cls(last_id, read)
        for name, seen_ms, active_ms in consumers:
            group.put_consumer(name, seen_ms, active_ms)
        for id, name, delivered_ms, count in pending:
            group.assign(id, name, delivered_ms, count)
        return group
