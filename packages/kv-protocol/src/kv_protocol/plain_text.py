"""How values read as plain text and as numbers: what RESP shows, and what APPEND, STRLEN and INCR work on.

| value | text |
|---|---|
| int, Decimal | digits; a Decimal far from one keeps its exponent |
| float | the shortest that reads back, without a trailing `.0`; `inf`, `-inf`, `nan` |
| bool | `true`, `false` |
| null | nothing: RESP shows nil |
| datetime | RFC 3339 with `Z` |
| list, map | JSON: bytes as `{"base64": ...}`; Decimals, non-finite floats and ints beyond 2^53 as strings |
"""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from json import dumps
from math import isfinite
from operator import itemgetter
from re import compile as pattern
from typing import Any, Final

from kv_protocol.blobs import HEADS, NULL, bytes_blob, class_of, is_utf8, str_blob
from kv_protocol.canonical import decimal_text, decode
from kv_protocol.errors import NotANumber

__all__ = ["all_octets", "from_octets", "number", "octets"]

_EXACT_IN_JSON: Final = 2**53
_PLAIN_EXPONENTS: Final = 400  # beyond any float; a Decimal further from one would be mostly zeros
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
    return _text(decode(blob)).encode()


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
    raise NotANumber(f"the value is {_CALLED[class_of(blob)]}, which spells no int")


def _text(value: Any) -> str:
    kind = type(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return repr(value).removesuffix(".0")
    if kind is Decimal:
        return _decimal_text(value)
    if kind is datetime:
        return _time_text(value)
    if kind is int:
        return str(value)
    return dumps(_jsonable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _decimal_text(number: Decimal) -> str:
    if number.is_finite():
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and exponent >= -_PLAIN_EXPONENTS and number.adjusted() <= _PLAIN_EXPONENTS:
            return format(number, "f")
    return decimal_text(number)


def _time_text(time: datetime) -> str:
    return time.isoformat().removesuffix("+00:00") + "Z"


def _jsonable(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_jsonable(item) for item in value]
    if kind is dict:
        return {key: _jsonable(item) for key, item in value.items()}
    if kind is bytes:
        return {"base64": b64encode(value).decode()}
    if kind is Decimal or kind is datetime:
        return _text(value)
    if kind is float and not isfinite(value):
        return _text(value)
    if kind is int and not -_EXACT_IN_JSON <= value <= _EXACT_IN_JSON:
        return str(value)
    return value


_first = itemgetter(0)
_NUMBERS = frozenset(("int", "float", "decimal"))
_CALLED = {
    "null": "null",
    "bool": "a bool",
    "int": "an int",
    "float": "a float",
    "str": "a str",
    "bytes": "bytes",
    "list": "a list",
    "map": "a map",
    "decimal": "a Decimal",
    "datetime": "a datetime",
}
