"""Hashes: value blobs by field under one key."""

from __future__ import annotations

from kv_server.engine.effects.keys import KeyEffects
from kv_server.engine.rows import HASH_DROP, HASH_PUT
from kv_server.model.entry import HASH
from kv_server.model.hash import Hash, drop, get, has, put

__all__ = ["HashEffects"]


class HashEffects(KeyEffects):
    """What commands read and change about hashes. No such key reads as a hash without fields."""

    def hash_of(self, key: bytes) -> Hash | None:
        fields: Hash | None = self.read(key, HASH)
        return fields

    def hash_get(self, key: bytes, field: bytes) -> bytes | None:
        """The value blob of *field*."""
        fields = self.hash_of(key)
        return get(fields, field) if fields is not None else None

    def hash_has(self, key: bytes, field: bytes) -> bool:
        fields = self.hash_of(key)
        return fields is not None and has(fields, field)

    def hash_len(self, key: bytes) -> int:
        fields = self.hash_of(key)
        return len(fields) if fields is not None else 0

    def hash_items(self, key: bytes) -> dict[bytes, bytes]:
        """All fields with their values."""
        fields = self.hash_of(key)
        return fields.mapping() if fields is not None else {}

    def hash_fields(self, key: bytes) -> list[bytes]:
        fields = self.hash_of(key)
        return list(fields) if fields is not None else []

    def hash_values(self, key: bytes) -> list[bytes]:
        fields = self.hash_of(key)
        return list(fields.values()) if fields is not None else []

    def hash_page(self, key: bytes, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """A page of fields with their values, and the cursor after it; 0 begins, and ends."""
        fields = self.hash_of(key)
        return fields.page(cursor, count) if fields is not None else (0, [])

    def hash_pick(self, key: bytes, count: int, *, repeats: bool) -> list[tuple[bytes, bytes]]:
        """*count* fields by chance with their values; unless there may be *repeats*, at most each of them once."""
        fields = self.hash_of(key)
        return fields.pick(count, self.dice, repeats=repeats) if fields is not None else []

    def hash_put(self, key: bytes, field: bytes, blob: bytes) -> bool:
        """Set *field* to the value *blob*, and tell whether it is new."""
        fields: Hash = self.open_collection(key, HASH)
        before = len(fields)
        self.effects.append((HASH_PUT, key, field, blob))
        self.close_collection(key, fields, put(fields, field, blob))
        return len(fields) > before

    def hash_drop(self, key: bytes, field: bytes) -> None:
        """Take *field*, which is there, away; with the last one goes the key."""
        fields: Hash = self.open_collection(key, HASH)
        self.effects.append((HASH_DROP, key, field))
        self.close_collection(key, fields, -drop(fields, field))
