"""Kinds of settings: what may be written for one, and how a value of it is shown. Knows no setting."""

import re
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from kv_protocol.limits import KIB, MIB
from kv_server.net.address import DEFAULT_PORT, HTTP_PORT, Address

__all__ = [
    "ADDRESSES", "FILE", "FLAG", "FOLDER", "HTTP_ADDRESSES", "SECRET", "Kind", "choice", "power_of_two", "size", "span",
    "threshold", "whole",
]  # fmt: skip

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


def threshold(high_us: int) -> Kind:
    """A short span of time, in microseconds inside; milliseconds where no unit is written. -1 is `off`."""

    def read(given: object) -> int:
        if given == "off" or given is False:
            return -1
        found = _SPAN.fullmatch(str(given).lower()) if type(given) in (int, float, str) else None
        scale = {"us": 1, "ms": 1_000, "": 1_000, "s": 1_000_000}.get(found[2]) if found is not None else None
        if found is None or scale is None:
            raise ValueError("must be a time such as 10ms, 500us or 0, or off")
        number = round(float(found[1]) * scale)
        if number > high_us:
            raise ValueError(f"must be at most {high_us // 1_000_000}s")
        return number

    return Kind(read, _show_threshold, "TIME|off")


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


def _path(what: str) -> Callable[[object], str]:
    def read(given: object) -> str:
        if not isinstance(given, str) or "\0" in given:
            raise ValueError(f"must be the path of a {what}")
        return given

    return read


FOLDER: Final = Kind(_path("folder"), str, "DIR")
FILE: Final = Kind(_path("file"), str, "FILE")


def _read_secret(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("must be text")
    return given


SECRET: Final = Kind(_read_secret, lambda secret: "***" if secret else "", "")
"""Never a flag, and never shown."""


def _read_addresses(given: object, port_meant: int = DEFAULT_PORT) -> tuple[Address, ...]:
    texts = given.split(",") if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError("must be an address or a list of addresses")
    return tuple(Address.parse(text.strip(), port_meant) for text in texts)


ADDRESSES: Final = Kind(_read_addresses, lambda addresses: ",".join(map(str, addresses)), "ADDRESS")


def _read_http(given: object) -> tuple[Address, ...]:
    return _read_addresses(given, HTTP_PORT) if given else ()


HTTP_ADDRESSES: Final = Kind(_read_http, ADDRESSES.show, "ADDRESS")


def _number(given: object) -> int | None:
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 16:
        return int(given)
    return given if type(given) is int else None


def _show_size(number: int) -> str:
    for unit, scale in (("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", KIB)):
        if number >= scale and number % scale == 0:
            return f"{number // scale}{unit}"
    return str(number)


def _show_threshold(number_us: int) -> str:
    if number_us < 0:
        return "off"
    return f"{number_us // 1000}ms" if number_us % 1000 == 0 else f"{number_us}us"


def _show_span(number_ms: int) -> str:
    return f"{number_ms // 1000}s" if number_ms % 1000 == 0 else f"{number_ms}ms"
