"""From replies that describe themselves (`resp_kinds`), and from errors, to the bytes of RESP2 and RESP3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from decimal import Decimal
from functools import partial
from itertools import chain, islice
from math import inf, isfinite
from typing import Any, Final, TypeAlias

from kv_protocol.errors import KvError
from kv_server.spec.resp_kinds import (
    LONG,
    Long,
    Members,
    NilArray,
    Pairs,
    PairTable,
    Push,
    Replies,
    Simple,
    Spelled,
    Verbatim,
)
from kv_server.surfaces.pieces import PART, Piece, Pieces, Row
from kv_server.surfaces.resp_frames import bulks

__all__ = ["RESP2", "RESP3", "Encode", "double", "failed"]

Encode: TypeAlias = Callable[[Any], bytes | Pieces]
Write: TypeAlias = Callable[[Any, list[Piece]], None]
Spread: TypeAlias = Callable[[Any], Sequence[Any]]

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
def _bulk(octets: bytes, out: list[Piece]) -> None:
    out.append(b"$%d\r\n%b\r\n" % (len(octets), octets))


def _text(text: str, out: list[Piece]) -> None:
    _bulk(text.encode("utf-8", "surrogateescape"), out)


def _spelled(number: Spelled, out: list[Piece]) -> None:
    _bulk(number.text(), out)


def _simple(word: bytes, out: list[Piece]) -> None:
    out.append(b"+%b\r\n" % word)


def _boolean(flag: bool, out: list[Piece]) -> None:
    out.append(b":1\r\n" if flag else b":0\r\n")


def _error(error: KvError, out: list[Piece]) -> None:
    out.append(failed(error))


def _items(writers: dict[type, Write], items: Sequence[Any], out: list[Piece]) -> None:
    made = bulks(items)
    if made is not None:
        out.append(made)
        return
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


def _in_turn(items: Any) -> Sequence[Any]:
    """The items of an array that is written as it is."""
    return items if type(items) is list else list(items)


def _paired(items: Any) -> Sequence[Any]:
    """The items of an array that is written flat: of pairs, or of a map."""
    return list(chain.from_iterable(items.items() if isinstance(items, dict) else items))


def _two_by_two(items: Any) -> Sequence[Any]:
    return list(items.items() if isinstance(items, dict) else items)


class _Array:
    """How arrays of one kind are written: *mark* and length, then their items as *spread* has them."""

    def __init__(
        self, writers: dict[type, Write], mark: bytes = b"*", width: int = 1, spread: Spread = _in_turn
    ) -> None:  # fmt: skip
        self.head = mark + b"%d\r\n"
        self.width = width
        self.spread = spread
        self.write = partial(_items, writers)

    def __call__(self, items: Any, out: list[Piece]) -> None:
        count = self.begin(items, out)
        if count <= LONG:
            self.write(self.spread(items), out)
        else:
            out.append(Row(count, self.parts(items, self.spread), self.write))

    def begin(self, items: Sized, out: list[Piece]) -> int:
        """Write the head, and return how many items follow."""
        count = self.width * len(items)
        out.append(self.head % count)
        return count

    def parts(self, items: Any, make: Spread) -> Iterator[Sequence[Any]]:
        """The items of a long array part by part, as *make* makes them of a part."""
        kind = dict if type(items) is dict else list
        rest = iter(items.items() if isinstance(items, dict) else items)
        while part := kind(islice(rest, PART)):
            yield make(part)


def _encoder(writers: dict[type, Write]) -> Encode:
    def replies(several: Replies, out: list[Piece]) -> None:
        _items(writers, several, out)

    def long(reply: Long, out: list[Piece]) -> None:
        make = reply.make
        array = _writer(writers, make({} if isinstance(reply.items, dict) else []))
        assert isinstance(array, _Array)
        spread = array.spread
        parts = array.parts(reply.items, lambda part: spread(make(part)))
        out.append(Row(array.begin(reply, out), parts, array.write))

    writers |= {
        bytes: _bulk, str: _text, Simple: _simple, bool: _boolean, KvError: _error, Replies: replies, Long: long,
        list: _Array(writers), tuple: _Array(writers),
    }  # fmt: skip

    def encode(reply: Any) -> bytes | Pieces:
        """The bytes of *reply*; of a long one, pieces of which not all are written yet."""
        out: list[Any] = []
        _writer(writers, reply)(reply, out)
        try:
            return out[0] if len(out) == 1 else b"".join(out)
        except TypeError:
            return Pieces(out)

    return encode


def _resp2() -> Encode:
    writers: dict[type, Write] = {}

    def integer(number: int, out: list[Piece]) -> None:
        if number in _INT64:
            out.append(b":%d\r\n" % number)
        else:
            _bulk(b"%d" % number, out)

    writers |= {
        int: integer,
        float: lambda number, out: _bulk(double(number), out),
        Spelled: _spelled,
        type(None): lambda nothing, out: out.append(b"$-1\r\n"),
        NilArray: lambda nothing, out: out.append(b"*-1\r\n"),
        dict: _Array(writers, b"*", 2, _paired),
        Pairs: _Array(writers, b"*", 2, _paired),
        PairTable: _Array(writers, b"*", 1, _two_by_two),
        Members: _Array(writers),
        Push: _Array(writers),
        Verbatim: _text,
    }
    return _encoder(writers)


def _resp3() -> Encode:
    writers: dict[type, Write] = {}

    def integer(number: int, out: list[Piece]) -> None:
        out.append(b":%d\r\n" % number if number in _INT64 else b"(%d\r\n" % number)

    def spelled(number: Spelled, out: list[Piece]) -> None:
        out.append(b",%b\r\n" % number.text())

    def verbatim(text: str, out: list[Piece]) -> None:
        octets = text.encode("utf-8", "surrogateescape")
        out.append(b"=%d\r\ntxt:%b\r\n" % (len(octets) + 4, octets))

    own: dict[type, Write] = {
        int: integer,
        float: lambda number, out: out.append(b",%b\r\n" % double(number)),
        Spelled: spelled,
        type(None): lambda nothing, out: out.append(b"_\r\n"),
        NilArray: lambda nothing, out: out.append(b"_\r\n"),
        dict: _Array(writers, b"%%", 1, _paired),
        Pairs: _Array(writers),
        PairTable: _Array(writers, b"%%", 1, _paired),
        Members: _Array(writers, b"~"),
        Push: _Array(writers, b">"),
        Verbatim: verbatim,
    }
    writers |= own
    return _encoder(writers)


RESP2: Final = _resp2()
RESP3: Final = _resp3()
