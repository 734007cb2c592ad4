"""Streams and their consumer groups. A stream without entries stays: its ids go on from where they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kv_server.engine.effects.channels import ChannelEffects
from kv_server.engine.rows import (
    CONSUMER_DROP,
    CONSUMER_PUT,
    GROUP_DROP,
    GROUP_PUT,
    PENDING_DROP,
    PENDING_PUT,
    STREAM_ADD,
    STREAM_DELETE,
    STREAM_SET,
    STREAM_TRIM,
)
from kv_server.model.entry import STREAM
from kv_server.model.set import few
from kv_server.model.stream import Fields, Stored, Stream
from kv_server.model.stream_group import Group

__all__ = ["StreamEffects", "StreamFacts"]


class StreamFacts(NamedTuple):
    """What is known of a stream as a whole; ids are `FIRST` where there is none."""

    length: int
    first_id: bytes
    last_id: bytes
    max_deleted: bytes
    added: int
    groups: int


class StreamEffects(ChannelEffects):
    """What commands read and change about streams. Groups are handed out to be read only."""

    def stream_of(self, key: bytes) -> Stream | None:
        stream: Stream | None = self.read(key, STREAM)
        return stream

    def stream_len(self, key: bytes) -> int:
        stream = self.stream_of(key)
        return len(stream) if stream is not None else 0

    def stream_last_id(self, key: bytes) -> bytes | None:
        """The highest id that an entry ever had; None if there is no stream."""
        stream = self.stream_of(key)
        return stream.last_id if stream is not None else None

    def stream_facts(self, key: bytes) -> StreamFacts | None:
        stream = self.stream_of(key)
        if stream is None:
            return None
        return StreamFacts(
            len(stream), stream.first_id, stream.last_id, stream.max_deleted, stream.added, len(stream.groups)
        )

    def stream_fields(self, key: bytes, id: bytes) -> Fields | None:
        """The fields of the entry *id*."""
        stream = self.stream_of(key)
        return stream.entries.found.get(id) if stream is not None else None

    def stream_range(
        self, key: bytes, low: bytes, high: bytes, count: int | None, *, backwards: bool = False
    ) -> list[Stored]:
        """At most *count* entries between two ids, both included."""
        stream = self.stream_of(key)
        return stream.between(low, high, count, backwards=backwards) if stream is not None else []

    def stream_below(self, key: bytes, id: bytes) -> int:
        """How many entries come before *id*."""
        stream = self.stream_of(key)
        return stream.below(id) if stream is not None else 0

    def stream_groups(self, key: bytes) -> list[tuple[bytes, Group]]:
        """All groups by name, in the order of names."""
        stream = self.stream_of(key)
        return sorted(stream.groups.items()) if stream is not None else []

    def stream_group(self, key: bytes, name: bytes) -> Group | None:
        stream = self.stream_of(key)
        return stream.groups.get(name) if stream is not None else None

    def group_lag(self, key: bytes, group: Group) -> int | None:
        """How many entries *group* was not given yet; None where nobody can say."""
        stream = self.stream_of(key)
        return stream.lag(group) if stream is not None else None

    def group_read(self, key: bytes, group: Group, ids: Sequence[bytes]) -> int:
        """How many entries *group* has read once it was given *ids* too."""
        stream = self.stream_of(key)
        assert stream is not None
        return stream.read_after(group, ids)

    # ---- entries
    def open_stream(self, key: bytes) -> Stream:
        """The stream at *key*, to be changed: made if the key is absent."""
        stream: Stream = self.open_collection(key, STREAM)
        return stream

    def close_stream(self, stream: Stream, grown: int) -> None:
        """Account for *grown* bytes more; unlike other collections a stream that was emptied stays."""
        if grown:
            stream.bytes += grown
            self.last_table.grow(grown)

    def stream_add(self, key: bytes, id: bytes, fields: Sequence[bytes]) -> None:
        """Append an entry under *id*: its fields are names and values in turn."""
        stream = self.open_stream(key)
        self.effects.append((STREAM_ADD, key, id, fields))
        self.close_stream(stream, stream.add(id, tuple(fields)))

    def stream_delete(self, key: bytes, ids: Sequence[bytes]) -> None:
        """Take out the entries *ids*, one or more, which are there."""
        stream = self.open_stream(key)
        self.effects.append((STREAM_DELETE, key, ids))
        self.close_stream(stream, stream.delete(ids))

    def stream_trim(self, key: bytes, count: int) -> None:
        """Take out the oldest *count* entries."""
        stream = self.open_stream(key)
        self.effects.append((STREAM_TRIM, key, count))
        if few(count, len(stream)):
            self.close_stream(stream, stream.trim(count))
        else:
            self.store.garbage += stream.entries.pieces()
            self.close_stream(stream, stream.keep(len(stream) - count))

    def stream_set(self, key: bytes, last_id: bytes, added: int, max_deleted: bytes) -> None:
        """Say what the stream at *key* remembers of entries that are gone."""
        stream = self.open_stream(key)
        self.effects.append((STREAM_SET, key, last_id, added, max_deleted))
        stream.last_id, stream.added, stream.max_deleted = last_id, added, max_deleted

    # ---- groups
    def group_put(self, key: bytes, name: bytes, last_id: bytes, read: int) -> None:
        """Let the group *name*, which may be new, have been given all up to *last_id*, *read* entries (-1: unknown)."""
        stream = self.open_stream(key)
        self.effects.append((GROUP_PUT, key, name, last_id, read))
        group = stream.groups.get(name)
        if group is None:
            group = Group(last_id, read)
            self.close_stream(stream, stream.put_group(name, group))
        group.last_id, group.read = last_id, read

    def group_drop(self, key: bytes, name: bytes) -> None:
        """Take the group *name* away with its consumers and all they hold."""
        stream = self.open_stream(key)
        self.effects.append((GROUP_DROP, key, name))
        self.close_stream(stream, -len(name) - stream.groups.pop(name).size)

    def consumer_put(self, key: bytes, group: bytes, name: bytes, seen_ms: int, active_ms: int) -> None:
        """Note that the consumer *name*, who may be new, last asked at *seen_ms* and got something at *active_ms*."""
        stream = self.open_stream(key)
        self.effects.append((CONSUMER_PUT, key, group, name, seen_ms, active_ms))
        self.close_stream(stream, stream.groups[group].put_consumer(name, seen_ms, active_ms))

    def consumer_drop(self, key: bytes, group: bytes, name: bytes) -> None:
        """Forget the consumer *name*, and that it holds what it holds."""
        stream = self.open_stream(key)
        self.effects.append((CONSUMER_DROP, key, group, name))
        self.close_stream(stream, stream.groups[group].drop_consumer(name))

    def pending_put(
        self, key: bytes, group: bytes, consumer: bytes, delivered_ms: int, ids: Sequence[bytes], counts: Sequence[int]
    ) -> None:
        """Let *consumer* hold the entries *ids*, delivered at *delivered_ms*, each so often as *counts* says."""
        stream = self.open_stream(key)
        self.effects.append((PENDING_PUT, key, group, consumer, delivered_ms, ids, counts))
        grown = stream.groups[group].assign_all(ids, consumer, delivered_ms, counts)
        self.close_stream(stream, grown)

    def pending_drop(self, key: bytes, group: bytes, ids: Sequence[bytes]) -> None:
        """Nobody holds the entries *ids* any longer."""
        stream = self.open_stream(key)
        self.effects.append((PENDING_DROP, key, group, ids))
        self.close_stream(stream, sum(map(stream.groups[group].settle, ids)))
