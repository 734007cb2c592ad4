"""Every command about lists against a Python list, and the forms in which text clients see the replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_server.commands import CATALOG
from tests.commands.answers import Fits
from tests.commands.calls import call, tail
from tests.commands.plain import Fails, fingerprint
from tests.commands.side_by_side import SideBySide, Step, steps
from tests.engine.profile import examples
from tests.engine.rig import Present, Rig
from tests.engine.text_line import TextLine

keys = st.sampled_from([b"l", b"l", b"l", b"m", b"w"])
several = st.lists(keys, min_size=1, max_size=3)
elements = st.sampled_from([1, 1.0, True, "1", b"1", None, "x", [1], {"a": 1}])
places = st.sampled_from([0, 1, 2, 3, -1, -2, -3, 7, -7, 2**63 - 1, -(2**63)])
counts = st.sampled_from([0, 1, 2, 100, 2**63 - 1])
some = st.sampled_from([1, 2, 100])
ends = st.sampled_from(["LEFT", "RIGHT"])
no_time = st.just(0)

CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "LPUSH": tail(elements, most=5, before=(keys,)),
    "RPUSH": tail(elements, most=5, before=(keys,)),
    "LPUSHX": tail(elements, before=(keys,)),
    "RPUSHX": tail(elements, before=(keys,)),
    "LPOP": call(keys) | call(keys, counts),
    "RPOP": call(keys) | call(keys, counts),
    "LLEN": call(keys),
    "LRANGE": call(keys, places, places),
    "LINDEX": call(keys, places),
    "LSET": call(keys, places, elements),
    "LINSERT": call(keys, st.sampled_from(["BEFORE", "AFTER"]), elements, elements),
    "LREM": call(keys, places, elements),
    "LTRIM": call(keys, places, places),
    "LPOS": call(keys, elements, rank=places, count=places, max_length=places),
    "LMOVE": call(keys, keys, ends, ends),
    "RPOPLPUSH": call(keys, keys),
    "LMPOP": call(several, ends, count=some),
    "BLPOP": several.flatmap(lambda chosen: call(*map(st.just, chosen)).map(lambda made: (made[0], {"wait": 0}))),
    "BRPOP": several.flatmap(lambda chosen: call(*map(st.just, chosen)).map(lambda made: (made[0], {"wait": 0}))),
    "BLMPOP": call(several, ends, count=some).map(lambda made: (made[0], made[1] | {"wait": 0})),
    "BLMOVE": call(keys, keys, ends, ends).map(lambda made: (made[0], {"wait": 0})),
}
OTHERS = {
    "SET": call(st.just(b"w"), st.just(5)),
    "DEL": call(st.sampled_from([b"l", b"m", b"w"])),
}
WAITING = {"BRPOPLPUSH"}
"""Text clients alone have this word; tests/engine/test_waiting_pops.py calls it."""


class Model:
    """Lists as lists, beside one key that may hold something else."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}

    def elements(self, key: bytes) -> list[Any]:
        found = self.keys.get(key, [])
        if type(found) is not list:
            raise Fails("WRONG_TYPE")
        return found

    def put(self, key: bytes, content: Any) -> None:
        self.keys[key] = content
        if content == []:
            del self.keys[key]

    def set(self, key: bytes, value: Any) -> Any:
        self.keys[key] = value
        return Fits(lambda reply: True)

    def delete(self, key: bytes) -> Any:
        return int(self.keys.pop(key, None) is not None)

    def rpush(self, key: bytes, *values: Any) -> Any:
        self.put(key, [*self.elements(key), *values])
        return len(self.elements(key))

    def lpush(self, key: bytes, *values: Any) -> Any:
        self.put(key, [*reversed(values), *self.elements(key)])
        return len(self.elements(key))

    def lpushx(self, key: bytes, *values: Any) -> Any:
        return self.lpush(key, *values) if self.elements(key) else 0

    def rpushx(self, key: bytes, *values: Any) -> Any:
        return self.rpush(key, *values) if self.elements(key) else 0

    def pop(self, key: bytes, end: str, count: int) -> Any:
        content = [*self.elements(key)]
        taken = [content.pop(0 if end == "LEFT" else -1) for _ in range(min(count, len(content)))]
        if taken:
            self.put(key, content)
        return taken

    def lpop(self, key: bytes, count: int = 1) -> Any:
        return self.pop(key, "LEFT", count)

    def rpop(self, key: bytes, count: int = 1) -> Any:
        return self.pop(key, "RIGHT", count)

    def llen(self, key: bytes) -> Any:
        return len(self.elements(key))

    def kept(self, key: bytes, start: int, stop: int) -> Any:
        content = self.elements(key)
        low = start if start >= 0 else start + len(content)
        high = stop if stop >= 0 else stop + len(content)
        return [value for place, value in enumerate(content) if low <= place <= high]

    def lrange(self, key: bytes, start: int, stop: int) -> Any:
        return self.kept(key, start, stop)

    def ltrim(self, key: bytes, start: int, stop: int) -> Any:
        kept = self.kept(key, start, stop)
        if self.elements(key):
            self.put(key, kept)

    def lindex(self, key: bytes, index: int) -> Any:
        content = self.elements(key)
        return Present(content[index]) if -len(content) <= index < len(content) else None

    def lset(self, key: bytes, index: int, value: Any) -> Any:
        content = self.elements(key)
        if not content:
            raise Fails("NOT_FOUND")
        if not -len(content) <= index < len(content):
            raise Fails("RANGE")
        content[index] = value

    def found(self, key: bytes, value: Any) -> list[int]:
        """Where *value* stands, in its class."""
        return [at for at, each in enumerate(self.elements(key)) if fingerprint(each) == fingerprint(value)]

    def linsert(self, key: bytes, where: str, pivot: Any, value: Any) -> Any:
        found = self.found(key, pivot)
        if not found:
            return -1 if self.elements(key) else 0
        self.elements(key).insert(found[0] + (where == "AFTER"), value)
        return len(self.elements(key))

    def lrem(self, key: bytes, count: int, value: Any) -> Any:
        found = self.found(key, value)
        gone = set(found[: count or None] if count >= 0 else found[count:])
        if gone:
            self.put(key, [each for at, each in enumerate(self.elements(key)) if at not in gone])
        return len(gone)

    def lpos(self, key: bytes, value: Any, rank: int = 1, count: Any = None, max_length: int = 0) -> Any:
        if rank in (0, -(2**63)) or max_length < 0 or (count is not None and count < 0):
            raise Fails("INVALID")
        looked = list(range(len(self.elements(key))))
        if rank < 0:
            looked.reverse()
        if max_length:
            looked = looked[:max_length]
        found = [at for at in looked if at in self.found(key, value)][abs(rank) - 1 :]
        return found[:1] if count is None else found[:count] if count else found

    def lmove(self, source: bytes, target: bytes, take: str, give: str) -> Any:
        if not self.elements(source):
            return None
        self.elements(target)
        [value] = self.pop(source, take, 1)
        self.put(target, [value, *self.elements(target)] if give == "LEFT" else [*self.elements(target), value])
        return Present(value)

    def rpoplpush(self, source: bytes, target: bytes) -> Any:
        return self.lmove(source, target, "RIGHT", "LEFT")

    def lmpop(self, keys: list[bytes], end: str, count: int = 1) -> Any:
        for key in keys:
            if self.elements(key):
                return key, self.pop(key, end, count)
        return None

    # ---- the waiting ones, which try once if there is no time to wait
    def blpop(self, *keys: bytes, wait: int, end: str = "LEFT") -> Any:
        taken = self.lmpop(list(keys), end)
        return taken and (taken[0], taken[1][0])

    def brpop(self, *keys: bytes, wait: int) -> Any:
        return self.blpop(*keys, wait=wait, end="RIGHT")

    def blmpop(self, keys: list[bytes], end: str, count: int = 1, wait: int = 0) -> Any:
        return self.lmpop(keys, end, count)

    def blmove(self, source: bytes, target: bytes, take: str, give: str, wait: int) -> Any:
        return self.lmove(source, target, take, give)


