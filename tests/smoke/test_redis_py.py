"""redis-py, blocking: every part of its API that is not Lua, in both protocols and with all of its parsers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.redis.servers import Server

pytestmark = [pytest.mark.smoke, pytest.mark.filterwarnings("ignore:Call to deprecated")]

KINDS = ["2-hiredis", "3-hiredis", "2-python", "3-python"]

FACTS = {
    "aof_enabled", "blocked_clients", "connected_clients", "evicted_keys", "expired_keys", "instantaneous_ops_per_sec",
    "keyspace_hits", "keyspace_misses", "loading", "maxmemory", "mem_fragmentation_ratio", "rdb_last_save_time",
    "rejected_connections", "role", "total_commands_processed", "total_net_input_bytes", "uptime_in_seconds",
    "used_cpu_sys", "used_memory", "used_memory_rss",
}  # fmt: skip


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, kv: Server) -> Iterator[Any]:
    import redis
    from redis._parsers import _HiredisParser, _RESP2Parser, _RESP3Parser

    parsers = {"2-python": _RESP2Parser, "3-python": _RESP3Parser}
    pool = redis.ConnectionPool(
        host="127.0.0.1", port=kv.port, protocol=int(request.param[0]), decode_responses=True, socket_timeout=20,
        parser_class=parsers.get(request.param, _HiredisParser), client_name="smoke",
    )  # fmt: skip
    with redis.Redis(connection_pool=pool) as client:
        yield client
    pool.disconnect()


def test_strings(client: Any) -> None:
    assert client.set("k", "é", ex=100) is True
    assert client.get("k") == "é"
    assert client.ttl("k") == 100
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", xx=True, get=True) == "é"
    assert client.getex("k", persist=True) == "w"
    assert client.ttl("k") == -1
    assert client.getdel("k") == "w"
    assert client.get("k") is None
    assert client.mset({"a": 1, "b": 2}) is True
    assert client.msetnx({"a": 1, "c": 3}) is False
    assert client.mget("a", "b", "none") == ["1", "2", None]
    assert (client.incr("n"), client.incrby("n", 5), client.decr("n", 2)) == (1, 6, 4)
    assert client.incrbyfloat("f", 0.5) == 0.5
    assert (client.append("s", "abc"), client.strlen("s"), client.getrange("s", 1, 2)) == (3, 3, "bc")
    assert client.setrange("s", 1, "XY") == 3
    assert client.lcs("s", "k") == ""
    assert client.setex("t", 10, "v") is True
    assert client.psetex("t", 10_000, "v") is True


def test_keys(client: Any) -> None:
    client.mset({f"key:{number}": number for number in range(300)})
    assert client.dbsize() == 300
    assert sorted(client.scan_iter(match="key:1?", count=50)) == sorted(f"key:1{digit}" for digit in range(10))
    assert len(client.keys("key:*")) == 300
    assert client.randomkey().startswith("key:")
    assert client.type("key:1") == "string"
    assert client.exists("key:1", "key:2", "none") == 2
    assert client.rename("key:1", "first") is True
    assert client.copy("first", "second") is True
    assert client.expire("first", 100, nx=True) is True
    assert client.expireat("first", 33_177_117_420) is True
    assert client.expiretime("first") == 33_177_117_420
    assert client.persist("first") is True
    assert client.touch("first", "second") == 2
    assert client.unlink("first", "second") == 2
    assert client.object("encoding", "key:2") == "int"
    assert client.memory_usage("key:2") > 0
    assert client.delete("key:2", "key:3") == 2
    client.rpush("numbers", 3, 1, 2)
    assert client.sort("numbers") == ["1", "2", "3"]
    assert client.sort("numbers", desc=True, store="sorted") == 3


def test_hashes(client: Any) -> None:
    assert client.hset("h", mapping={"name": "Ada", "age": 36}) == 2
    assert client.hgetall("h") == {"name": "Ada", "age": "36"}
    assert client.hgetall("none") == {}
    assert (client.hget("h", "name"), client.hmget("h", "age", "none")) == ("Ada", ["36", None])
    assert (client.hincrby("h", "age"), client.hincrbyfloat("h", "age", 0.5)) == (37, 37.5)
    assert client.hexists("h", "age") is True
    assert client.hsetnx("h", "age", 1) == 0
    assert (sorted(client.hkeys("h")), client.hlen("h"), client.hstrlen("h", "name")) == (["age", "name"], 2, 3)
    assert dict(client.hscan_iter("h")) == {"name": "Ada", "age": "37.5"}
    assert client.hrandfield("h", 2, withvalues=True) is not None
    assert client.hdel("h", "age", "none") == 1


def test_lists(client: Any) -> None:
    assert client.rpush("l", "a", "b", "c", "b") == 4
    assert client.lpush("l", "z") == 5
    assert client.lrange("l", 0, -1) == ["z", "a", "b", "c", "b"]
    assert (client.lindex("l", 1), client.llen("l"), client.lpos("l", "b", count=0)) == ("a", 5, [2, 4])
    assert client.linsert("l", "BEFORE", "c", "x") == 6
    assert client.lset("l", 0, "y") in (True, "OK")
    assert client.lrem("l", 1, "b") == 1
    assert client.ltrim("l", 0, 3) is True
    assert client.lmove("l", "m", "LEFT", "RIGHT") == "y"
    assert client.rpoplpush("l", "m") is not None
    assert client.lpop("l", 2) == ["a", "x"]
    assert client.lmpop(2, "l", "m", direction="LEFT", count=5) == ["m", ["b", "y"]] or client.llen("m") == 0
    assert client.lpop("none") is None


def test_sets(client: Any) -> None:
    assert client.sadd("s", "a", "b", "c") == 3
    assert client.sadd("t", "b", "c", "d") == 3
    assert client.smembers("s") == {"a", "b", "c"}
    assert (client.sismember("s", "a"), client.smismember("s", ["a", "q"])) == (1, [1, 0])
    assert client.sinter("s", "t") == {"b", "c"}
    assert client.sunion("s", "t") == {"a", "b", "c", "d"}
    assert client.sdiff("s", "t") == {"a"}
    assert client.sinterstore("u", "s", "t") == 2
    assert client.sintercard(2, ["s", "t"], limit=1) == 1
    assert set(client.sscan_iter("s")) == {"a", "b", "c"}
    assert client.spop("u") in {"b", "c"}
    assert len(client.srandmember("s", 2)) == 2
    assert client.smove("s", "t", "a") == 1
    assert client.srem("t", "a", "none") == 1


def test_sorted_sets(client: Any) -> None:
    assert client.zadd("z", {"one": 1, "two": 2.5, "three": 3}) == 3
    assert client.zadd("z", {"one": 0}, gt=True, ch=True) == 0
    assert client.zadd("z", {"one": 1}, incr=True) == 2.0
    assert list(map(tuple, client.zrange("z", 0, -1, withscores=True))) == [("one", 2.0), ("two", 2.5), ("three", 3.0)]
    assert client.zrange("z", "(2", "+inf", byscore=True, offset=0, num=1) == ["two"]
    assert client.zrangebyscore("z", 2, 3) == ["one", "two", "three"]
    assert client.zrevrange("z", 0, 0) == ["three"]
    assert (client.zscore("z", "two"), client.zmscore("z", ["two", "q"])) == (2.5, [2.5, None])
    assert (client.zrank("z", "two"), client.zrevrank("z", "two"), client.zcount("z", 2, 3)) == (1, 1, 3)
    assert list(client.zrank("z", "two", withscore=True)) == [1, 2.5]
    assert client.zincrby("z", 10, "one") == 12.0
    assert client.zunionstore("u", ["z", "none"]) == 3
    assert client.zinter(["z", "u"], withscores=True) is not None
    assert dict(client.zscan_iter("z")) == {"one": 12.0, "two": 2.5, "three": 3.0}
    assert list(map(tuple, as_pairs(client.zpopmin("z")))) == [("two", 2.5)]
    assert client.zmpop(1, ["z"], max=True) is not None
    assert client.zrandmember("u") in {"one", "two", "three"}
    assert client.zremrangebyrank("u", 0, 0) == 1
    assert client.zrem("u", "one") == 1


def as_pairs(reply: list[Any]) -> list[Any]:
    return reply if isinstance(reply[0], (list, tuple)) else [reply]


def test_bitmaps_hyperloglogs_and_geo(client: Any) -> None:
    assert client.setbit("b", 7, 1) == 0
    assert (client.getbit("b", 7), client.bitcount("b"), client.bitpos("b", 1)) == (1, 1, 7)
    assert client.bitop("NOT", "c", "b") == 1
    assert client.bitfield("b").set("u8", 0, 255).get("u4", 4).execute() == [1, 15]
    assert client.pfadd("p", "a", "b", "c") == 1
    assert client.pfcount("p") == 3
    assert client.pfmerge("q", "p") is True
    assert client.geoadd("g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"]) == 2
    assert client.geodist("g", "Palermo", "Catania", "km") == pytest.approx(166.2742)
    assert client.geohash("g", "Palermo") == ["sqc8b49rny0"]
    assert client.geopos("g", "Palermo")[0] == pytest.approx((13.361389, 38.115556), abs=1e-5)
    found = client.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC", withdist=True)
    assert [name for name, _ in found] == ["Catania", "Palermo"]
    assert client.geosearchstore("near", "g", member="Palermo", radius=10, unit="km") == 1


def test_streams_with_groups(client: Any) -> None:
    first = client.xadd("events", {"kind": "login"}, maxlen=1000, approximate=True)
    second = client.xadd("events", {"kind": "logout"})
    assert client.xlen("events") == 2
    assert client.xrange("events") == [(first, {"kind": "login"}), (second, {"kind": "logout"})]
    assert client.xrevrange("events", count=1) == [(second, {"kind": "logout"})]
    assert client.xgroup_create("events", "readers", id="0") is True
    read = client.xreadgroup("readers", "me", {"events": ">"}, count=1)
    assert entries(read) == [(first, {"kind": "login"})]
    assert client.xpending("events", "readers")["pending"] == 1
    assert client.xpending_range("events", "readers", "-", "+", 10)[0]["message_id"] == first
    assert client.xclaim("events", "readers", "you", 0, [first]) == [(first, {"kind": "login"})]
    assert client.xautoclaim("events", "readers", "me", 0)[1] == [(first, {"kind": "login"})]
    assert client.xack("events", "readers", first) == 1
    assert client.xinfo_stream("events")["length"] == 2
    assert client.xinfo_groups("events")[0]["name"] == "readers"
    assert {consumer["name"] for consumer in client.xinfo_consumers("events", "readers")} == {"me", "you"}
    assert client.xread({"events": first})
    assert not client.xread({"events": "$"}, block=10)
    assert client.xtrim("events", maxlen=1, approximate=False) == 1
    assert client.xdel("events", second) == 1
    assert client.xgroup_destroy("events", "readers") == 1


def entries(read: Any) -> list[Any]:
    """The entries of the one stream that was read, whatever the protocol."""
    found = next(iter(read.values())) if isinstance(read, dict) else read[0][1]
    return found[0] if found and isinstance(found[0], list) else found


def test_pipelines_and_transactions(client: Any) -> None:
    import redis

    with client.pipeline(transaction=False) as pipe:
        assert pipe.set("p", 1).incr("p").get("p").execute() == [True, 2, "2"]
    with client.pipeline() as pipe:
        assert pipe.set("m", "x").get("m").execute() == [True, "x"]
        pipe.set("m", "text").incr("m").set("after", 1)
        with pytest.raises(redis.ResponseError, match="not an integer"):
            pipe.execute()
    assert client.get("after") == "1"
    with client.pipeline() as pipe:
        pipe.watch("m")
        client.set("m", "theirs")
        pipe.multi()
        pipe.set("m", "mine")
        with pytest.raises(redis.WatchError):
            pipe.execute()

    def change(pipe: Any) -> None:
        pipe.multi()
        pipe.set("m", "mine")

    assert client.transaction(change, "m") == [True]
    with client.pipeline(transaction=False) as pipe:
        for number in range(5_000):
            pipe.set(f"many:{number}", number)
        assert all(pipe.execute())


@pytest.mark.parametrize("sharded", [False, True], ids=["channels", "sharded"])
def test_pub_sub(client: Any, sharded: bool) -> None:
    listener = client.pubsub()
    if sharded:
        listener.ssubscribe("news")
        assert listener.get_sharded_message(timeout=5)["type"] == "ssubscribe"
        assert client.spublish("news", "hello") == 1
        assert listener.get_sharded_message(timeout=5)["data"] == "hello"
        listener.sunsubscribe()
        assert client.pubsub_shardchannels() in ([], ["news"])
        return
    heard: list[Any] = []
    listener.subscribe("news", other=heard.append)
    listener.psubscribe("n?ws")
    assert [listener.get_message(timeout=5)["type"] for _ in range(3)] == ["subscribe", "subscribe", "psubscribe"]
    assert client.publish("news", "hello") == 2
    assert [listener.get_message(timeout=5)["type"] for _ in range(2)] == ["message", "pmessage"]
    assert client.publish("other", "hi") == 1
    while not heard:
        listener.get_message(timeout=5)
    assert heard[0]["data"] == "hi"
    assert client.pubsub_channels("n*") == ["news"]
    assert dict(client.pubsub_numsub("news")) == {"news": 1}
    assert client.pubsub_numpat() == 1
    listener.ping()
    assert listener.get_message(timeout=5) is not None
    listener.close()


def test_blocking_pops(client: Any) -> None:
    def answer() -> None:
        client.rpush("queue", "job")
        client.zadd("ranks", {"low": 3})
        client.rpush("from", "moved")

    soon = threading.Timer(0.1, answer)
    soon.start()
    assert list(client.blpop(["none", "queue"], timeout=5)) == ["queue", "job"]
    assert list(client.bzpopmin("ranks", timeout=5)) == ["ranks", "low", 3.0]
    assert client.blmove("from", "to", timeout=5) == "moved"
    soon.join()
    assert client.brpop("queue", timeout=0.05) is None
    assert client.blmpop(0.05, 1, "queue", direction="LEFT") is None


def test_what_the_server_says_of_itself(client: Any) -> None:
    import redis

    assert client.ping() is True
    assert client.echo("hey") == "hey"
    assert client.client_getname() == "smoke"
    assert client.client_setname("me") is True
    assert client.client_info()["name"] == "me"
    assert client.client_id() in {int(one["id"]) for one in client.client_list()}
    assert client.client_kill_filter(_id="999999") == 0
    assert client.client_pause(1) is True
    assert client.client_unpause() in (True, "OK", b"OK")
    info = client.info()
    assert info["redis_version"].startswith("7.2.")
    assert info.keys() >= FACTS
    client.set("k", "v", ex=100)
    assert client.info("keyspace")["db0"]["keys"] == 1
    assert client.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
    assert client.config_set("slowlog-log-slower-than", 0) is True
    client.get("k")
    assert any(entry["command"] in (b"GET k", "GET k") for entry in client.slowlog_get(5))
    assert client.config_set("slowlog-log-slower-than", -1) is True
    assert client.slowlog_reset() in (True, "OK")
    assert client.config_resetstat() is True
    assert client.command_count() > 200
    assert client.command()["get"]["arity"] == 2
    assert client.command_getkeys("MSET", "a", 1, "b", 2) == ["a", "b"]
    assert client.time()[0] > 1_700_000_000
    assert client.role()[0] in ("master", b"master")
    assert client.wait(0, 10) == 0
    assert client.latency_latest() == []
    assert client.module_list() == []
    assert client.acl_whoami() == "default"
    assert client.swapdb(0, 1) is True
    assert client.swapdb(0, 1) is True
    assert client.move("k", 5) in (True, 1)
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command("NOPE")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.rpush("l", 1)
        client.get("l")


def test_monitor_shows_what_others_call(client: Any) -> None:
    with client.monitor() as monitor:
        client.set("seen", 'a "quoted" word')
        for shown in monitor.listen():
            if shown["command"].startswith("SET"):
                break
    assert shown["command"] == 'SET seen a "quoted" word'
    assert shown["client_address"] == "127.0.0.1"
    assert shown["client_type"] == "tcp"
    assert shown["db"] == 0


def test_octets_come_back_as_they_were(kv: Server) -> None:
    import redis

    anything = bytes(range(256))
    with redis.Redis(port=kv.port) as client:
        client.set(anything, anything)
        assert client.get(anything) == anything
        assert client.restore("copy", 0, client.dump(anything)) in (True, b"OK")
        assert client.get("copy") == anything
        client.hset("h", anything, anything)
        assert client.hgetall("h") == {anything: anything}
