"""A write whose answer is lost is answered from memory, never run twice; from the log, if the server was killed."""

from __future__ import annotations

from pathlib import Path
from random import Random

import trio

import kv_client
from tests.faults.durable import Keeper, keeping
from tests.faults.processes import Server
from tests.faults.proxy import one_in, proxy

CALLS = 10_000
TASKS = 50
KILLS = 6


async def test_ten_thousand_increments_over_cut_connections_give_each_number_once(server: Server) -> None:
    results: list[object] = []

    async def count(client: kv_client.Client) -> None:
        for _ in range(CALLS // TASKS):
            results.append(await client.incr("counter"))

    async with proxy(server.port) as between:
        between.cut_soon = one_in(45, Random(7))
        async with (
            kv_client.connect(server.url("exactly-once", between.port), timeout=30) as client,
            trio.open_nursery() as nursery,
        ):
            for _ in range(TASKS):
                nursery.start_soon(count, client)
        assert between.cuts >= 200, between.cuts
        assert between.dropped >= 500, between.dropped
    assert sorted(results, key=int) == list(range(1, CALLS + 1))  # type: ignore[call-overload]


async def test_ten_thousand_increments_over_killed_servers_give_each_number_once(tmp_path: Path) -> None:
    results: list[object] = []
    dice = Random(7)

    async def count(client: kv_client.Client) -> None:
        for _ in range(CALLS // TASKS):
            results.append(await client.incr("counter"))

    async def kill(keeper: Keeper) -> None:
        for number in range(1, KILLS + 1):
            while len(results) < number * CALLS // (KILLS + 1):
                await trio.sleep(0.001)
            await trio.sleep(dice.uniform(0.0, 0.01))
            keeper.kill()
            keeper.wait()
            await keeper.start_soon()

    with keeping(tmp_path / "data", "--fsync", "always", "--log-level", "warning") as keeper:
        keeper.start()
        async with kv_client.connect(keeper.url(), timeout=30) as client, trio.open_nursery() as nursery:
            nursery.start_soon(kill, keeper)
            for _ in range(TASKS):
                nursery.start_soon(count, client)
        assert keeper.starts == KILLS + 1
        assert client.statistics().connections > KILLS
    assert sorted(results, key=int) == list(range(1, CALLS + 1))  # type: ignore[call-overload]
