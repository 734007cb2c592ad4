"""Hashes: value blobs by field. Where a compiler was, the leaf of this name packs small ones."""

from __future__ import annotations

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import HASH
from kv_server.model.large_hash import FIELD_BYTES
from kv_server.model.large_hash import LargeHash as Hash

__all__ = ["FIELD_BYTES", "Hash"]

CONTAINERS[HASH] = Hash
