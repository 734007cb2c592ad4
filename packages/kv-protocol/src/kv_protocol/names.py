"""Names (keys, locks, fields, members, channels): text in the clients' API, byte strings inside the server.

Bytes that are no UTF-8 live in a `str` as surrogate escapes, so that every name survives the way there and back.
"""

from binascii import crc_hqx

from kv_protocol.errors import InvalidArgument
from kv_protocol.limits import SLOTS

__all__ = ["slot", "text", "wire"]

_LAST_SLOT = SLOTS - 1


def wire(name: str) -> str | bytes:
    """Return *name* as it travels: itself where it is UTF-8, else the bytes it stands for."""
    if not isinstance(name, str):
        raise InvalidArgument(f"a name must be str, not {type(name).__name__}")
    if name.isascii():
        return name
    try:
        name.encode()
    except UnicodeEncodeError:
        return _escaped(name)
    return name


def text(wire: str | bytes) -> str:
    """Return the text of a name that came from the wire in either form."""
    return wire if isinstance(wire, str) else wire.decode("utf-8", "surrogateescape")


def slot(name: bytes) -> int:
    """Return the slot of *name* as Redis Cluster counts: where braces hold something, only that is counted."""
    start = name.find(b"{") + 1
    if start:
        end = name.find(b"}", start)
        if end > start:
            name = name[start:end]
    return crc_hqx(name, 0) & _LAST_SLOT


def _escaped(name: str) -> bytes:
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise InvalidArgument("a name holds a surrogate that stands for no byte") from None
