"""How values, durations and times are written: JSON, with one-key maps for the types that JSON lacks.

| value | written |
|---|---|
| null, bool, int, float, str, list, map | as JSON has them; a float always with a point or an exponent |
| bytes | `{"base64": "AAE="}` |
| Decimal | `{"decimal": "10.50"}` |
| datetime | `{"datetime": "2026-01-31T12:00:00Z"}` |
| an infinite float, or none | `{"float": "inf"}`, `{"float": "nan"}` |
| a map whose only key is one of these words, or `map` | `{"map": {"decimal": 5}}` |
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from json import JSONDecoder, dumps
from math import ceil, isfinite
from typing import Any, Final

from kv_client.shell._table import WrongUse

__all__ = ["ABSENT", "duration_ms", "jsonable", "parsed", "time_ms", "value_of", "written"]


class _Absent:
    """What stands in a reply where there is nothing, which is not the value null, though JSON has no other word."""


ABSENT: Final = _Absent()
_UNITS: Final = {"ms": 1, "": 1_000, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|)").fullmatch
_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")


def value_of(word: str) -> Any:
    """The value that *word* writes: what it is as JSON, else itself as text, or bytes where it is no text."""
    try:
        return parsed(word)
    except ValueError:
        pass
    try:
        word.encode()
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogateescape")
    return word


def parsed(text: str) -> Any:
    """The value of a JSON document. Raises `ValueError` if it is none, `WrongUse` where it misuses the notation."""
    try:
        return _meant(_DECODER.decode(text))
    except RecursionError:
        raise WrongUse("a value is not nested so deep") from None


def written(value: Any, indent: int | None = None) -> str:
    """*value* as JSON, with nothing in it that a terminal obeys or hides."""
    text = dumps(jsonable(value), ensure_ascii=False, indent=indent)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def jsonable(value: Any) -> Any:
    """*value* in the types that JSON has."""
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        plain = {str(key): jsonable(item) for key, item in value.items()}
        return {"map": plain} if len(plain) == 1 and not _RESERVED.isdisjoint(plain) else plain
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat().removesuffix("+00:00") + "Z"}
    if isinstance(value, float) and not isfinite(value):
        return {"float": repr(value)}
    return None if value is ABSENT else value


def duration_ms(word: str) -> int:
    """`90`, `1.5s`, `10m`, `1h`, `7d`, `250ms` in milliseconds. Raises `WrongUse`."""
    found = _DURATION(word)
    if found is None:
        raise WrongUse(f"{word!r} is no duration: write seconds, or 250ms, 1.5s, 10m, 1h, 7d")
    return ceil(round(float(found[1]) * _UNITS[found[2]], 3))


def time_ms(word: str) -> int:
    """Seconds since 1970, or a date and time with its zone, in milliseconds since 1970. Raises `WrongUse`."""
    try:
        return round(float(word) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(word)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise WrongUse(f"{word!r} is no time: write seconds since 1970, or 2026-01-31T12:00:00Z")
    return round(moment.timestamp() * 1000)


def _meant(plain: Any) -> Any:
    """What a JSON document stands for, from the outside in: within `map` a key is only a key."""
    if isinstance(plain, list):
        return [_meant(item) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if len(plain) == 1:
        ((key, inner),) = plain.items()
        if key == "map" and isinstance(inner, dict):
            return {name: _meant(item) for name, item in inner.items()}
        if key in _SPECIAL and isinstance(inner, str):
            try:
                return _SPECIAL[key](inner)
            except (ValueError, ArithmeticError):
                raise WrongUse(f"{dumps(plain)} is no {key}") from None
    return {name: _meant(item) for name, item in plain.items()}


def _datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


_SPECIAL: Final[dict[str, Callable[[str], Any]]] = {
    "base64": lambda text: b64decode(text, validate=True),
    "decimal": Decimal,
    "datetime": _datetime,
    "float": float,
}
_RESERVED: Final = {*_SPECIAL, "map"}
_DECODER: Final = JSONDecoder(parse_constant=_no_constant)
