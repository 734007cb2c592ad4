"""Words about strings that Redis has beside `SET` and `INCR`: another order of arguments, text that counts."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Final

from kv_protocol.errors import CounterOverflow, InvalidArgument
from kv_protocol.values import class_of, encode, from_octets, octets
from kv_server.commands.counters import AS_INT, count
from kv_server.commands.resp_views import AS_OK
from kv_server.commands.strings import like
from kv_server.engine.tx import Tx
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_float
from kv_server.spec.command import FAST, GROWS, RESP_DOOR, WRITE
from kv_server.spec.types import Duration, Int, Key, Label, Number, Octets, TakenKey, Unit, Value

_INT64_MIN: Final = -(2**63)
_EXACT: Final = Context(prec=5_100)  # Redis prints every digit of a long double, which may have 4,933 before the point
_DECIMALS: Final = Decimal(1).scaleb(-17)
_LONGEST: Final = 4_932


@command(
    WRITE | GROWS | FAST, group="counter", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None,
    views=(AS_INT,),
    event="incrby",
)  # fmt: skip
def incrby(tx: Tx, key: TakenKey, increment: Int, /) -> Number:
    """Add *increment* to the number at *key* and return the sum."""
    return count(tx, key, increment, None, None, False, None)


@command(
    WRITE | GROWS | FAST, group="counter", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None,
    views=(AS_INT,),
    event="incrby",
)  # fmt: skip
def decrby(tx: Tx, key: TakenKey, decrement: Int, /) -> Number:
    """Subtract *decrement* from the number at *key* and return the difference."""
    if decrement == _INT64_MIN:
        raise InvalidArgument("decrement would overflow")
    return count(tx, key, -decrement, None, None, False, None)


@command(
    WRITE | GROWS | FAST, group="counter", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None,
    event="incrbyfloat",
)  # fmt: skip
def incrbyfloat(tx: Tx, key: TakenKey, increment: Octets, /) -> Value:
    """Add *increment*, a decimal number, to the number at *key*, exactly to 17 decimals, and return the sum."""
    old = tx.value(key)
    total = decimal_sum(b"0" if old is None else octets(old), increment)
    text = plain_decimal(total)
    blob = from_octets(text) if old is None else as_before(old, total, text)
    entry = tx.find(key)
    tx.key_put(key, blob, 0 if entry is None else entry.expires_ms)
    return from_octets(text)


@command(WRITE | GROWS | FAST, group="string", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None, views=(AS_OK,))
def setex(tx: Tx, key: Key, ttl: Annotated[Duration, Unit(1000), Label("seconds")], value: Value, /) -> None:
    """Set *key* to *value*, to expire so many seconds from now."""
    tx.key_put(key, value, tx.now_ms + ttl)


@command(WRITE | GROWS | FAST, group="string", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None, views=(AS_OK,))
def psetex(tx: Tx, key: Key, ttl: Annotated[Duration, Label("milliseconds")], value: Value, /) -> None:
    """Set *key* to *value*, to expire so many milliseconds from now."""
    tx.key_put(key, value, tx.now_ms + ttl)


@command(WRITE | GROWS | FAST, group="string", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def setnx(tx: Tx, key: Key, value: Value, /) -> bool:
    """Set *key* to *value* if there is no such key; whether it was set."""
    if tx.exists(key):
        return False
    tx.key_put(key, value, 0)
    return True


def decimal_sum(text: bytes, increment: bytes) -> Decimal:
    """The sum of two numbers as Redis reads them, rounded to 17 decimals."""
    one, two = number_of(text), number_of(increment)
    if not (one.is_finite() and two.is_finite()):
        raise CounterOverflow("increment would produce NaN or Infinity")
    return _EXACT.add(one, two).quantize(_DECIMALS, rounding=ROUND_HALF_EVEN, context=_EXACT)


def number_of(text: bytes) -> Decimal:
    text_float(text)  # which refuses what is none
    number = Decimal(text.decode("ascii"))
    if number.is_finite() and number.adjusted() > _LONGEST:
        raise InvalidArgument("value is not a valid float")
    return number


def plain_decimal(number: Decimal) -> bytes:
    """A number without exponent and without zeros at its end."""
    text = format(number, "f")
    shown = text.rstrip("0").rstrip(".") if "." in text else text
    return b"0" if shown == "-0" else shown.encode()


def as_before(old: bytes, total: Decimal, text: bytes) -> bytes:
    """The sum in the class that was found; of an int, one that is none is a Decimal."""
    kind = class_of(old)
    if kind == "float":
        return encode(float(total))
    if kind == "int" and total == total.to_integral_value():
        return encode(int(total))
    if kind in ("int", "decimal"):
        return encode(Decimal(text.decode("ascii")))
    return like(old, text)
