"""The turns of pops that wait: at which of its keys a call may take something, and how it comes to wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kv_server.engine.rows import KEYS
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock

__all__ = ["in_turn", "until_filled"]

_WAITS: Final = "waits"  # what a call that was tried before keeps


def in_turn(tx: Tx, keys: Sequence[bytes], kind: int) -> Sequence[bytes]:
    """Those of *keys* at which a pop may look. A call that waits looks where its turn has come, and past what is of
    another *kind*.
    """
    if tx.kept is None:
        return keys
    found = [(key, tx.find(key)) for key in keys if tx.turn is None or key == tx.turn]
    return [key for key, entry in found if entry is not None and entry.kind == kind]


def until_filled(keys: Sequence[bytes], wait_ms: int | None) -> WouldBlock:
    """What a call raises that waits for one of *keys* to hold something, at most *wait_ms*."""
    return WouldBlock(KEYS, keys, wait_ms, None, kept=_WAITS)
