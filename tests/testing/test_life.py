"""The life of a server under test: its clock, its crashes, what it has on disk, and what clients see of all that."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest
import trio

import kv_client
from kv_protocol.errors import ConnectionLost, LockLost
from kv_server.testing import BEGINS, server
from tests.testing.rig import opened

DAY = 86_400


# ---- time
async def test_thirty_days_pass_at_once(autojump_clock):
    async with server() as s, opened(s, "one") as client:
        await client.set("a", 1, ttl=30 * DAY)
        await client.set("b", 1, expires_at=s.clock.now() + timedelta(days=30, milliseconds=1))
        s.clock.advance(30 * DAY - 0.001)
        assert await client.get("a") == 1
        await trio.sleep(0.001)
        assert (await client.get("a"), await client.get("b")) == (None, 1)
        await trio.sleep(0.001)
        assert await client.get("b") is None
        assert s.clock.now() == BEGINS + timedelta(days=30, milliseconds=1)
        assert (await client.time()).now == round(s.clock.now().timestamp() * 1000)


async def test_who_watches_hears_of_an_expiry_in_its_moment(autojump_clock):
    async with server() as s, opened(s, "one") as client:
        async with client.watch("a") as changes:
            await client.set("a", 1, ttl=90)
            assert (await anext(changes)).kind == "set"
            assert (await anext(changes)).kind == "expired"
            assert 90 <= trio.current_time() < 90.002


async def test_a_leap_is_a_sleep_of_the_machine_and_ends_leases(autojump_clock):
    async with server() as s, opened(s, "one") as client, opened(s, "two") as other:
        with pytest.raises(LockLost):
            async with client.lock("a", ttl=15):
                s.clock.advance(16)
                await trio.sleep_forever()
        async with other.lock("a", wait=0):
            pass


async def test_a_server_alone_leaps_where_the_clock_of_the_run_is_real():
    async with server() as s, opened(s, "one") as client:
        await client.set("a", 1, ttl=30 * DAY)
        async with client.watch("a") as changes:
            leaps: list[float] = []
            unwatch = s.clock.watch(lambda: leaps.append(s.clock.leapt))
            s.clock.advance(30 * DAY - 100)
            assert await client.get("a") == 1
            s.clock.advance(100)
            assert (await anext(changes)).kind == "expired"
            unwatch()
            s.clock.advance(0)
            assert leaps == [30 * DAY - 100, 30 * DAY]
        with pytest.raises(LockLost):  # the server has said so
            async with client.lock("l", ttl=15):
                s.clock.advance(16)
                await trio.sleep_forever()
        with pytest.raises(ValueError):
            s.clock.advance(-1)


async def test_a_delayed_message_arrives_by_a_leap():
    async with server() as s, opened(s, "one", timeout=None) as client, trio.open_nursery() as nursery:
        s.faults.delay(DAY, request="INCR")
        nursery.start_soon(client.incr, "n")
        while not s.trace[-1].startswith("1 < "):
            await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked(0.01)
        s.clock.advance(DAY)
        nursery.cancel_scope.deadline = trio.current_time() + 30
    assert s.trace[-1] == "1 < INCR"


# ---- crashes
async def test_a_crash_without_a_folder_leaves_nothing(autojump_clock):
    async with server() as s, opened(s, "one") as client:
        with pytest.raises(LockLost):
            async with client.lock("a"):
                await client.set("a", 1)
                await s.crash()
                with pytest.raises(ConnectionRefusedError):
                    s.socket()
                await s.recover()
                await trio.sleep_forever()
        assert await client.get("a") is None
        assert client.statistics().connections == 2


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_a_crash_loses_nothing_that_was_acknowledged(fsync, tmp_path: Path, autojump_clock):
    dice, counted = random.Random(7), 0

    async def count(client):
        nonlocal counted
        while True:
            await client.incr("n")
            counted += 1
            await trio.sleep(dice.random() / 10)

    async with server(data_dir=tmp_path, fsync=fsync) as s, opened(s, "one") as client, opened(s, "two") as other:
        async with client.lock("a") as held, trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(count, client)
            for _ in range(10):
                await trio.sleep(dice.random())
                await s.crash()
                await s.recover()
                assert counted <= await other.get("n") <= counted + 5
            nursery.cancel_scope.cancel()
        assert counted > 100
        await other.set("doc", 1)
        with pytest.raises(kv_client.StaleFence):
            await other.set("doc", 2, fence=held)


async def test_a_crash_writes_nothing_more(tmp_path: Path, autojump_clock):
    async with server(data_dir=tmp_path) as s, opened(s, "one") as client:
        await client.set("a", 1)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        await s.crash()
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
        await s.recover()
        assert await client.get("a") == 1
        await s.restart()
        assert await client.get("a") == 1
        facts = await client.info("persistence")
        assert facts["persistence"]["torn_bytes_cut"] == 0


async def test_snapshots_are_taken_while_the_clock_stands(tmp_path: Path, autojump_clock):
    async with server(data_dir=tmp_path) as s, opened(s, "one") as client:
        for number in range(300):
            await client.set(f"k{number}", number, ttl=5)
        await client.snapshot()
        assert trio.current_time() < 1
        assert list(tmp_path.glob("snapshot-*"))
        await s.crash()
        await s.recover()
        assert await client.get("k7") == 7


async def test_keys_expire_while_there_is_no_server(tmp_path: Path, autojump_clock):
    async with server(data_dir=tmp_path) as s, opened(s, "one", timeout=None) as client:
        await client.set("a", 1, ttl=60)
        await client.set("b", 1, ttl=7200)
        await s.crash()
        s.clock.advance(3600)
        await s.recover()
        assert (await client.get("a"), await client.get("b")) == (None, 1)


async def test_a_restart_in_order_disturbs_no_call(tmp_path: Path, autojump_clock):
    async with server(data_dir=tmp_path) as s, opened(s, "one") as client, trio.open_nursery() as nursery:

        async def count():
            for _ in range(100):
                await client.incr("n")
                await trio.sleep(0.05)
            nursery.cancel_scope.cancel()

        nursery.start_soon(count)
        while True:
            await trio.sleep(0.9)
            await s.restart()
    assert s.trace.count("1 < GOAWAY") == 1


async def test_who_was_crashed_cannot_be_crashed_again(autojump_clock):
    async with server() as s:
        with pytest.raises(RuntimeError):
            await s.recover()
        await s.crash()
        for end in (s.crash, s.restart):
            with pytest.raises(RuntimeError):
                await end()
        with pytest.raises(ConnectionLost):
            await opened(s, "one", connect_timeout=1).__aenter__()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path, autojump_clock):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(Exception, match="the data folder"):
        await server(data_dir=tmp_path / "data").__aenter__()
