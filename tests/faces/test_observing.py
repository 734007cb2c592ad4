"""What a client may ask of the server itself: calls counted and shown, causes of changes, settings."""

from __future__ import annotations

import socket

import pytest

import kv_client as kv


class Text:
    """A client of the text door; it speaks RESP and needs no face."""

    def __init__(self, port: int, namespace: str = "0") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")
        self.call("SELECT", namespace)

    def send(self, *lines: str) -> None:
        words = [[word.encode() for word in line.split()] for line in lines]
        self.socket.sendall(
            b"".join(
                b"*%d\r\n" % len(line) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in line)
                for line in words
            )
        )

    def call(self, *words: str) -> bytes:
        self.send(" ".join(words))
        return self.line()

    def line(self) -> bytes:
        said = self.file.readline()
        if said[:1] == b"$" and said != b"$-1\r\n":
            self.file.read(int(said[1:]) + 2)
        return said

    def __enter__(self) -> Text:
        return self

    def __exit__(self, *raised: object) -> None:
        self.file.close()
        self.socket.close()


async def calls_of(client, *names):
    found = await client.latency_histogram(*names)
    return {name: (found[name].calls, found[name].failed) if name in found else (0, 0) for name in names}


async def test_calls_and_failures_of_both_doors_are_counted_exactly(face):
    with Text(face.port) as text:
        async with face.connect() as client:
            names = ("incr", "get", "lpush", "exec")
            before = await calls_of(client, *names)
            async with client.batch() as batch:
                for number in range(500):
                    batch.incr("n") if number % 3 else batch.get("n")
            for _ in range(20):
                await client.get("n")
            with pytest.raises(kv.WrongType):
                await client.list("n").push_left("x")
            text.send(*["INCR m", "GET m"] * 200, "MULTI", "INCR m", "GET m", "EXEC", "GET", "LPUSH m x", "NOPE")
            for _ in range(400 + 3 + 1 + 2 + 3):
                text.line()
            after = await calls_of(client, *names)
            grown = {
                name: tuple(now - then for now, then in zip(after[name], before[name], strict=True)) for name in names
            }
            assert grown == {"incr": (333 + 201, 0), "get": (167 + 20 + 202, 1), "lpush": (2, 2), "exec": (1, 0)}
            found = await client.latency_histogram("get")
            assert found["get"].histogram[-1][1] == found["get"].calls
            info = await client.info("errors")
            assert info["errors"]["WRONG_TYPE"] >= 2


async def test_slow_calls_of_both_doors_are_shown_in_words_without_secrets(face):
    with Text(face.port) as text:
        async with face.connect() as client:
            await client.configure({"slow_log_threshold": "0"})
            try:
                await client.set("user:1", {"name": "Ada"}, ttl=60)
                await client.mset({"a": 1, "b": "x" * 200})
                text.call("SET", "k", "v")
                text.call("AUTH", "default", "hunter2")
                text.call("HELLO", "3", "AUTH", "default", "hunter2")
            finally:
                await client.configure({"slow_log_threshold": "10ms"})
            slow = await client.slow_calls(100)
            said = [call.words for call in slow]
            assert ["SET", "user:1", '{"name":"Ada"}', "TTL", "60000"] in said
            assert ["MSET", "a", "1", "b", "x" * 128 + "... (72 more bytes)"] in said
            assert ["SET", "k", "v"] in said
            assert ["AUTH", "(redacted)", "(redacted)"] in said
            assert "hunter2" not in str(said)
            assert all(call.address and call.spent_us >= 0 for call in slow)
            assert await client.slow_call_count() >= 5
            await client.forget_slow_calls()


async def test_a_monitor_sees_the_calls_of_both_doors_in_their_order(face):
    with Text(face.port, "shop") as text:
        async with face.connect(name="looker") as client, face.connect() as other:
            async with client.monitor() as calls:
                await other.set("a", [1, "two"])
                text.call("INCR", "n")
                text.call("AUTH", "default", "hunter2")
                await other.get("a")
                seen = []
                async for call in calls:
                    seen.append(call)
                    if len(seen) == 4:
                        break
            assert [call.words for call in seen] == [
                ["SET", "a", '[1,"two"]'], ["INCR", "n"], ["AUTH", "(redacted)", "(redacted)"], ["GET", "a"],
            ]  # fmt: skip
            assert [call.namespace for call in seen] == [other.namespace, "shop", "shop", other.namespace]
            assert seen[0].address.startswith("127.0.0.1:")
            assert (await client.info("watches"))["watches"]["monitors"] == 0


