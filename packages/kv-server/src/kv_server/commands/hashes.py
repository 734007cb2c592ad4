"""Hashes: values by field under one key."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, NamedTuple, cast

from kv_protocol.errors import InvalidArgument, NotANumber, OutOfRange
from kv_protocol.values import encode, from_octets, int_blob, number, octets
from kv_server.commands.counters import ONE, add, as_int, in_class_of, operand, told
from kv_server.commands.redis_strings import as_before, decimal_sum, number_of, plain_decimal
from kv_server.commands.resp_views import AS_OK
from kv_server.engine.tx import Tx
from kv_server.model.glob import matches
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, NATIVE_DOOR, READ, RESP_DOOR, SLOW, WRITE, View
from kv_server.spec.resp_kinds import in_parts
from kv_server.spec.spelled import int_sum, resp_value
from kv_server.spec.types import (
    PAIRS,
    Count,
    Cursor,
    Int,
    Key,
    Name,
    Number,
    Octets,
    Pattern,
    SourceKey,
    TakenKey,
    Token,
    Value,
)

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
    return found[0][0] if found else None


@in_parts
def fields_alone(found: list[FieldValue]) -> list[Name]:
    return [field for field, _ in found]


@in_parts
def with_values(found: list[FieldValue]) -> Annotated[list[tuple[Name, Value]], PAIRS]:
    return [(field, value) for field, value in found]


def flat_page(page: FieldPage) -> tuple[Octets, list[Octets | None]]:
    """A page as text clients have it: the cursor as text, then fields and values in one row."""
    return b"%d" % page.cursor, [word for field, value in page.fields for word in (field, resp_value(value))]


@command(WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(fields)", handle="set")
def hset(tx: Tx, key: Key, /, *items: FieldValue) -> int:
    """Set fields to values and return how many of the fields are new. One given twice takes its last value.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hset("user:1", ("age", 37), ("city", "London"))
    1
    """
    fresh = 0
    for item in items:
        fresh += tx.hash_put(key, item[0], item[1])
    return fresh


@command(
    WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(fields)", doors=RESP_DOOR, method=None, views=(AS_OK,)
)
def hmset(tx: Tx, key: Key, /, *items: FieldValue) -> None:
    """Set fields to values: the older word for `HSET`."""
    hset(tx, key, *items)


@command(WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", handle="add")
def hsetnx(tx: Tx, key: Key, field: Name, value: Value, /) -> bool:
    """Set *field* to *value* if there is no such field; False, and nothing is set, if there is.

    >>> await client.hsetnx("user:1", "name", "Ada"), await client.hsetnx("user:1", "name", "Bob")
    (True, False)
    """
    if tx.hash_has(key, field):
        return False
    tx.hash_put(key, field, value)
    return True


@command(READ | FAST, group="hash", since="0.1", cost="O(1)", handle="get")
def hget(tx: Tx, key: SourceKey, field: Name, /) -> Value | None:
    """Return the value of *field*; nothing if there is none.

    >>> await client.hset("user:1", {"name": "Ada"})
    1
    >>> await client.hget("user:1", "name"), await client.hget("user:1", "age", default=0)
    ('Ada', 0)
    """
    return tx.hash_get(key, field)


@command(READ | FAST, group="hash", since="0.1", cost="O(fields)", handle="get_many")
def hmget(tx: Tx, key: SourceKey, /, *fields: Name) -> list[Value | None]:
    """Return the values of *fields* in their order, nothing for those that are absent.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hmget("user:1", "age", "absent")
    [36, None]
    """
    return [tx.hash_get(key, field) for field in fields]


@command(READ, group="hash", since="0.1", cost="O(size)", handle="get_all")
def hgetall(tx: Tx, key: SourceKey, /) -> dict[Name, Value]:
    """Return all fields with their values, in the order in which the fields came.

    >>> await client.hset("user:1", {"name": "Ada", "tags": ["x"]})
    2
    >>> await client.hgetall("user:1")
    {'name': 'Ada', 'tags': ['x']}
    """
    return tx.hash_items(key)


@command(WRITE | FAST, group="hash", since="0.1", cost="O(fields)", handle="delete")
def hdel(tx: Tx, key: Key, /, *fields: Name) -> int:
    """Delete *fields* and return how many there were; with the last field goes the key.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hdel("user:1", "age", "absent")
    1
    """
    there = [field for field in dict.fromkeys(fields) if tx.hash_has(key, field)]
    for field in there:
        tx.hash_drop(key, field)
    return len(there)


@command(READ | FAST, group="hash", since="0.1", cost="O(1)", handle="has")
def hexists(tx: Tx, key: SourceKey, field: Name, /) -> bool:
    """Return whether there is such a *field*.

    >>> await client.hset("user:1", {"name": "Ada"})
    1
    >>> await client.hexists("user:1", "name"), await client.hexists("user:1", "age")
    (True, False)
    """
    return tx.hash_has(key, field)


@command(READ | FAST, group="hash", since="0.1", cost="O(1)", handle="size")
def hlen(tx: Tx, key: SourceKey, /) -> int:
    """Return how many fields the hash at *key* has; 0 if there is none.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hlen("user:1")
    2
    """
    return tx.hash_len(key)


@command(READ, group="hash", since="0.1", cost="O(size)", handle="fields")
def hkeys(tx: Tx, key: SourceKey, /) -> list[Name]:
    """Return the fields of the hash at *key*, in the order in which they came.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hkeys("user:1")
    ['name', 'age']
    """
    return tx.hash_fields(key)


@command(READ, group="hash", since="0.1", cost="O(size)", handle="values")
def hvals(tx: Tx, key: SourceKey, /) -> list[Value]:
    """Return the values of the hash at *key*, in the order in which their fields came.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hvals("user:1")
    ['Ada', 36]
    """
    return tx.hash_values(key)


@command(READ | FAST, group="hash", since="0.1", cost="O(length)", handle="strlen")
def hstrlen(tx: Tx, key: SourceKey, field: Name, /) -> int:
    """Return how many octets the value of *field* takes as it reads; 0 if there is none.

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hstrlen("user:1", "name"), await client.hstrlen("user:1", "age")
    (3, 2)
    """
    value = tx.hash_get(key, field)
    return len(octets(value)) if value is not None else 0


@command(
    WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", doors=NATIVE_DOOR, handle="increment",
    event="hincrby",
)  # fmt: skip
def hincrby(tx: Tx, key: TakenKey, field: Name, by: Number = ONE, /) -> Number:
    """Add *by* (1 unless given) to the number in *field* and return the sum.

    As `INCR` counts: the classes must match, text or bytes that spell an int count as that int and stay what they are,
    and a field that is absent counts as zero of the class of *by*.

    >>> await client.hincrby("cart", "apples"), await client.hincrby("cart", "apples", 4)
    (1, 5)
    """
    return count_in_field(tx, key, field, number(by))


@command(
    WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", name="HINCRBY", doors=RESP_DOOR, method=None,
    views=(View("int", as_int),),
    event="hincrby",
)  # fmt: skip
def hincrby_on_resp(tx: Tx, key: TakenKey, field: Name, increment: Int, /) -> Number:
    """Add *increment* to the int in *field* and return the sum."""
    try:
        return count_in_field(tx, key, field, increment)
    except NotANumber:
        raise NotANumber("hash value is not an integer") from None


@command(
    WRITE | GROWS | FAST, group="hash", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None,
    event="hincrbyfloat",
)  # fmt: skip
def hincrbyfloat(tx: Tx, key: TakenKey, field: Name, increment: Octets, /) -> Value:
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
    handle="random",
)
def hrandfield(tx: Tx, key: SourceKey, count: Int | None = None, /) -> list[FieldValue]:
    """Return *count* fields (1 unless given), picked by chance, with their values; each at most once.

    With a negative *count* as many as that are picked, each out of all.

    >>> await client.hset("user:1", {"name": "Ada"})
    1
    >>> await client.hrandfield("user:1")
    FieldValue(field='name', value='Ada')
    >>> len(await client.hrandfield("user:1", -3))
    3
    """
    wanted = 1 if count is None else count
    if wanted < -MOST_REPEATS:
        raise OutOfRange("value is out of range")
    return named(tx.hash_pick(key, abs(wanted), repeats=wanted < 0))


@command(READ | SLOW, group="hash", since="0.1", cost="O(count)", views=(View("page", flat_page),), handle="scan")
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

    >>> await client.hset("user:1", {"name": "Ada", "age": 36})
    2
    >>> await client.hscan("user:1", 0, match="n*")
    FieldPage(cursor=0, fields=[FieldValue(field='name', value='Ada')])
    >>> [field async for field, value in client.hash("user:1").scan()]
    ['name', 'age']
    """
    following, items = tx.hash_page(key, cursor, count)
    if match is not None:
        items = [(field, value) for field, value in items if matches(match, field)]
    return FieldPage(following, named(items))


def named(items: list[tuple[bytes, bytes]]) -> list[FieldValue]:
    """*items* under their names, which only those who read need: to give them to each takes longer than the rest."""
    return cast(list[FieldValue], items)


def count_in_field(tx: Tx, key: bytes, field: bytes, step: int | float | Decimal) -> bytes:
    """Add *step* to what is in *field*; store the sum in the class that was found."""
    blob = tx.hash_get(key, field)
    result = int_sum(blob, step) if blob is not None and type(step) is int else None
    if result is not None:
        tx.hash_put(key, field, result)
        return told(result)
    total = add(type(step)(0) if blob is None else operand(blob, step), step)
    result = int_blob(total) if type(total) is int else encode(total)
    tx.hash_put(key, field, result if blob is None else in_class_of(blob, result))
    return result
