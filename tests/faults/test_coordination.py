"""Leases, elections, semaphores and rate limits when processes are killed: clients, and the server itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import trio

import kv_client
from tests.faults.durable import Keeper, keeping

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.processes import Server

LEADER = Path(__file__).with_name("leader.py")


@asynccontextmanager
async def candidate(url: str, name: str) -> AsyncIterator[trio.Process]:
    """A process that stands for the election; it does not outlive the block."""
    process = await trio.lowlevel.open_process([sys.executable, str(LEADER), url, name], stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def restart(keeper: Keeper) -> None:
    keeper.kill()
    keeper.wait()
    await keeper.start_soon()


async def snapshot(keeper: Keeper) -> None:
    """Have all of the store written down at once."""
    async with await trio.open_tcp_stream("127.0.0.1", keeper.port) as stream:
        await stream.send_all(b"SAVE\r\n")
        assert await stream.receive_some() == b"+OK\r\n"


async def test_whatever_a_killed_or_stopped_process_had_goes_with_its_leases(server: Server) -> None:
    url = server.url("coordination")
    async with (
        kv_client.connect(url, timeout=30) as client,
        client.election("leader").observe() as leaders,
        candidate(url, "one") as one,
        candidate(url, "two") as two,
    ):
        with trio.fail_after(60):
            assert await anext(leaders) is None
            first = await anext(leaders)
            process, other = (one, "two") if first == "one" else (two, "one")
            while await client.dbsize() < 41:
                await trio.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            assert await anext(leaders) is None, "the lead ends with its lease"
            assert await anext(leaders) == other, "and the next one in line has it"
            async with client.semaphore("places", 2, wait=30):
                pass
            while await client.exists(f"{first}:0"):
                await trio.sleep(0.01)
            assert sorted([key async for key in client.keys(f"{first}:*")]) == []
            assert len([key async for key in client.keys(f"{other}:*")]) == 20
            last = two if process is one else one
            os.kill(last.pid, signal.SIGSTOP)
            assert await anext(leaders) is None
            while await client.locks():
                await trio.sleep(0.01)
            assert await client.dbsize() == 0


async def test_shared_locks_leases_and_limits_outlive_a_restart(tmp_path: Path) -> None:
    with keeping(tmp_path / "data", "--fsync", "always") as keeper:
        await keeper.start_soon()
        async with (
            kv_client.connect(keeper.url(), name="one", timeout=30) as one,
            kv_client.connect(keeper.url(), name="two", timeout=30) as two,
        ):
            limiter = two.limiter("limit", limit=2, per=3600)
            await limiter.acquire(2)
            async with one.lock("l", 60, shared=True) as held, two.semaphore("s", 2, 60), one.semaphore("s", 2, 60):
                async with one.lease(60, name="life") as lease:
                    for number in range(50):
                        await one.set(f"k{number}", number, lease=lease)
                    await two.set("k0", "mine")
                    before = [(hold.lock, hold.token, hold.owner, hold.limit) for hold in await two.locks()]
                    bound = sorted((await two.leases())[0].keys)
                    assert (len(before), len(bound)) == (4, 49)
                    await restart(keeper)
                    assert [(hold.lock, hold.token, hold.owner, hold.limit) for hold in await two.locks()] == before
                    assert sorted((await two.leases())[0].keys) == bound
                    await snapshot(keeper)
                    await one.set("after", 1, lease=lease, fence=held)
                    await restart(keeper)
                    assert sorted((await two.leases())[0].keys) == sorted([*bound, "after"])
                    async with two.lock("l", 60, shared=True):
                        pass
                assert sorted(await two.all_keys("*")) == ["k0", "limit"]
                await restart(keeper)
                assert sorted(await two.all_keys("*")) == ["k0", "limit"]
            assert not (await limiter.check()).allowed
            assert await two.locks() == []