async def test_a_monitor_that_is_not_read_gets_what_fits_and_one_gap(face):
    async with face.connect() as client, face.connect() as other:
        await client.configure({"monitor_buffer": "64KiB"})
        try:
            async with client.monitor() as calls:
                total = 6_000
                for _ in range(total // 500):
                    async with other.batch() as batch:
                        for _ in range(500):
                            batch.get("some-key")
                shown = missed = gaps = 0
                async for call in calls:
                    if isinstance(call, kv.Gap):
                        missed, gaps = missed + call.missed, gaps + 1
                    else:
                        shown += 1
                    if shown + missed == total:
                        break
                assert gaps == 1
                assert 256 < shown < total
        finally:
            await client.configure({"monitor_buffer": "1MiB"})


async def test_a_connection_is_ended_by_its_number(face):
    async with face.connect() as client:
        text = Text(face.port)
        number = int(text.call("CLIENT", "ID")[1:])
        me = await client.client_info()
        assert me is not None
        assert me.namespace == client.namespace
        assert await client.kill_client(number)
        assert text.line() == b""
        assert not await client.kill_client(number)
        text.__exit__()


async def test_why_names_who_last_changed_a_key_and_what_took_it(face):
    async with face.connect(name="writer") as client:
        version = await client.set("k", 1)
        found = await client.why("k")
        last = found.changes[0]
        assert (found.version, last.revision, last.what, last.command) == (version, version, "changed", "SET")
        assert (last.client, last.namespace) == ("writer", client.namespace)
        assert last.address.startswith("127.0.0.1:")
        await client.delete("k")
        gone = await client.why("k")
        assert [(change.what, change.command) for change in gone.changes] == [("deleted", "DEL"), ("changed", "SET")]
        assert (gone.version, gone.note) == (0, "")
        unknown = await client.why("never")
        assert (unknown.changes, unknown.note) == ([], "nothing is recorded of this key")


async def test_why_knows_every_way_in_which_a_key_goes(face):
    with Text(face.port) as text:
        async with face.connect() as client:
            await client.set("renamed", 1)
            await client.rename("renamed", "new")
            assert next((change.what, change.other) for change in (await client.why("renamed")).changes) == (
                "renamed to",
                "new",
            )
            first = (await client.why("new")).changes[0]
            assert (first.what, first.other, first.command) == ("renamed from", "renamed", "RENAME")

            await client.set("short", 1, ttl=0.01)

            async def has_gone():
                return (await client.why("short")).changes[0].what != "changed"

            await face.until(has_gone)
            gone = (await client.why("short")).changes
            assert [(change.what, change.command) for change in gone] == [("expired", None), ("changed", "SET")]

            await client.list("q").push_right("x")
            await client.list("q").pop_left()
            assert (await client.why("q")).changes[0].what == "emptied"

            async with client.lease(15) as lease:
                await client.set("worker", 1, lease=lease)
            ended = (await client.why("worker")).changes[0]
            assert (ended.what, ended.other) == ("lease released", "lease")

            await client.set("flushed", 1)
            await client.flush()
            assert next((c.what, c.command) for c in (await client.why("flushed")).changes) == ("flushed", "FLUSHDB")

            async with client.transaction() as tx:
                tx.set("one", 1)
                tx.incr("two")
            assert (await client.why("two")).changes[0].command == "INCR"
            text.call("SELECT", client.namespace)
            text.send("MULTI", "SET one 2", "DEL two", "EXEC")
            assert [text.line() for _ in range(4)][-1] == b"*2\r\n"
            assert next((c.what, c.command) for c in (await client.why("one")).changes) == ("changed", "SET")
            assert next((c.what, c.command) for c in (await client.why("two")).changes) == ("deleted", "DEL")


async def test_keys_that_are_asked_for_often_are_known(face):
    async with face.connect() as client:
        await client.set("hot", 1)
        await client.reset_statistics()
        for number in range(700):
            await client.get("hot" if number % 7 else f"cold:{number}")
        found = await client.hot_keys(1)
        assert [(key.namespace, key.key) for key in found.keys] == [(client.namespace, "hot")]
        assert found.samples >= 4
        assert found.keys[0].share > 0.5


async def test_settings_are_read_and_changed_by_their_own_names_and_by_those_of_redis(face):
    with Text(face.port) as text:
        async with face.connect() as client:
            assert (await client.config("slow_log_*"))["slow_log_threshold"] == "10ms"
            await client.configure({"slow_log_threshold": "5ms", "slow_log_length": "64"})
            assert await client.config("slowlog-*") == {"slowlog-log-slower-than": "5000", "slowlog-max-len": "64"}
            assert (
                text.call("CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", "128") == b"+OK\r\n"
            )
            assert (await client.config("slow_log_threshold"))["slow_log_threshold"] == "10ms"
            with pytest.raises(kv.InvalidArgument, match="data_dir: only at start: restart with --data-dir"):
                await client.configure({"slow_log_length": "1", "data_dir": "/tmp"})
            with pytest.raises(kv.InvalidArgument, match="slow_log_length: must be a whole number from 0"):
                await client.configure({"slow_log_length": "many"})
            with pytest.raises(kv.InvalidArgument, match="did you mean idle_timeout"):
                await client.configure({"idle_timout": "5"})
            assert (await client.config("slow_log_length")) == {"slow_log_length": "128"}


async def test_both_doors_tell_the_same_figures(face):
    with Text(face.port) as text:
        async with face.connect() as client:
            async with client.lock("door", ttl=5):
                info = await client.info()
                text.send("INFO kv")
                text.file.readline()
                told = {}
                while (line := text.file.readline()) != b"\r\n":
                    name, _, value = line.decode().strip().partition(":")
                    told[name] = value
            assert info["locks"]["held"] >= 1 and told["locks_held"] == str(info["locks"]["held"])
            for section, facts in info.items():
                if section not in ("keyspace", "engine", "errors"):
                    assert {f"{section}_{fact}" for fact in facts} <= set(told), section