@settings(max_examples=examples(200))
@given(calls=steps(CALLS | OTHERS))
def test_lists_do_what_lists_do(calls: list[Step]) -> None:
    SideBySide(Model()).run(calls)


def test_a_key_keeps_its_expiry_when_its_only_value_is_moved_within_it() -> None:
    client = Rig().connect()
    client.call("RPUSH", "l", "a")
    client.call("EXPIRE", "l", 50)
    version = client.rig.engine.revision
    assert client.call("LMOVE", "l", "l", "LEFT", "RIGHT") == Present("a")
    assert client.call("TTL", "l") == 50
    assert client.rig.engine.revision == version + 1


def test_an_emptied_list_forgets_its_expiry() -> None:
    client = Rig().connect()
    client.call("RPUSH", "l", "a")
    client.call("EXPIRE", "l", 50)
    client.call("LPOP", "l")
    client.call("RPUSH", "l", "b")
    assert client.call("TTL", "l") is None


def test_a_list_past_its_deadline_is_none() -> None:
    client = Rig().connect()
    client.call("RPUSH", "l", "a")
    client.call("EXPIRE", "l", 50)
    client.rig.pass_unnoticed(50)
    assert client.call("LLEN", "l") == 0
    assert client.call("RPUSHX", "l", "b") == 0
    assert client.call("RPUSH", "l", "b") == 1


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("LPOP none", None),
        ("LPOP none 0", None),
        ("LPOP l 0", []),
        ("RPOP l", b"c"),
        ("RPOP l 2", [b"c", b"b"]),
        ("LPOP l -1", "ERR value is out of range, must be positive"),
        ("LPOS l b", 1),
        ("LPOS l x", None),
        ("LPOS l x COUNT 0", []),
        ("LPOS l a COUNT 0 RANK -1", [0]),
        ("LMPOP 2 none l RIGHT COUNT 2", [b"l", [b"c", b"b"]]),
        ("LMPOP 1 none LEFT", None),
        ("LSET l 9 x", "ERR index out of range"),
        ("LSET none 0 x", "ERR no such key"),
        ("LTRIM l 1 1", "OK"),
        ("LINSERT l before a x", 4),
        ("LMOVE l l left RIGHT", b"a"),
        ("RPOPLPUSH l m", b"c"),
        ("RPOPLPUSH none m", None),
        ("BRPOPLPUSH l m 0", b"c"),
        ("BLPOP none l 0.5", [b"l", b"a"]),
        ("BLMPOP 0 1 l RIGHT COUNT 2", [b"l", [b"c", b"b"]]),
        ("BLPOP l -1", "ERR timeout is negative"),
    ],
)
def test_text_clients_see_the_forms_that_redis_has(line: str, reply: Any) -> None:
    connection = TextLine(Rig())
    assert connection("RPUSH l a b c") == 3
    assert connection(line) == reply


def test_every_command_about_lists_has_a_rule() -> None:
    assert {command.name for command in CATALOG if command.group == "list"} == CALLS.keys() | WAITING
