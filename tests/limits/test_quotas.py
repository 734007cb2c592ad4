"""What a namespace may have at most: bytes, keys, connections, calls a second. All of it may change at any time."""

from __future__ import annotations

import pytest

from kv_protocol.errors import QuotaExceeded
from kv_server.app.quotas import NAMESPACES
from kv_server.engine.gates import CLOSED
from kv_server.model.terms import Rules, Terms
from tests.engine.rig import Client, Rig, recount
from tests.engine.test_blocks import block


def rig_with(**limits: int) -> tuple[Rig, Client]:
    rig = Rig()
    rig.engine.room.apply(rules=Rules(((b"shop*", Terms(**limits)),)))
    return rig, rig.connect(namespace=b"shop:1")


def test_a_namespace_full_of_keys_takes_no_new_one_and_overwrites_the_old() -> None:
    rig, client = rig_with(keys=3)
    other = rig.connect(namespace=b"0")
    client.call("MSET", ["a", 1], ["b", 1])
    client.call("SADD", "c", "member")
    for words in (("SET", "d", 1), ("RPUSH", "d", 1), ("MSET", ["a", 2], ["d", 1])):
        with pytest.raises(QuotaExceeded, match="may have 3") as full:
            client.call(*words)
        assert full.value.details["quota"] == "keys" and full.value.retry_after == 0
    client.call("SET", "a", "longer than before")
    client.call("SADD", "c", "another")
    other.call("SET", "d", 1)
    with pytest.raises(QuotaExceeded):
        other.call("COPY", "d", "d", namespace="shop:1")
    with pytest.raises(QuotaExceeded):
        other.call("MOVE", "d", "shop:1")
    client.call("DEL", "a")
    client.call("SET", "d", 1)
    recount(rig.store)


def test_a_namespace_full_of_bytes_says_so_and_others_go_on() -> None:
    rig, client = rig_with(bytes=100_000)
    other = rig.connect(namespace=b"0")
    with pytest.raises(QuotaExceeded, match="raise its quota") as full:
        for number in range(1_000):
            client.call("SET", f"k{number}", "x" * 1_000)
    assert full.value.details["namespace"] == "shop:1" and full.value.details["limit"] == 100_000
    assert rig.store.namespaces[b"shop:1"].bytes < 105_000
    for number in range(1_000):
        other.call("SET", f"k{number}", "x" * 100)
    client.call("DEL", *(f"k{number}" for number in range(20)))
    client.call("SET", "k1", 1)
    assert rig.engine.careful == CLOSED


def test_calls_beyond_the_rate_are_told_when_to_come_again() -> None:
    rig, client = rig_with(ops=10)
    for _ in range(10):
        client.call("GET", "k")
    with pytest.raises(QuotaExceeded, match="10 calls a second") as full:
        client.call("GET", "k")
    wait_ms = round(full.value.retry_after * 1000)
    assert 0 < wait_ms <= 100
    rig.advance(wait_ms)
    client.call("GET", "k")
    rig.advance(500)
    block(client, ("SET", "a", 1), ("SET", "b", 1), ("SET", "c", 1), namespace=b"shop:1")
    client.call("GET", "k")
    client.call("GET", "k")
    with pytest.raises(QuotaExceeded):
        client.call("GET", "k")
    rig.connect(namespace=b"0").call("GET", "k")


def test_a_lease_is_kept_alive_beyond_the_rate() -> None:
    _, client = rig_with(ops=1)
    token = client.call("LOCK", "lock", ttl=10_000)[0]
    client.call("GET", "k")
    with pytest.raises(QuotaExceeded):
        client.call("GET", "k")
    assert client.call("EXTEND", 20_000, ["lock", token])
    client.call("UNLOCK", "lock", token)


def test_connections_are_counted_by_the_namespace_they_are_in() -> None:
    rig, client = rig_with(connections=2)
    second = rig.connect(namespace=b"shop:1")
    rig.connect(namespace=b"shop:2")
    with pytest.raises(QuotaExceeded, match="close some"):
        rig.connect(namespace=b"shop:1")
    again = rig.connect(namespace=b"shop:1", secret=client.session.secret)
    assert again.resumed
    second.detach()
    rig.connect(namespace=b"shop:1")


def test_quotas_change_while_the_server_runs() -> None:
    rig, client = rig_with(keys=1)
    client.call("SET", "a", 1)
    with pytest.raises(QuotaExceeded):
        client.call("SET", "b", 1)
    rig.engine.room.change("namespaces", NAMESPACES.read("shop:1: keys=2; shop*: keys=1"))
    client.call("SET", "b", 1)
    with pytest.raises(QuotaExceeded):
        client.call("SET", "c", 1)
    rig.engine.room.change("namespaces", ())
    client.call("SET", "c", 1)
    assert rig.engine.careful == CLOSED
    info = rig.connect().call("NAMESPACE STATS", "shop:1")
    assert NAMESPACES.show(rig.engine.room.setting("namespaces")) == "" and info is not None


def test_what_a_namespace_may_have_is_told_with_what_it_has() -> None:
    rig = Rig()
    rig.engine.room.apply(rules=Rules(((b"shop", Terms("allkeys-lru", 1 << 20, 100, 5, 50)),)))
    client = rig.connect(namespace=b"shop")
    client.call("SET", "a", 1)
    stats = client.call("NAMESPACE STATS", "shop")
    stats = getattr(stats, "value", stats)
    assert stats[1] == 1 and stats[5:] == ("allkeys-lru", 0, 1 << 20, 100, 5, 50)


@pytest.mark.parametrize(
    "written",
    [
        "shop: policy=allkeys-lru, bytes=1GiB, keys=1000000, connections=100, ops=5000",
        ["shop: policy=allkeys-lru, bytes=1024MiB, keys=1000000", "tmp*: ops=5"],
        {"shop": {"policy": "allkeys-lru", "bytes": "1GiB", "keys": 7}, "a:b": {"ops": 5}},
    ],
)
def test_rules_are_read_as_they_are_shown(written: object) -> None:
    listed = NAMESPACES.read(written)
    assert listed[0][1].bytes == 1 << 30
    assert NAMESPACES.read(NAMESPACES.show(listed)) == listed


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("shop", "must be like"),
        ("shop: bytes", "has no value"),
        ("shop: byte=1", "knows no 'byte'"),
        ("shop: policy=lru", "policy must be one of"),
        ({"shop": 5}, "must be like"),
    ],
)
def test_a_wrong_rule_is_told_what_it_must_be(written: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NAMESPACES.read(written)
