"""Requests and answers of kv's own protocol: what bodies ask, and the commonest answers in one stroke."""

from __future__ import annotations

from typing import Any

from kv_server.commands.heads import (
    BIN8,
    BIN32,
    FALSE,
    NIL,
    START,
    TRUE,
    UINT64,
    long_bin,
    one_byte,
    short_bin,
    uint64,
)
from kv_server.surfaces.requests import read_request as read

__all__ = ["answer", "read"]


def answer(request_id: int, reply: Any, max_frame: int) -> bytes | None:
    """The frame of the answer *reply*, if it is as plain as most are."""
    if reply is None:
        return one_byte(8, START, request_id, NIL)
    kind = type(reply)
    if kind is bytes:
        size = len(reply)
        if size < 256:
            return b"".join((short_bin(size + 9, START, request_id, BIN8, size), reply))
        if size + 12 <= max_frame:
            return b"".join((long_bin(size + 12, START, request_id, BIN32, size), reply))
    elif kind is int and 0 <= reply < 2**64:
        if reply < 128:
            return one_byte(8, START, request_id, reply)
        return uint64(16, START, request_id, UINT64, reply)
    elif kind is bool:
        return one_byte(8, START, request_id, TRUE if reply else FALSE)
    return None
