"""What one call, or one block of calls, changed: the unit of the log, of replicas, watches and snapshots."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Commit", "Effect", "Sink"]

Effect: TypeAlias = tuple[Any, ...]
"""Opcode, the one name it is about, then the rest of its arguments: the row of a method of `Tx`."""


class Commit(NamedTuple):
    """Effects in the order they were applied, all at *revision* and in *namespace*."""

    revision: int
    now_ms: int
    elapsed_ms: int
    namespace: bytes
    effects: list[Effect]


Sink: TypeAlias = Callable[[Commit], None]
