"""Kinds of settings: what may be written for one, and how a value of it is shown. Knows no setting."""

import re
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from kv_protocol.limits import KIB, MIB
from kv_server.net.address import Address

__all__ = ["ADDRESSES", "FLAG", "FOLDER", "Kind", "choice", "power_of_two", "size", "span", "whole"]

_SIZES: Final = {"": 1, "b": 1, "kib": KIB, "mib": MIB, "gib": 1024 * MIB}
_SPANS: Final = {"ms": 1, "": 1_000, "s": 1_000, "m": 60_000, "h": 3_600_000}
_SIZE: Final = re.compile(r"([0-9]{1,15}) ?([a-z]*)")
_SPAN: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([a-z]*)")


@frozen
class Kind:
    """*read* takes text, or what TOML makes of it, and raises `ValueError` with what must be written."""

    read: Callable[[object], Any]
    show: Callable[[Any], str]
    shape: str


def whole(low: int, high: int) -> Kind:
    """A whole number from *low* to *high*."""

    def read(given: object) -> int:
        number = _number(given)
        if number is None or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return Kind(read, str, "N")


def power_of_two(high: int) -> Kind:
    """A power of two up to *high*."""

    def read(given: object) -> int:
        number = _number(given)
        if number is None or not 1 <= number <= high or number & (number - 1):
            raise ValueError(f"must be a power of two from 1 to {high}")
        return number

    return Kind(read, str, "N")


def size(low: int, high: int) -> Kind:
    """A number of bytes from *low* to *high*."""

    def read(given: object) -> int:
        found = _SIZE.fullmatch(str(given).lower()) if type(given) in (int, str) else None
        if found is None or found[2] not in _SIZES:
            raise ValueError("must be a size such as 65536, 64KiB or 64MiB")
        number = int(found[1]) * _SIZES[found[2]]
        if not low <= number <= high:
            raise ValueError(f"must be a size from {_show_size(low)} to {_show_size(high)}")
        return number

    return Kind(read, _show_size, "SIZE")


def span(low_ms: int, high_ms: int) -> Kind:
    """A span of time; milliseconds inside, seconds where no unit is written."""

    def read(given: object) -> int:
        found = _SPAN.fullmatch(str(given).lower()) if type(given) in (int, float, str) else None
        if found is None or found[2] not in _SPANS:
            raise ValueError("must be a time such as 5, 2.5s, 500ms or 10m")
        number = round(float(found[1]) * _SPANS[found[2]])
        if not low_ms <= number <= high_ms:
            raise ValueError(f"must be a time from {_show_span(low_ms)} to {_show_span(high_ms)}")
        return number

    return Kind(read, _show_span, "TIME")


def choice(*words: str) -> Kind:
    """One of *words*."""

    def read(given: object) -> str:
        if not isinstance(given, str) or given.lower() not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return given.lower()

    return Kind(read, str, "|".join(words))


def _read_flag(given: object) -> bool:
    flag = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(str(given).lower())
    if flag is None or isinstance(given, float):
        raise ValueError("must be true or false")
    return flag


FLAG: Final = Kind(_read_flag, lambda flag: "true" if flag else "false", "")


def _read_folder(given: object) -> str:
    if not isinstance(given, str) or "\0" in given:
        raise ValueError("must be the path of a folder")
    return given


FOLDER: Final = Kind(_read_folder, str, "DIR")


def _read_addresses(given: object) -> tuple[Address, ...]:
    texts = given.split(",") if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("must be an address or a list of addresses")
    return tuple(Address.parse(text.strip()) for text in texts)


ADDRESSES: Final = Kind(_read_addresses, lambda addresses: ",".join(map(str, addresses)), "ADDRESS")


def _number(given: object) -> int | None:
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 16:
        return int(given)
    return given if type(given) is int else None


def _show_size(number: int) -> str:
    for unit, scale in (("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", KIB)):
        if number >= scale and number % scale == 0:
            return f"{number // scale}{unit}"
    return str(number)


def _show_span(number_ms: int) -> str:
    return f"{number_ms // 1000}s" if number_ms % 1000 == 0 else f"{number_ms}ms"
