"""Requests and answers of kv's own protocol: what bodies ask, and the commonest answers in one stroke."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from kv_server.surfaces.requests import read_request as read

__all__ = ["answer", "read"]

_START: Final = 0x93CE  # an array of three, then the id as uint32

# The fourth field is the status, 0, and the first byte of the body.
_one_byte = Struct(">IHIH").pack
_short_bin = Struct(">IHIHB").pack
_long_bin = Struct(">IHIHI").pack
_uint64 = Struct(">IHIHQ").pack
_NIL: Final = 0x00C0
_FALSE: Final = 0x00C2
_TRUE: Final = 0x00C3
_BIN8: Final = 0x00C4
_BIN32: Final = 0x00C6
_UINT64: Final = 0x00CF


def answer(request_id: int, reply: Any, max_frame: int) -> bytes | None:
    """The frame of the answer *reply*, if it is as plain as most are."""
    if reply is None:
        return _one_byte(8, _START, request_id, _NIL)
    kind = type(reply)
    if kind is bytes:
        size = len(reply)
        if size < 256:
            return b"".join((_short_bin(size + 9, _START, request_id, _BIN8, size), reply))
        if size + 12 <= max_frame:
            return b"".join((_long_bin(size + 12, _START, request_id, _BIN32, size), reply))
    elif kind is int and 0 <= reply < 2**64:
        if reply < 128:
            return _one_byte(8, _START, request_id, reply)
        return _uint64(16, _START, request_id, _UINT64, reply)
    elif kind is bool:
        return _one_byte(8, _START, request_id, _TRUE if reply else _FALSE)
    return None
