"""Every command about hashes against a dict, and the promises of walks and of picks by chance."""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import KvError
from kv_server.commands import CATALOG
from tests.commands.answers import Fits
from tests.commands.calls import call, tail, values
from tests.commands.calls import steps as by
from tests.commands.plain import Fails, as_text, countable, in_class_of, plain_text, total
from tests.commands.side_by_side import SideBySide, Step, steps
from tests.engine.profile import examples
from tests.engine.rig import Present, Rig
from tests.engine.text_line import TextLine

FLOAT = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?|[+-]?inf(inity)?", re.IGNORECASE)

keys = st.sampled_from([b"h", b"h", b"h", b"g", b"w"])
fields = st.sampled_from([b"f", b"g", b"", b"\xff", "é".encode()])
items = st.tuples(fields, values)
counts = st.sampled_from([0, 1, 2, 100, -1, -3])
increments = st.sampled_from([b"1", b"-0.5", b"3e2", b".25", b"1e-20", b"+7", b"x", b"", b"inf", b"-Infinity", b"nan"])

CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "HSET": tail(items, before=(keys,)),
    "HMSET": tail(items, before=(keys,)),
    "HSETNX": call(keys, fields, values),
    "HGET": call(keys, fields),
    "HMGET": tail(fields, before=(keys,)),
    "HGETALL": call(keys),
    "HDEL": tail(fields, before=(keys,)),
    "HEXISTS": call(keys, fields),
    "HLEN": call(keys),
    "HKEYS": call(keys),
    "HVALS": call(keys),
    "HSTRLEN": call(keys, fields),
    "HINCRBY": call(keys, fields) | call(keys, fields, by),
    "HINCRBYFLOAT": call(keys, fields, increments),
    "HRANDFIELD": call(keys) | call(keys, counts),
    "HSCAN": call(keys, st.just(0), match=st.sampled_from(["*", "?", "f*"]), count=st.sampled_from([1, 100])),
}
OTHERS = {
    "SET": call(st.just(b"w"), st.just(5)),
    "DEL": call(st.sampled_from([b"h", b"g", b"w"])),
}
PATTERNS = {"*": rb".*", "?": rb".", "f*": rb"f.*"}


