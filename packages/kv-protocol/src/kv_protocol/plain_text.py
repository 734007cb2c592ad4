"""How values read as plain text and as numbers: what RESP shows, and what APPEND, STRLEN and INCR work on."""

from collections.abc import Sequence
from decimal import Decimal
from operator import itemgetter
from re import compile as pattern

from kv_protocol.blobs import HEADS, NULL, bytes_blob, class_of, is_utf8, str_blob
from kv_protocol.canonical import decode
from kv_protocol.spelling import no_number, spelled

__all__ = ["all_octets", "from_octets", "number", "octets"]

_INT64 = pattern(rb"-?[1-9][0-9]{0,18}|0").fullmatch


def octets(blob: bytes) -> bytes:
    """Return the plain text of *blob*; that of null is empty."""
    first = blob[0]
    head = HEADS[first]
    if head:
        return blob[head:]
    if first < 0x80:
        return b"%d" % first
    if blob == NULL:
        return b""
    return spelled(decode(blob)).encode()


def all_octets(blobs: Sequence[bytes]) -> list[bytes]:
    """Return the plain text of each of *blobs*."""
    heads = bytes(map(_first, blobs)).translate(HEADS)
    return [blob[1:] for blob in blobs] if heads.count(1) == len(blobs) else list(map(octets, blobs))


def from_octets(octets: bytes) -> bytes:
    """Return the blob of what RESP wrote: a str where it is UTF-8, else bytes."""
    return str_blob(octets) if is_utf8(octets) else bytes_blob(octets)


def number(blob: bytes) -> int | float | Decimal:
    """Return the number that *blob* is, or the int64 that its text spells in the one way an int is spelled.

    Raises `NotANumber` for anything else; a bool is no number.
    """
    first = blob[0]
    if first < 0x80:
        return first
    head = HEADS[first]
    if head:
        text = blob[head:]
        if len(text) <= 20 and _INT64(text):
            spelled = int(text)
            if -0x8000_0000_0000_0000 <= spelled < 0x8000_0000_0000_0000:
                return spelled
    elif 0xCC <= first < 0xD4 or first >= 0xE0:
        return int.from_bytes(blob[1:] or blob, "big", signed=first >= 0xD0)
    elif class_of(blob) in _NUMBERS:
        return decode(blob)  # type: ignore[return-value]
    raise no_number(class_of(blob))


_first = itemgetter(0)
_NUMBERS = frozenset(("int", "float", "decimal"))
