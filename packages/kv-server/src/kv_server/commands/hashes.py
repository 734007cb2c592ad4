"""Hashes: values by field under one key."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, NamedTuple

from kv_protocol.blobs import HEADS
from kv_protocol.errors import InvalidArgument, NotANumber, OutOfRange
from kv_protocol.values import class_of, encode, from_octets, number, octets
from kv_server.commands.counters import ONE, add, as_int
from kv_server.commands.redis_strings import as_before, decimal_sum, number_of, plain_decimal
from kv_server.commands.resp_views import AS_OK
from kv_server.commands.strings import like
from kv_server.engine.tx import Tx
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, WRITE, View
from kv_server.spec.resp_reply import resp_value
from kv_server.spec.types import PAIRS, Count, Cursor, Int, Key, Name, Number, Octets, Pattern, SourceKey, Token, Value

DEFAULT_PAGE: Final = 10
MOST_REPEATS: Final = 1_048_576  # what one call may have repeated to it


class FieldValue(NamedTuple):
    """A field of a hash and its value."""

    field: Name
    value: Value


class FieldPage(NamedTuple):
    """One page of a walk over a hash; `cursor` 0 says that the walk is complete."""

    cursor: Cursor
    fields: list[FieldValue]


def one_field(found: list[FieldValue]) -> Name | None:
    return found[0].field if found else None


def fields_alone(found: list[FieldValue]) -> list[Name]:
    return [each.field for each in found]


def with_values(found: list[FieldValue]) -> Annotated[list[tuple[Name, Value]], PAIRS]:
    return [(each.field, each.value) for each in found]


def flat_page(page: FieldPage) -> tuple[Octets, list[Octets | None]]:
    """A page as text clients have it: the cursor as text, then fields and values in one row."""
    flat: list[bytes | None] = []
    for field, value in page.fields:
        flat += (field, resp_value(value))
    return b"%d" % page.cursor, flat


@command(WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(fields)")
def hset(tx: Tx, key: Key, /, *items: FieldValue) -> int:
    """Set fields to values and return how many of the fields are new. One given twice takes its last value."""
    before = tx.hash_len(key)
    for field, value in items:
        tx.hash_put(key, field, value)
    return tx.hash_len(key) - before


@command(
    WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(fields)", doors=RESP_DOOR, method=None, views=(AS_OK,)
)
def hmset(tx: Tx, key: Key, /, *items: FieldValue) -> None:
    """Set fields to values: the older word for `HSET`."""
    hset(tx, key, *items)


@command(WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)")
def hsetnx(tx: Tx, key: Key, field: Name, value: Value, /) -> bool:
    """Set *field* to *value* if there is no such field; False, and nothing is set, if there is."""
    if tx.hash_get(key, field) is not None:
        return False
    tx.hash_put(key, field, value)
    return True


@command(READ | FAST, group="hash", since="0.1", cost="O(1)")
def hget(tx: Tx, key: SourceKey, field: Name, /) -> Value | None:
    """Return the value of *field*; nothing if there is none."""
    return tx.hash_get(key, field)


@command(READ | FAST, group="hash", since="0.1", cost="O(fields)")
def hmget(tx: Tx, key: SourceKey, /, *fields: Name) -> list[Value | None]:
    """Return the values of *fields* in their order, nothing for those that are absent."""
    return [tx.hash_get(key, field) for field in fields]


@command(READ, group="hash", since="0.1", cost="O(size)")
def hgetall(tx: Tx, key: SourceKey, /) -> dict[Name, Value]:
    """Return all fields with their values, in the order in which the fields came."""
    return tx.hash_items(key)


@command(WRITE | FAST, group="hash", since="0.1", cost="O(fields)")
def hdel(tx: Tx, key: Key, /, *fields: Name) -> int:
    """Delete *fields* and return how many there were; with the last field goes the key."""
    there = [field for field in dict.fromkeys(fields) if tx.hash_get(key, field) is not None]
    for field in there:
        tx.hash_drop(key, field)
    return len(there)


@command(READ | FAST, group="hash", since="0.1", cost="O(1)")
def hexists(tx: Tx, key: SourceKey, field: Name, /) -> bool:
    """Return whether there is such a *field*."""
    return tx.hash_get(key, field) is not None


@command(READ | FAST, group="hash", since="0.1", cost="O(1)")
def hlen(tx: Tx, key: SourceKey, /) -> int:
    """Return how many fields the hash at *key* has; 0 if there is none."""
    return tx.hash_len(key)


@command(READ, group="hash", since="0.1", cost="O(size)")
def hkeys(tx: Tx, key: SourceKey, /) -> list[Name]:
    """Return the fields of the hash at *key*, in the order in which they came."""
    return tx.hash_fields(key)


@command(READ, group="hash", since="0.1", cost="O(size)")
def hvals(tx: Tx, key: SourceKey, /) -> list[Value]:
    """Return the values of the hash at *key*, in the order in which their fields came."""
    return tx.hash_values(key)


@command(READ | FAST, group="hash", since="0.1", cost="O(length)")
def hstrlen(tx: Tx, key: SourceKey, field: Name, /) -> int:
    """Return how many octets the value of *field* takes as it reads; 0 if there is none."""
    value = tx.hash_get(key, field)
    return len(octets(value)) if value is not None else 0


@command(WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", doors=NATIVE_DOOR)
def hincrby(tx: Tx, key: Key, field: Name, by: Number = ONE, /) -> Number:
    """Add *by* (1 unless given) to the number in *field* and return the sum.

    As `INCR` counts: the classes must match, text or bytes that spell an int count as that int and stay what they are,
    and a field that is absent counts as zero of the class of *by*.
    """
    return count_in_field(tx, key, field, number(by))


@command(
    WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", name="HINCRBY", doors=RESP_DOOR, method=None,
    views=(View("int", as_int),),
)  # fmt: skip
def hincrby_on_resp(tx: Tx, key: Key, field: Name, increment: Int, /) -> Number:
    """Add *increment* to the int in *field* and return the sum."""
    try:
        return count_in_field(tx, key, field, increment)
    except NotANumber:
        raise NotANumber("hash value is not an integer") from None


@command(WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def hincrbyfloat(tx: Tx, key: Key, field: Name, increment: Octets, /) -> Value:
    """Add *increment*, a decimal number, to the number in *field*, exactly to 17 decimals, and return the sum."""
    if not number_of(increment).is_finite():
        raise InvalidArgument("value is NaN or Infinity")
    old = tx.hash_get(key, field)
    try:
        total = decimal_sum(b"0" if old is None else octets(old), increment)
    except InvalidArgument:
        raise NotANumber("hash value is not a float") from None
    text = plain_decimal(total)
    tx.hash_put(key, field, from_octets(text) if old is None else as_before(old, total, text))
    return from_octets(text)


@command(
    READ,
    group="hash",
    since="0.1",
    cost="O(count)",
    views=(
        View("field", one_field, without="count"),
        View("fields", fields_alone),
        View("values", with_values, tokens=("WITHVALUES",)),
    ),
)
def hrandfield(tx: Tx, key: SourceKey, count: Int | None = None, /) -> list[FieldValue]:
    """Return *count* fields (1 unless given), picked by chance, with their values; each at most once.

    With a negative *count* as many as that are picked, each out of all.
    """
    wanted = 1 if count is None else count
    if wanted < -MOST_REPEATS:
        raise OutOfRange("value is out of range")
    return list(map(FieldValue._make, tx.hash_pick(key, abs(wanted), repeats=wanted < 0)))


@command(READ | SLOW, group="hash", since="0.1", cost="O(count)", views=(View("page", flat_page),))
def hscan(
    tx: Tx,
    key: SourceKey,
    cursor: Cursor,
    /,
    *,
    match: Annotated[Pattern | None, Token("MATCH")] = None,
    count: Annotated[Count, Token("COUNT")] = DEFAULT_PAGE,
) -> FieldPage:
    """Return a page of fields with their values, and the cursor of the next page; begin with 0, end when it is 0.

    A field that is there from the beginning to the end of a walk is returned, whatever else comes and goes; one may
    be returned twice. *count* is about how many fields are looked at; *match* chooses among those. A small hash comes
    whole.
    """
    following, items = tx.hash_page(key, cursor, count)
    return FieldPage(
        following, [FieldValue(field, value) for field, value in items if match is None or matches(match, field)]
    )


def count_in_field(tx: Tx, key: bytes, field: bytes, step: int | float | Decimal) -> bytes:
    """Add *step* to what is in *field*; store the sum in the class that was found."""
    blob = tx.hash_get(key, field)
    old = type(step)(0) if blob is None else number(blob)
    if type(old) is not type(step):
        assert blob is not None
        raise NotANumber(f"{class_of(blob)} in the field cannot be counted with {class_of(encode(step))}")
    result = encode(add(old, step))
    tx.hash_put(key, field, like(blob, octets(result)) if blob is not None and HEADS[blob[0]] else result)
    return result