class Model:
    """Hashes as dicts, beside one key that may hold something else."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}

    def hash(self, key: bytes) -> dict[bytes, Any]:
        found = self.keys.get(key, {})
        if not isinstance(found, dict):
            raise Fails("WRONG_TYPE")
        return found

    def put(self, key: bytes, field: bytes, value: Any) -> None:
        self.keys.setdefault(key, {})[field] = value

    def set(self, key: bytes, value: Any) -> Any:
        self.keys[key] = value
        return Fits(lambda reply: True)

    def delete(self, key: bytes) -> Any:
        return int(self.keys.pop(key, None) is not None)

    def hset(self, key: bytes, *items: tuple[bytes, Any]) -> Any:
        before = len(self.hash(key))
        for field, value in items:
            self.put(key, field, value)
        return len(self.hash(key)) - before

    def hmset(self, key: bytes, *items: tuple[bytes, Any]) -> Any:
        self.hset(key, *items)

    def hsetnx(self, key: bytes, field: bytes, value: Any) -> Any:
        return field not in self.hash(key) and bool(self.hset(key, (field, value)))

    def hget(self, key: bytes, field: bytes) -> Any:
        return Present(self.hash(key)[field]) if field in self.hash(key) else None

    def hmget(self, key: bytes, *fields: bytes) -> Any:
        return [self.hget(key, field) for field in fields]

    def hgetall(self, key: bytes) -> Any:
        return self.hash(key)

    def hdel(self, key: bytes, *fields: bytes) -> Any:
        table = self.hash(key)
        gone = [field for field in set(fields) if field in table]
        for field in gone:
            del table[field]
        if not table:
            self.keys.pop(key, None)
        return len(gone)

    def hexists(self, key: bytes, field: bytes) -> Any:
        return field in self.hash(key)

    def hlen(self, key: bytes) -> Any:
        return len(self.hash(key))

    def hkeys(self, key: bytes) -> Any:
        return list(self.hash(key))

    def hvals(self, key: bytes) -> Any:
        return list(self.hash(key).values())

    def hstrlen(self, key: bytes, field: bytes) -> Any:
        return len(plain_text(self.hash(key).get(field)))

    def hincrby(self, key: bytes, field: bytes, by: Any = 1) -> Any:
        table = self.hash(key)
        old = table.get(field)
        result = total(countable(old, by) if field in table else type(by)(0), by)
        spelled = type(old) in (str, bytes)
        stored = in_class_of(old, str(result).encode()) if spelled else result
        self.put(key, field, Decimal(result) if type(old) is Decimal else stored)
        return result

    def hincrbyfloat(self, key: bytes, field: bytes, increment: bytes) -> Any:
        if not FLOAT.fullmatch(increment) or b"inf" in increment.lower():
            raise Fails("INVALID")
        table = self.hash(key)
        old = table.get(field)
        text = plain_text(old) if field in table else b"0"
        if not FLOAT.fullmatch(text):
            raise Fails("NOT_NUMBER")
        if b"inf" in text.lower():
            raise Fails("OVERFLOW")
        result = rounded(Decimal(text.decode()), Decimal(increment.decode()))
        shown = f"{result:f}"
        if type(old) is float:
            self.put(key, field, float(result))
        elif type(old) is int and result == int(result):
            self.put(key, field, int(result))
        elif type(old) in (int, Decimal):
            self.put(key, field, Decimal(shown))
        else:
            self.put(key, field, in_class_of(old, shown.encode()))
        return shown

    def hrandfield(self, key: bytes, count: int = 1) -> Any:
        table = self.hash(key)

        def holds(reply: Any) -> bool:
            known = all(repr(table[field]) == repr(value) for field, value in reply)
            if count < 0:
                return known and len(reply) == (-count if table else 0)
            return known and len(dict(reply)) == len(reply) == min(count, len(table))

        return Fits(holds)

    def hscan(self, key: bytes, cursor: int, match: str = "*", count: int = 10) -> Any:
        chosen = [item for item in self.hash(key).items() if re.fullmatch(PATTERNS[match], item[0], re.DOTALL)]
        return 0, chosen


def rounded(one: Decimal, two: Decimal) -> Decimal:
    """Their sum to 17 decimals, without zeros at its end."""
    units = round((Fraction(one) + Fraction(two)) * 10**17)
    digits = str(abs(units)).rjust(18, "0")
    return Decimal(f"{'-' if units < 0 else ''}{digits[:-17]}.{digits[-17:]}".rstrip("0").rstrip("."))


@settings(max_examples=examples(150))
@given(calls=steps(CALLS | OTHERS))
def test_hashes_do_what_dicts_do(calls: list[Step]) -> None:
    SideBySide(Model()).run(calls)


# ---- walks and picks
@settings(max_examples=examples(30))
@given(data=st.data())
def test_a_walk_over_a_large_hash_meets_every_field_that_stays(data: st.DataObject) -> None:
    client = Rig().connect()
    client.call("HSET", "h", *((f"f{number}", number) for number in range(600)))
    stay = {b"f%d" % number for number in range(600)}
    met: set[bytes] = set()
    cursor, pages = 0, 0
    while cursor or not pages:
        cursor, page = client.call("HSCAN", "h", cursor, count=50)
        assert all(value == int(field[1:]) for field, value in page)
        met |= {field for field, _ in page}
        for number in data.draw(st.lists(st.integers(0, 599), max_size=20)):
            stay.discard(b"f%d" % number)
            client.call("HDEL", "h", f"f{number}")
            client.call("HSET", "h", (f"f{1_000 + pages * 600 + number}", 1_000 + pages * 600 + number))
        pages += 1
        assert pages < 100, "the walk must end, whatever comes"
    assert stay <= met


def test_a_small_hash_comes_whole_and_a_cursor_from_nowhere_does_no_harm() -> None:
    client = Rig().connect()
    client.call("HSET", "h", ("a", 1), ("b", 2))
    assert client.call("HSCAN", "h", 0, count=1) == (0, [(b"a", 1), (b"b", 2)])
    assert client.call("HSCAN", "h", 2**64 - 1)[0] == 0
    assert client.call("HSCAN", "absent", 7) == (0, [])


@pytest.mark.parametrize("size", [5, 600])
def test_picks_are_fair(size: int) -> None:
    client = Rig().connect()
    client.call("HSET", "h", *((f"f{number}", number) for number in range(size)))
    for count in (-20 * size, 1):
        calls = 1 if count < 0 else 20 * size
        seen = Counter(field for _ in range(calls) for field, _ in client.call("HRANDFIELD", "h", count))
        assert len(seen) == size
        assert max(seen.values()) < 60
    client.call("HDEL", "h", "f0")
    assert b"f0" not in dict(client.call("HRANDFIELD", "h", 10 * size))


def test_more_repeats_than_a_reply_holds_are_refused() -> None:
    client = Rig().connect()
    with pytest.raises(KvError, match="out of range"):
        client.call("HRANDFIELD", "h", -(2**63))


def test_what_spells_an_int_counts_as_one_and_stays_what_it_is() -> None:
    client = Rig().connect()
    client.call("HSET", "h", ("text", "5"), ("bytes", b"5"), ("int", 5))
    for field, sum_ in (("text", 7), ("bytes", 7), ("int", 7), ("absent", 2)):
        assert client.call("HINCRBY", "h", field, 2) == sum_
    assert client.call("HGETALL", "h") == {b"text": "7", b"bytes": b"7", b"int": 7, b"absent": 2}
    for number, kept in enumerate(("5", b"5", 5)):
        client.call("SET", f"k{number}", kept)
        assert client.call("INCR", f"k{number}") == client.call("DECR", f"k{number}") + 1 == 6
        assert client.call("GET", f"k{number}").value == kept


def test_text_clients_see_the_forms_that_redis_has() -> None:
    line = TextLine(Rig())
    assert line("HSET h a 1 b 2") == 2
    assert line("HMSET h a 1") == "OK"
    assert line("HGETALL h") == [b"a", b"1", b"b", b"2"]
    assert line("HSCAN h 0") == [b"0", [b"a", b"1", b"b", b"2"]]
    assert line("HRANDFIELD h") in (b"a", b"b")
    assert line("HRANDFIELD h 5") == [b"a", b"b"]
    assert line("HRANDFIELD h 5 WITHVALUES") == [b"a", b"1", b"b", b"2"]
    assert line("HRANDFIELD none") is None
    assert line("HINCRBY h a 5") == 6
    assert line("HINCRBYFLOAT h a 0.5") == b"6.5"
    assert line("HINCRBY h a 1") == "ERR hash value is not an integer"
    assert line("HSET h a") == "ERR wrong number of arguments for 'hset' command"
    assert line("HGET h a") == b"6.5"
    assert as_text(line("HGET h b")) == "2"


def test_every_command_about_hashes_has_a_rule() -> None:
    assert {command.name for command in CATALOG if command.group == "hash"} == CALLS.keys()
