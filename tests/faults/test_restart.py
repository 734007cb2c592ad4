"""A client stays open while its server is killed and started again: calls go on, locks stay held, nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

import kv_client
from kv_protocol.errors import ConnectionLost, LockLost
from tests.faults.durable import Keeper, free_port, keeping

if TYPE_CHECKING:
    from pathlib import Path

TASKS = 20
RESTARTS = 3


async def restart(keeper: Keeper, down_s: float = 0.0) -> None:
    """Kill the server, and start it again after a while."""
    keeper.kill()
    keeper.wait()
    await trio.sleep(down_s)
    await keeper.start_soon()


async def test_increments_under_way_at_a_kill_are_repeated_and_take_effect_once(tmp_path: Path) -> None:
    results: list[int] = []

    async def count(client: kv_client.Client) -> None:
        while True:
            results.append(await client.incr("counter"))

    with keeping(tmp_path / "data", "--fsync", "always") as keeper:
        await keeper.start_soon()
        async with kv_client.connect(keeper.url(), timeout=30) as client:
            session = await client.client_id()
            async with trio.open_nursery() as nursery:
                for _ in range(TASKS):
                    nursery.start_soon(count, client)
                for number in range(1, RESTARTS + 1):
                    while len(results) < 500 * number:
                        await trio.sleep(0.001)
                    await restart(keeper)
                seen = len(results)
                while len(results) < seen + 500:
                    await trio.sleep(0.001)
                nursery.cancel_scope.cancel()
            assert await client.client_id() == session, "the session was not resumed"
            assert client.statistics().connections == RESTARTS + 1
            total = await client.get("counter")
    assert len(set(results)) == len(results), "a number was given twice"
    assert isinstance(total, int)
    assert total - TASKS <= len(results) <= total, "what was given is not what was counted"


async def test_a_lock_stays_held_over_a_restart_under_its_token_and_is_renewed(tmp_path: Path) -> None:
    with keeping(tmp_path / "data", "--fsync", "never") as keeper:
        await keeper.start_soon()
        async with (
            kv_client.connect(keeper.url(), name="holder") as client,
            kv_client.connect(keeper.url(), timeout=30) as other,
        ):
            async with client.lock("invoice", ttl=60) as held:
                await restart(keeper)
                (lock,) = await other.locks()
                assert (lock.token, lock.owner) == (held.token, "holder")
                with pytest.raises(kv_client.LockHeld):
                    async with other.lock("invoice", wait=0):
                        pass
                while not (await other.locks())[0].renewals:  # the client asks about its locks as soon as it can
                    await trio.sleep(0.05)
                await client.set("paid", True, fence=held)
                await restart(keeper)
                await client.set("paid", 2, fence=held)
            async with other.lock("invoice", wait=0) as next_held:
                assert next_held.token > held.token


async def test_a_waiter_keeps_its_place_over_a_restart_and_is_granted(tmp_path: Path) -> None:
    granted: list[int] = []

    async def wait(client: kv_client.Client) -> None:
        async with client.lock("queue", ttl=60) as held:
            granted.append(held.token)

    with keeping(tmp_path / "data") as keeper:
        await keeper.start_soon()
        async with (
            kv_client.connect(keeper.url()) as client,
            kv_client.connect(keeper.url()) as other,
            trio.open_nursery() as nursery,
        ):
            async with client.lock("queue", ttl=60) as held:
                nursery.start_soon(wait, other)
                while (await client.locks())[0].waiters != 1:
                    await trio.sleep(0.01)
                await restart(keeper)
                while (await client.locks())[0].waiters != 1:
                    await trio.sleep(0.01)
                assert not granted
    assert granted
    assert granted[0] > held.token


async def test_calls_wait_for_a_server_that_reads_its_data(tmp_path: Path) -> None:
    """Both the calls of a client that was open, and the opening of another."""
    with keeping(tmp_path / "data", "--fsync", "never", "--snapshot-interval", "0") as keeper:
        await keeper.start_soon()
        async with kv_client.connect(keeper.url(), timeout=30) as client:
            for start in range(0, 200_000, 10_000):
                await client.mset({f"key:{number}": number for number in range(start, start + 10_000)})
            keeper.kill()
            keeper.wait()
            keeper.launch()
            assert await client.get("key:199999") == 199_999
            assert client.statistics().connections == 2
            keeper.wait_ready()
            async with kv_client.connect(keeper.url()) as late:
                assert await late.dbsize() == 200_000


async def test_a_client_that_is_opened_while_there_is_no_server_says_so_in_its_time() -> None:
    with pytest.raises(ConnectionLost, match="not connected after"):
        async with kv_client.connect(f"kv://127.0.0.1:{free_port()}", connect_timeout=0.3):
            pass


async def test_a_restart_in_memory_ends_locks_at_once(tmp_path: Path) -> None:
    with keeping(tmp_path / "unused") as keeper:
        keeper.command = lambda words=(): [*Keeper.command(keeper, words)[:5]]  # type: ignore[method-assign]
        await keeper.start_soon()
        async with kv_client.connect(keeper.url()) as client:
            with pytest.raises(LockLost, match="restart"):
                async with client.lock("invoice", ttl=60):
                    await restart(keeper)
                    await trio.sleep(30)
