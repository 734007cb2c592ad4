"""From replies that describe themselves (`resp_kinds`), and from errors, to the bytes of RESP2 and RESP3."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from math import inf, isfinite
from typing import Any, Final, TypeAlias

from kv_protocol.errors import KvError
from kv_server.spec.resp_kinds import Members, NilArray, Pairs, PairTable, Push, Replies, Simple, Spelled, Verbatim

__all__ = ["RESP2", "RESP3", "Encode", "double", "failed"]

Encode: TypeAlias = Callable[[Any], bytes]
Write: TypeAlias = Callable[[Any, list[bytes]], None]

_INT64: Final = range(-(2**63), 2**63)
_WHOLE: Final = 2**52  # whole numbers up to here are written as integers
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")


def failed(error: KvError) -> bytes:
    """The reply that says why a call failed."""
    text = f"{error.resp} {error.message}" if error.resp else error.message
    return b"-%b\r\n" % text.encode("utf-8", "surrogateescape").translate(_BREAKS)


def double(number: float) -> bytes:
    """A float as Redis 7.2 writes it: whole numbers as integers, others with the fewest digits that read back."""
    if not isfinite(number):
        return b"nan" if number != number else b"inf" if number == inf else b"-inf"
    if number == 0:
        return b"-0" if str(number)[0] == "-" else b"0"
    if number.is_integer() and -_WHOLE <= number <= _WHOLE:
        return b"%d" % number
    return _shortest(number).encode()


def _shortest(number: float) -> str:
    negative, found, power = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(power, int)
    sign, digits = "-" * negative, "".join(map(str, found))
    exponent = power + len(digits) - 1
    if power >= 0 and exponent < len(digits) + 7:
        return sign + digits + "0" * power
    if power < 0 and (power > -7 or abs(exponent) < 4):
        digits = digits.rjust(1 - power, "0")
        return f"{sign}{digits[:power]}.{digits[power:]}"
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e{exponent:+d}"


# ---- what both versions write alike
def _bulk(octets: bytes, out: list[bytes]) -> None:
    out.append(b"$%d\r\n%b\r\n" % (len(octets), octets))


def _text(text: str, out: list[bytes]) -> None:
    _bulk(text.encode("utf-8", "surrogateescape"), out)


def _spelled(number: Spelled, out: list[bytes]) -> None:
    _bulk(number.text(), out)


def _simple(word: bytes, out: list[bytes]) -> None:
    out.append(b"+%b\r\n" % word)


def _boolean(flag: bool, out: list[bytes]) -> None:
    out.append(b":1\r\n" if flag else b":0\r\n")


def _error(error: KvError, out: list[bytes]) -> None:
    out.append(failed(error))


def _items(writers: dict[type, Write], items: Iterable[Any], out: list[bytes]) -> None:
    for item in items:
        kind = type(item)
        if kind is bytes:
            out.append(b"$%d\r\n%b\r\n" % (len(item), item))
        else:
            _writer(writers, item)(item, out)


def _writer(writers: dict[type, Write], reply: Any) -> Write:
    """The writer for *reply*; for a class that is not in the table, its nearest ancestor's."""
    kind = type(reply)
    found = writers.get(kind)
    if found is None:
        found = next(writers[ancestor] for ancestor in kind.__mro__ if ancestor in writers)
        writers[kind] = found
    return found


def _array(writers: dict[type, Write], mark: bytes = b"*") -> Write:
    head = mark + b"%d\r\n"

    def write(items: Any, out: list[bytes]) -> None:
        out.append(head % len(items))
        _items(writers, items, out)

    return write


def _encoder(writers: dict[type, Write]) -> Encode:
    def replies(several: Replies, out: list[bytes]) -> None:
        _items(writers, several, out)

    writers |= {
        bytes: _bulk, str: _text, Simple: _simple, bool: _boolean, KvError: _error, Replies: replies,
        list: _array(writers), tuple: _array(writers),
    }  # fmt: skip

    def encode(reply: Any) -> bytes:
        """The bytes of *reply*."""
        out: list[bytes] = []
        _writer(writers, reply)(reply, out)
        return out[0] if len(out) == 1 else b"".join(out)

    return encode


def _resp2() -> Encode:
    writers: dict[type, Write] = {}
    array = _array(writers)

    def integer(number: int, out: list[bytes]) -> None:
        if number in _INT64:
            out.append(b":%d\r\n" % number)
        else:
            _bulk(b"%d" % number, out)

    def table(pairs: dict[Any, Any], out: list[bytes]) -> None:
        array(list(pairs.items()), out)

    def flat(pairs: Any, out: list[bytes]) -> None:
        out.append(b"*%d\r\n" % (2 * len(pairs)))
        _items(writers, chain.from_iterable(pairs), out)

    writers |= {
        int: integer,
        float: lambda number, out: _bulk(double(number), out),
        Spelled: _spelled,
        type(None): lambda nothing, out: out.append(b"$-1\r\n"),
        NilArray: lambda nothing, out: out.append(b"*-1\r\n"),
        dict: lambda pairs, out: flat(pairs.items(), out),
        Pairs: flat,
        PairTable: table,
        Members: array,
        Push: array,
        Verbatim: _text,
    }
    return _encoder(writers)


def _resp3() -> Encode:
    writers: dict[type, Write] = {}
    array = _array(writers)

    def mapping(pairs: dict[Any, Any], out: list[bytes]) -> None:
        out.append(b"%%%d\r\n" % len(pairs))
        _items(writers, chain.from_iterable(pairs.items()), out)

    def integer(number: int, out: list[bytes]) -> None:
        out.append(b":%d\r\n" % number if number in _INT64 else b"(%d\r\n" % number)

    def spelled(number: Spelled, out: list[bytes]) -> None:
        out.append(b",%b\r\n" % number.text())

    def verbatim(text: str, out: list[bytes]) -> None:
        octets = text.encode("utf-8", "surrogateescape")
        out.append(b"=%d\r\ntxt:%b\r\n" % (len(octets) + 4, octets))

    own: dict[type, Write] = {
        int: integer,
        float: lambda number, out: out.append(b",%b\r\n" % double(number)),
        Spelled: spelled,
        type(None): lambda nothing, out: out.append(b"_\r\n"),
        NilArray: lambda nothing, out: out.append(b"_\r\n"),
        dict: mapping,
        Pairs: array,
        PairTable: mapping,
        Members: _array(writers, b"~"),
        Push: _array(writers, b">"),
        Verbatim: verbatim,
    }
    writers |= own
    return _encoder(writers)


RESP2: Final = _resp2()
RESP3: Final = _resp3()
