"""DUMP and RESTORE: values of every type, their expiry, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import ConditionFailed, InvalidArgument
from tests.commands.answers import Fits
from tests.commands.calls import call, tail, values
from tests.commands.plain import Fails
from tests.commands.side_by_side import SideBySide, Step, steps
from tests.engine.profile import examples
from tests.engine.rig import Rig
from tests.engine.text_line import TextLine

keys = st.sampled_from([b"a", b"b", b"c"])
CALLS: dict[str, st.SearchStrategy[tuple[tuple[Any, ...], dict[str, Any]]]] = {
    "DUMP": call(keys),
    "RESTORE": call(
        keys,
        st.integers(0, 4),
        replace=st.booleans(),
        ttl=st.just(1_000),
    ),
}
OTHERS = {
    "SET": call(keys, values),
    "RPUSH": tail(values, before=(st.just(b"l"),)),
    "HSET": call(st.just(b"h"), st.tuples(st.sampled_from([b"f", b"g"]), values)),
    "DEL": call(keys),
}
ALL = [b"a", b"b", b"c", b"l", b"h"]


class Model:
    """Values by key. What is restored is what another key holds now, or nonsense if that is nothing."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}

    def set(self, key: bytes, value: Any) -> Any:
        self.keys[key] = value
        return Fits(lambda reply: True)

    def rpush(self, key: bytes, *values: Any) -> Any:
        self.keys.setdefault(key, []).extend(values)
        return len(self.keys[key])

    def hset(self, key: bytes, item: tuple[bytes, Any]) -> Any:
        new = item[0] not in self.keys.setdefault(key, {})
        self.keys[key][item[0]] = item[1]
        return int(new)

    def delete(self, key: bytes) -> Any:
        there = key in self.keys
        self.keys.pop(key, None)
        return int(there)

    def dump(self, key: bytes) -> Any:
        return Fits(lambda reply: (reply is None) == (key not in self.keys))

    def restore(self, key: bytes, octets: bytes, replace: bool = False, ttl: Any = None) -> Any:
        if key in self.keys and not replace:
            raise Fails("CONDITION")
        if octets == b"nothing":
            raise Fails("INVALID")
        source = self.keys[self.source]
        self.keys[key] = source.copy() if isinstance(source, list | dict) else source
        return Fits(lambda reply: True)

    source = b""


class Restoring(SideBySide):
    """Puts what a key holds in the place of the number that names it."""

    def step(self, word: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        if word == "RESTORE":
            self.model.source = ALL[args[1]]
            args = args[0], self.client.call("DUMP", self.model.source) or b"nothing"
        super().step(word, args, options)


@settings(max_examples=examples(100))
@given(calls=steps(CALLS | OTHERS))
def test_what_is_restored_is_what_was_dumped(calls: list[Step]) -> None:
    Restoring(Model()).run(calls)


def test_the_expiry_is_the_one_that_is_given() -> None:
    rig = Rig()
    client = rig.connect()
    client.call("SET", "a", "x", ttl=50)
    dumped = client.call("DUMP", "a")
    client.call("RESTORE", "b", dumped)
    assert client.call("TTL", "b") is None
    version = client.call("RESTORE", "b", dumped, ttl=70, replace=True)
    assert client.call("TTL", "b") == 70
    assert client.call("GETENTRY", "b")[1] == version
    client.call("RESTORE", "b", dumped, expires_at=rig.now_ms, replace=True)
    assert client.call("EXISTS", "b") == 0


def test_a_key_that_is_there_is_told() -> None:
    client = Rig().connect()
    version = client.call("SET", "a", "x")
    with pytest.raises(ConditionFailed) as caught:
        client.call("RESTORE", "a", client.call("DUMP", "a"))
    assert caught.value.current[1] == version
    with pytest.raises(InvalidArgument, match="version or checksum"):
        client.call("RESTORE", "b", b"nonsense")


@pytest.mark.parametrize(
    "write", ["SET k x", "RPUSH k a b", "SADD k a b", "ZADD k 1 a 2.5 b", "HSET k f v", "XADD k 1-1 f v"]
)
def test_a_value_moves_to_another_server(write: str) -> None:
    here, there = TextLine(Rig()), TextLine(Rig())
    here(write)
    octets = here("DUMP k")
    assert there("RESTORE", "k", 0, octets) == "OK"
    assert there("DUMP k") == octets
    assert there("TYPE k") == here("TYPE k")
    assert there("RESTORE", "k", 0, octets) == "BUSYKEY Target key name already exists."
    assert there("RESTORE", "k", 5_000, octets, "REPLACE", "IDLETIME", 5, "FREQ", 7) == "OK"
    assert there("PTTL k") == 5_000
    assert there("RESTORE", "k", 5, octets, "REPLACE", "ABSTTL") == "OK"
    assert there("EXISTS k") == 0


@pytest.mark.parametrize(
    ("rest", "reply"),
    [
        ((-1, b"x"), "ERR Invalid TTL value, must be >= 0"),
        ((0, b"x"), "ERR DUMP payload version or checksum are wrong"),
        (("x", b"x"), "ERR value is not an integer or out of range"),
        ((0, b"x", "IDLETIME", -1), "ERR Invalid IDLETIME value, must be >= 0"),
        ((0, b"x", "FREQ", 256), "ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ((0, b"x", "NONSENSE"), "ERR syntax error"),
    ],
)
def test_text_clients_are_refused_as_by_redis(rest: tuple[Any, ...], reply: str) -> None:
    assert TextLine(Rig())("RESTORE", "k", *rest) == reply
