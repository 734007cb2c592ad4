"""What the words of a command line are read as: names, numbers, values; and what RESP reads a value as."""

from collections.abc import Callable
from typing import Any, Final

from kv_protocol import limits
from kv_protocol.blobs import HEADS, NULL
from kv_protocol.errors import InvalidArgument
from kv_protocol.values import bytes_blob, from_octets, int_blob, number, octets
from kv_server.spec.numerals import text_float, text_int, text_number

__all__ = [
    "from_octets",
    "int_sum",
    "new",
    "resp_value",
    "spread",
    "text_float",
    "text_int",
    "text_name",
    "text_number",
    "values_in",
    "whole",
]

new: Final[Any] = tuple.__new__
"""Makes a record without the argument handling of its constructor, which would take most of the time."""


def spread(function: Callable[..., Any], first: tuple[Any, ...], rest: tuple[Any, ...]) -> Any:
    """Call *function* with *first* and *rest*."""
    return function(*first, *rest)


def text_name(raw: bytes, label: str) -> bytes:
    if len(raw) > limits.MAX_NAME:
        raise InvalidArgument(f"{label} must be a name of at most {limits.MAX_NAME:,} bytes")
    return raw


def values_in(words: list[bytes], start: int, stop: int) -> tuple[bytes, ...]:
    """The values that the words from *start* up to *stop* are."""
    return tuple([from_octets(word) for word in words[start:stop]])


def resp_value(blob: bytes) -> bytes | None:
    """A value as RESP reads it: its plain text; nothing for null."""
    head = HEADS[blob[0]]
    if head:
        return blob[head:]
    return None if blob == NULL else octets(blob)


def int_sum(blob: bytes, step: int) -> bytes | None:
    """The int that *blob* is or spells and *step* added up, in the class of *blob*; nothing if that is no int, or
    one of the three has more than 64 bits.
    """
    head = HEADS[blob[0]]
    if head:
        try:
            old = text_int(blob[head:])
        except InvalidArgument:
            return None
    elif blob[0] < 0x80 or 0xCC <= blob[0] < 0xD4 or blob[0] >= 0xE0:
        old = int(number(blob))
    else:
        return None
    if not all(-(2**63) <= each < 2**63 for each in (old, step, old + step)):
        return None
    if not head:
        return int_blob(old + step)
    total = b"%d" % (old + step)
    return bytes_blob(total) if 0xC4 <= blob[0] <= 0xC6 else from_octets(total)


def whole(blob: bytes) -> int:
    """The number that *blob* is or spells, without what is behind its point."""
    return int(number(blob))
