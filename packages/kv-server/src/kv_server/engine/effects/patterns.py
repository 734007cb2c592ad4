"""Reading keys that no call can declare, since patterns make their names out of data: what SORT looks at."""

from __future__ import annotations

from kv_server.engine.ground import Ground
from kv_server.model.entry import HASH, SCALAR

__all__ = ["PatternReads"]


class PatternReads(Ground):
    """Reads that are not held to what a call declares."""

    def looked_up(self, key: bytes, field: bytes | None) -> bytes | None:
        """The value blob at *key*, or of *field* in the hash there; None for anything else."""
        entry = Ground.find(self, key)
        if entry is None:
            return None
        if field is None:
            return entry.value if entry.kind == SCALAR else None
        return entry.value.get(field) if entry.kind == HASH else None
