"""Sets of names. Where a compiler was, the leaf of this name has them in memory of their own."""

from __future__ import annotations

from typing import Final

from kv_server.model.container import CONTAINERS
from kv_server.model.entry import SET
from kv_server.model.large_set import MEMBER_BYTES, few, sample
from kv_server.model.large_set import LargeSet as Set

__all__ = ["MEMBER_BYTES", "Set", "add", "add_all", "few", "has", "remove", "sample", "which"]

CONTAINERS[SET] = Set

has: Final = Set.__contains__
which: Final = Set.which
add: Final = Set.add
add_all: Final = Set.add_all
remove: Final = Set.remove
