"""Hashes: value blobs by field. Where a compiler was, the leaf of this name has them in memory of their own."""

from __future__ import annotations

from typing import Final

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import HASH
from kv_server.model.large_hash import FIELD_BYTES
from kv_server.model.large_hash import LargeHash as Hash

__all__ = ["FIELD_BYTES", "Hash", "drop", "get", "has", "put"]

CONTAINERS[HASH] = Hash

has: Final = Hash.__contains__
get: Final = Hash.get
put: Final = Hash.put
drop: Final = Hash.drop
