"""How values that are no text read as plain text.

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
from datetime import datetime
from decimal import Decimal
from json import dumps
from math import isfinite
from typing import Any, Final

from kv_protocol.canonical import decimal_text
from kv_protocol.errors import NotANumber

__all__ = ["no_number", "spelled"]

_EXACT_IN_JSON: Final = 2**53
_PLAIN_EXPONENTS: Final = 400  # beyond any float; a Decimal further from one would be mostly zeros


def spelled(value: Any) -> str:
    """Return the plain text of *value*, which is neither null, nor a str, nor bytes."""
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


def no_number(kind: str) -> NotANumber:
    """What is wrong with a value of *kind* where a number is needed."""
    return NotANumber(f"the value is {_CALLED[kind]}, which spells no int")


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
        return spelled(value)
    if kind is float and not isfinite(value):
        return spelled(value)
    if kind is int and not -_EXACT_IN_JSON <= value <= _EXACT_IN_JSON:
        return str(value)
    return value


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
