"""Sets of names. Where a compiler was, the leaf of this name packs small ones."""

from __future__ import annotations

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import SET
from kv_server.model.large_set import MEMBER_BYTES, few, sample
from kv_server.model.large_set import LargeSet as Set

__all__ = ["MEMBER_BYTES", "Set", "few", "sample"]

CONTAINERS[SET] = Set
