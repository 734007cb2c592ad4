"""The server is killed at random moments under load, and started again: nothing that was acknowledged is lost, nothing
is there in half or twice, whatever it was doing. And the same when the machine loses its power, with what was synced.
"""

from __future__ import annotations

import shutil
from random import Random
from typing import TYPE_CHECKING

import pytest
import trio

from tests.faults.crowd import Crowd
from tests.faults.durable import keeping
from tests.faults.recorder import power_loss

if TYPE_CHECKING:
    from pathlib import Path

BUSY = "--segment-size", "1MiB", "--log-level", "warning"  # a kill may meet a rotation; snapshots the crowd asks for
IN_FLIGHT = 100
INTERVAL_S = 0.1
GRACE_S = 0.1
UNRULY_S = 0.05  # how long the system may keep a server from sending what it may send


async def live(crowd: Crowd, dice: Random) -> None:
    """Let the crowd write for a while, and kill the server amid that."""
    before = crowd.acked
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.write)
        with trio.fail_after(20):
            while crowd.acked < before + 500:
                await trio.sleep(0.005)
        await trio.sleep(dice.uniform(0.0, 0.3))
        crowd.keeper.kill()
        flying = crowd.in_flight
        nursery.cancel_scope.cancel()
    assert flying >= IN_FLIGHT, f"only {flying} writes were under way"
    crowd.keeper.wait()


async def lives(folder: Path, fsync: str, kills: int, dice: Random) -> None:
    """Start, be killed, start again, lose nothing."""
    with keeping(folder, "--fsync", fsync, *BUSY) as keeper:
        crowd = Crowd(keeper)
        await keeper.start_soon()
        for _ in range(kills):
            await live(crowd, dice)
            await keeper.start_soon()
            assert await crowd.check() == 0
        assert "trace=" not in keeper.said(), keeper.said()
        assert crowd.saves, "no snapshot was taken among the kills"


async def powerless_lives(folder: Path, fsync: str, losses: int, dice: Random) -> None:
    """The same, and what was not synced before the end is gone, or there in part."""
    trace = folder.with_suffix(".trace")
    with keeping(folder, "--fsync", fsync, *BUSY, through=("recorder.py", str(trace))) as keeper:
        crowd = Crowd(keeper)
        await keeper.start_soon()
        before: dict[str, bytes] = {}
        for number in range(losses):
            crowd.forcing = bool(number & 1)
            await live(crowd, dice)
            fallen = dice if dice.random() < 0.7 else None
            before = await trio.to_thread.run_sync(power_loss, before, trace, fallen)
            refill(folder, before)
            await keeper.start_soon()
            lost = await crowd.check(forgiven_s=None if fsync == "always" else INTERVAL_S + GRACE_S + UNRULY_S)
            assert not lost or fsync != "always"
        assert "trace=" not in keeper.said(), keeper.said()


def refill(folder: Path, files: dict[str, bytes]) -> None:
    """Let these, and only these, be in *folder*."""
    shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(("fsync", "kills"), [("always", 12), ("interval", 10), ("never", 8)])
async def test_nothing_acknowledged_is_lost_when_the_server_is_killed(tmp_path: Path, fsync: str, kills: int) -> None:
    async with trio.open_nursery() as nursery:  # while one server starts the other is loaded
        for name in ("one", "two"):
            nursery.start_soon(lives, tmp_path / name, fsync, kills // 2, Random(f"{fsync} {name}"))


@pytest.mark.parametrize("fsync", ["always", "interval"])
async def test_a_loss_of_power_loses_nothing_or_what_was_acknowledged_last(tmp_path: Path, fsync: str) -> None:
    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            nursery.start_soon(powerless_lives, tmp_path / name, fsync, 2, Random(f"{fsync} {name}"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_ten_more_kills(tmp_path: Path, fsync: str, seed: int) -> None:
    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            nursery.start_soon(lives, tmp_path / name, fsync, 5, Random(f"{fsync} {name} {seed}"))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("fsync", ["always", "interval"])
async def test_ten_more_losses_of_power(tmp_path: Path, fsync: str, seed: int) -> None:
    async with trio.open_nursery() as nursery:
        for name in ("one", "two"):
            nursery.start_soon(powerless_lives, tmp_path / name, fsync, 5, Random(f"{fsync} {name} {seed}"))
