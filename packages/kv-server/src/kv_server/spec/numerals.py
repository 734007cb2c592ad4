"""Numbers as words of a command line spell them."""

import re
from decimal import Decimal, InvalidOperation
from math import isinf
from typing import Final

from kv_protocol import limits
from kv_protocol.errors import InvalidArgument
from kv_protocol.values import encode, int_blob

__all__ = ["NOT_FLOAT", "NOT_INT", "text_float", "text_int", "text_number"]

NOT_INT: Final = "value is not an integer or out of range"
NOT_FLOAT: Final = "value is not a valid float"

_INT: Final = re.compile(rb"0|-?[1-9][0-9]{0,19}")
_FLOAT: Final = re.compile(
    rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|inf(?:inity)?)", re.IGNORECASE
)


def text_int(raw: bytes, low: int = -(2**63), high: int = 2**63 - 1) -> int:
    """The integer that *raw* spells in canonical form."""
    if _INT.fullmatch(raw):
        number = int(raw)
        if low <= number <= high:
            return number
    raise InvalidArgument(NOT_INT)


def text_float(raw: bytes) -> float:
    """The float that *raw* spells; infinity must be spelled as such."""
    if len(raw) <= limits.KIB and _FLOAT.fullmatch(raw):
        number = float(raw)
        if not isinf(number) or b"n" in raw.lower():
            return number
    raise InvalidArgument(NOT_FLOAT)


def text_number(raw: bytes) -> bytes:
    """The number that *raw* spells as a value: an int where it is a canonical one, else a Decimal."""
    if _INT.fullmatch(raw):
        return int_blob(text_int(raw))
    if isinf(text_float(raw)):
        raise InvalidArgument(NOT_FLOAT)
    try:
        return encode(Decimal(raw.decode("ascii")))
    except InvalidOperation:
        raise InvalidArgument(NOT_FLOAT) from None
