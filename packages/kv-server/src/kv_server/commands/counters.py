"""Counting: int, float and Decimal, each in its own class and never beyond its bounds."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from math import isfinite
from typing import Annotated, Final

from kv_protocol.blobs import HEADS
from kv_protocol.errors import CommandError, CounterOverflow, InvalidArgument, NotANumber
from kv_protocol.values import class_of, encode, int_blob, number, octets
from kv_server.commands.strings import like
from kv_server.engine.ground import wrong_type
from kv_server.engine.tx import Tx
from kv_server.model.entry import SCALAR
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int
from kv_server.spec.command import FAST, GROWS, WRITE, View
from kv_server.spec.spelled import int_sum, whole
from kv_server.spec.types import NATIVE, Duration, Number, TakenKey

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
ONE: Final = int_blob(1)
_PLAIN_NUMBERS: Final = frozenset((*range(0x80), *range(0xCA, 0xD4), *range(0xE0, 0x100)))  # heads of int and float
EXACT: Final = Context(prec=1_000, traps=[Inexact, InvalidOperation, Overflow])


def as_int(total: bytes) -> int:
    """Text clients count with whole numbers alone."""
    return whole(total)


def no_int(error: CommandError) -> int:
    """What cannot be counted with has one text there."""
    if isinstance(error, NotANumber):
        raise NotANumber("value is not an integer or out of range", error.details) from None
    raise error


AS_INT: Final = View("int", as_int, rescue=no_int)


@command(WRITE | GROWS | FAST, group="counter", since="0.1", cost="O(1)", views=(AS_INT,), event="incrby")
def incr(
    tx: Tx,
    key: TakenKey,
    /,
    *,
    by: Annotated[Number, NATIVE] = ONE,
    minimum: Annotated[Number | None, NATIVE] = None,
    maximum: Annotated[Number | None, NATIVE] = None,
    clamp: Annotated[bool, NATIVE] = False,
    ttl_if_new: Annotated[Duration | None, NATIVE] = None,
) -> Number:
    """Add *by* to the number at *key* and return the sum. An absent key counts as zero of the class of *by*.

    The classes must match: an int is counted with ints (up to 64 bits), a float with floats, a Decimal, exactly, with
    Decimals. Text, bytes or a Decimal that spells an int counts as that int and stays what it is. A sum beyond
    *minimum* or *maximum* fails the call, or, with *clamp*, stops there. The expiry stays; *ttl_if_new* gives one to a
    key that was absent.

    >>> await client.incr("visits"), await client.incr("visits", by=4)
    (1, 5)
    >>> await client.incr("visits", by=100, maximum=10, clamp=True)
    10
    >>> await client.incr("price", by=Decimal("0.10"))
    Decimal('0.10')
    """
    return count(tx, key, number(by), minimum, maximum, clamp, ttl_if_new)


@command(WRITE | GROWS | FAST, group="counter", since="0.1", cost="O(1)", views=(AS_INT,), event="incrby")
def decr(
    tx: Tx,
    key: TakenKey,
    /,
    *,
    by: Annotated[Number, NATIVE] = ONE,
    minimum: Annotated[Number | None, NATIVE] = None,
    maximum: Annotated[Number | None, NATIVE] = None,
    clamp: Annotated[bool, NATIVE] = False,
    ttl_if_new: Annotated[Duration | None, NATIVE] = None,
) -> Number:
    """Subtract *by* from the number at *key* and return the difference; otherwise as `INCR`.

    >>> await client.incr("stock", by=3)
    3
    >>> await client.decr("stock", by=2, minimum=0)
    1
    """
    step = number(by)
    opposite = step.copy_negate() if isinstance(step, Decimal) else -step  # a plain minus would round
    return count(tx, key, opposite, minimum, maximum, clamp, ttl_if_new)


def count(
    tx: Tx,
    key: bytes,
    step: int | float | Decimal,
    minimum: bytes | None,
    maximum: bytes | None,
    clamp: bool,
    ttl: int | None,
) -> bytes:
    """Add *step* to what is at *key* within bounds; store the sum in the class that was found."""
    entry = tx.find(key)
    if entry is None:
        result = encode(bounded(add(type(step)(0), step), step, minimum, maximum, clamp))
        tx.key_put(key, result, 0 if ttl is None else tx.now_ms + ttl)
        return result
    if entry.kind != SCALAR:
        raise wrong_type(SCALAR, entry.kind)
    blob: bytes = entry.value
    plain = int_sum(blob, step) if minimum is None and maximum is None and type(step) is int else None
    if plain is not None:
        tx.key_put(key, plain, entry.expires_ms)
        return told(plain)
    old = number(blob)
    if type(old) is not type(step):
        old = operand(blob, step)
    total = add(old, step)
    if minimum is not None or maximum is not None:
        total = bounded(total, step, minimum, maximum, clamp)
    result = int_blob(total) if type(total) is int else encode(total)
    tx.key_put(key, in_class_of(blob, result), entry.expires_ms)
    return result


def told(total: bytes) -> bytes:
    """A sum in the class that it is kept in, as the number that the caller is told."""
    return int_blob(whole(total)) if HEADS[total[0]] else total


def operand(blob: bytes, step: int | float | Decimal) -> int | float | Decimal:
    """The number that *blob* counts as where *step* is added: one of that class."""
    found = number(blob)
    if type(found) is type(step):
        return found
    if type(found) is Decimal and type(step) is int and spells_int(blob):
        return int(found)
    raise NotANumber(f"{class_of(blob)} cannot be counted with {_NAMES[type(step)]}")


def in_class_of(blob: bytes, total: bytes) -> bytes:
    """The number *total* in the class of *blob*, in whose place it comes."""
    if HEADS[blob[0]]:
        return like(blob, octets(total))
    if blob[0] not in _PLAIN_NUMBERS and class_of(blob) == "decimal" != class_of(total):
        return encode(Decimal(octets(total).decode()))
    return total


def spells_int(blob: bytes) -> bool:
    """Whether a value reads as an int of 64 bits."""
    try:
        text_int(octets(blob))
    except InvalidArgument:
        return False
    return True


def add(old: int | float | Decimal, step: int | float | Decimal) -> int | float | Decimal:
    """The sum of two numbers of one class, which it may not leave."""
    if type(old) is int and type(step) is int:
        total = old + step
        if not INT64_MIN <= old <= INT64_MAX:
            raise NotANumber("an int of more than 64 bits cannot be counted with")
        if not INT64_MIN <= total <= INT64_MAX:
            raise CounterOverflow("increment or decrement would overflow")
        return total
    if type(old) is float and type(step) is float:
        result = old + step
        if not isfinite(result):
            raise CounterOverflow("increment would produce NaN or Infinity")
        return result
    assert type(old) is Decimal
    assert type(step) is Decimal
    if not (old.is_finite() and step.is_finite()):
        raise CounterOverflow("increment would produce NaN or Infinity")
    try:
        return EXACT.add(old, step)
    except (Inexact, Overflow):
        raise CounterOverflow(f"the exact sum would take more than {EXACT.prec:,} digits") from None


def bounded(
    total: int | float | Decimal, step: int | float | Decimal, minimum: bytes | None, maximum: bytes | None, clamp: bool
) -> int | float | Decimal:
    """*total* if it is within the bounds; beyond one, that bound or an error."""
    if minimum is None and maximum is None:
        return total
    low, high = bound(minimum, "minimum", step), bound(maximum, "maximum", step)
    if low is not None and high is not None and low > high:
        raise InvalidArgument("minimum is above maximum")
    for limit, name, beyond in ((high, "maximum", True), (low, "minimum", False)):
        if limit is not None and (total > limit if beyond else total < limit):
            if clamp:
                return limit
            raise CounterOverflow(f"the result would leave the {name}")
    return total


def bound(blob: bytes | None, name: str, step: int | float | Decimal) -> int | float | Decimal | None:
    if blob is None:
        return None
    limit = number(blob)
    if type(limit) is not type(step):
        raise InvalidArgument(f"{name}: must be of the class of the step, {_NAMES[type(step)]}")
    if limit.is_nan() if isinstance(limit, Decimal) else limit != limit:
        raise InvalidArgument(f"{name}: is not a number")
    return limit


_NAMES: Final = {int: "int", float: "float", Decimal: "decimal"}
