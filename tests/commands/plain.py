"""What values are, said once more and independently of the server: sameness, plain text, sums."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from datetime import datetime
from decimal import Decimal, localcontext
from math import isfinite
from typing import Any

INT64 = range(-(2**63), 2**63)


class Fails(Exception):
    """The call must fail with this code."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


def fingerprint(value: Any) -> Any:
    """Equal for two values exactly if they are the same value: `1`, `1.0`, `True` and `"1"` are four."""
    kind = type(value)
    if kind is list:
        return "list", tuple(fingerprint(item) for item in value)
    if kind is dict:
        return "map", tuple((key, fingerprint(item)) for key, item in value.items())
    if kind is float:
        return "float", "nan" if value != value else struct.pack(">d", value)
    if kind is Decimal:
        return "decimal", str(value)
    return kind.__name__, value


def plain_text(value: Any) -> bytes:
    """How a value reads where it is taken for text."""
    kind = type(value)
    if kind is bytes:
        return bytes(value)
    return _text(value).encode()


def _text(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return str(value)
    if value is None:
        return ""
    if kind is bool:
        return str(value).lower()
    if kind is float:
        whole = repr(value)
        return whole[:-2] if whole.endswith(".0") else whole
    if kind is Decimal:
        near = value.is_finite() and value.as_tuple().exponent >= -400 and value.adjusted() <= 400
        return f"{value:f}" if near else str(value)
    if kind is datetime:
        return value.isoformat().replace("+00:00", "Z")
    if kind in (list, dict):
        return json.dumps(_json(value), ensure_ascii=False, separators=(",", ":"))
    return str(value)


def _json(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_json(item) for item in value]
    if kind is dict:
        return {key: _json(item) for key, item in value.items()}
    if kind is bytes:
        return {"base64": b64encode(value).decode()}
    far = (kind is int and abs(value) > 2**53) or (kind is float and not isfinite(value))
    return _text(value) if far or kind in (Decimal, datetime) else value


def as_text(octets: bytes) -> str | bytes:
    """Octets as text where they are UTF-8."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets


def in_class_of(model: Any, octets: bytes) -> str | bytes:
    return octets if type(model) is bytes else as_text(octets)


def countable(value: Any, step: Any) -> int | float | Decimal:
    """The number that a stored value counts as where *step* is added."""
    if type(value) is type(step):
        if type(value) is int and value not in INT64:
            raise Fails("NOT_NUMBER")
        return value  # type: ignore[no-any-return]
    if type(value) in (str, bytes) or (type(value) is Decimal and type(step) is int):
        digits = plain_text(value)
        try:
            number = int(digits.decode("ascii"))
        except ValueError:
            raise Fails("NOT_NUMBER") from None
        if str(number).encode() == digits and number in INT64:
            return number
    raise Fails("NOT_NUMBER")


def total(old: Any, step: Any) -> Any:
    """Their sum, exactly, in the class they share."""
    if type(old) is not type(step):
        raise Fails("NOT_NUMBER")
    if type(old) is Decimal:
        if not (old.is_finite() and step.is_finite()):
            raise Fails("OVERFLOW")
        with localcontext() as context:
            context.prec = 5_000
            exact = old + step
        if len(exact.as_tuple().digits) > 1_000:
            raise Fails("OVERFLOW")
        return exact
    result = old + step
    if type(result) is int and result not in INT64:
        raise Fails("OVERFLOW")
    if type(result) is float and not isfinite(result):
        raise Fails("OVERFLOW")
    return result
