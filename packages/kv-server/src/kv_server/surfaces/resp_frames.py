"""The commonest replies of RESP as bytes, in one stroke. What is not among them is for `resp_replies`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kv_server.spec.resp_kinds import OK

__all__ = ["bulks", "frame"]

_FEW: Final = 8
_BYTES: Final = {bytes}
_SMALL: Final = 1_000_000
_HEADS: Final = [b"$%d" % size for size in range(1024)]


def frame(reply: Any, protocol: int) -> bytes | None:
    """The bytes of *reply* in version *protocol*, if it is as plain as most are."""
    kind = type(reply)
    if kind is bytes:
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if reply is OK:
        return b"+OK\r\n"
    if kind is int and -_SMALL < reply < _SMALL:
        return b":%d\r\n" % reply
    if reply is None:
        return b"$-1\r\n" if protocol == 2 else b"_\r\n"
    return None


def bulks(items: Sequence[Any]) -> bytes | None:
    """Bulk strings in a row, if *items* are so many bytes that it pays: in half the time of one after the other."""
    if len(items) <= _FEW or set(map(type, items)) != _BYTES:
        return None
    parts = [b""] * (2 * len(items) + 1)
    try:
        parts[:-1:2] = map(_HEADS.__getitem__, map(len, items))
    except IndexError:
        parts[:-1:2] = [b"$%d" % len(item) for item in items]
    parts[1::2] = items
    return b"\r\n".join(parts)
