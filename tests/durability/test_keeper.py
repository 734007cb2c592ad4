"""When snapshots are taken, what becomes of old files, and how a failure of the disk ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import pytest
import trio
from trio.testing import MockClock

from kv_protocol.errors import KvError, ReadOnly
from kv_server.durability import journal as journals
from kv_server.durability import snapshot as snapshots
from kv_server.durability.journal import FAILED, NEVER, TEMPORARY, WELL
from kv_server.durability.survey import Unreadable
from kv_server.net import keeper as keepers
from kv_server.net.keeper import Keeper, SnapshotRules
from tests.durability.disk import FaultyDisk
from tests.durability.rig import Kept, names, recovered, whole


async def at_once(work: Callable[..., Any], *args: Any) -> Any:
    """In the place of a thread, for whose end the clock of a test does not wait."""
    await trio.lowlevel.checkpoint()
    return work(*args)


@pytest.fixture(autouse=True)
def small_pieces() -> Iterator[None]:
    with (
        patch.object(snapshots, "_SLICE_KEYS", 2),
        patch.object(snapshots, "_ENOUGH", 60),
        patch.object(journals, "_STEP", 1_024),
        patch.object(journals, "_LOW", 256),
        patch.object(keepers, "_BLOCK", 100),
    ):
        yield


class Loop:
    """As much of a loop as a keeper knows."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.hurries = False
        self.sent_hurrying: list[bool] = []

    def send(self) -> None:
        self.sent_hurrying.append(self.hurries)
        self.kept.keep() if self.kept.journal.state == WELL else self.kept.write()

    def ring(self) -> None:
        self.send()


class House:
    """A kept store and its keeper."""

    def __init__(self, **rules: int) -> None:
        self.kept = Kept(FaultyDisk(), NEVER, segment_bytes=600)
        self.client = self.kept.connect("one")
        self.loop = Loop(self.kept)
        self.disk = self.kept.disk
        asked: Any = {"interval_ms": 0, "commits": 0, "log_bytes": 0} | rules
        self.keeper = Keeper(
            self.kept.engine,
            self.kept.journal,
            self.disk,
            self.loop,  # type: ignore[arg-type]
            SnapshotRules(**asked),
            at_once,
        )

    def set(self, count: int = 1) -> None:
        for number in range(count):
            self.client.call("SET", b"k%d" % (number % 10), "x" * 50)
            self.kept.write()

    async def ask(self) -> int | KvError:
        """What the one is told who asks for a snapshot."""
        told: list[int | KvError] = []
        self.keeper.ask(told.append)
        await until(lambda: bool(told))
        [outcome] = told
        return outcome

    def snapshots(self) -> list[str]:
        return names(self.disk, "snapshot-")

    def check(self) -> None:
        """What is on the medium is what there is."""
        self.kept.keep()
        assert whole(recovered(self.disk.copy()).engine) == whole(self.kept.engine)


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():
            await trio.sleep(0.05)


@asynccontextmanager
async def house(**rules: int) -> AsyncIterator[House]:
    """A house whose keeper is at work."""
    made = House(**rules)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.keeper.run)
        yield made
        nursery.cancel_scope.cancel()


async def test_who_asks_is_told_the_revision_also_before_anything_was_written(autojump_clock: MockClock) -> None:
    async with house() as here:
        revision = await here.ask()
        assert revision == here.kept.journal.written
        assert len(here.snapshots()) == 1
        assert await here.ask() == revision, "the same once more"
        here.client.call("PUBLISH", b"c", 1)  # a revision of which the log knows nothing
        assert await here.ask() == revision
        here.set()
        assert await here.ask() == here.kept.journal.written > revision
        here.check()


async def test_one_is_taken_when_enough_was_written_or_time_is_up(autojump_clock: MockClock) -> None:
    for rules, writes, ms in (({"commits": 5}, 5, 0), ({"log_bytes": 2_000}, 20, 0), ({"interval_ms": 700}, 1, 700)):
        async with house(**rules) as here:
            await trio.sleep(3)
            here.kept.advance(ms)
            await trio.sleep(3)
            assert not here.snapshots()
            here.set(writes)
            here.kept.advance(ms)
            await until(lambda here=here: len(here.snapshots()) == 1)  # type: ignore[misc]
            here.kept.advance(ms)
            await trio.sleep(3)
            assert here.keeper.taken.count == 1, "nothing was written since"


@pytest.mark.parametrize("fails", [False, True])
async def test_nobody_sleeps_in_the_time_of_a_snapshot_and_only_then(fails: bool, autojump_clock: MockClock) -> None:
    async with house() as here:
        here.set()
        here.kept.keep()
        here.loop.sent_hurrying.clear()
        here.disk.fail = {"rename": 1.0} if fails else {}
        assert isinstance(await here.ask(), KvError) == fails
        assert here.loop.sent_hurrying[0] and not here.loop.sent_hurrying[-1] and not here.loop.hurries


async def test_a_snapshot_has_its_name_only_when_the_log_before_it_is_synced(autojump_clock: MockClock) -> None:
    async with house() as here:
        here.set(3)
        here.kept.write()
        assert here.kept.journal.durable < here.kept.journal.written
        log = here.disk.handles[here.kept.journal._handle]
        here.disk.calls.clear()
        await here.ask()
        calls = [call for call, what in here.disk.calls if what is log or call == "rename"]
        assert calls.index("sync") < calls.index("rename")


async def test_two_snapshots_stay_with_the_log_that_leads_from_the_older_one(autojump_clock: MockClock) -> None:
    async with house() as here:
        for _ in range(4):
            here.set(20)
            await here.ask()
        here.set(20)
        here.kept.keep()
        assert len(here.snapshots()) == 2
        assert here.kept.journal.written == recovered(here.disk.copy()).revision
        spoilt = here.disk.copy()
        spoilt.put(here.snapshots()[-1], b"damaged")
        assert whole(recovered(spoilt).engine) == whole(here.kept.engine)
        logs = names(here.disk, "log-")
        spoilt.remove(logs[0])
        with pytest.raises(Unreadable, match="gap"):
            recovered(spoilt)
        assert int(logs[1][4:20], 16) > int(here.snapshots()[0][9:25], 16), "no file is kept that nobody needs"


@pytest.mark.parametrize("call", ["create", "write", "sync", "rename", "sync_folder"])
async def test_one_that_fails_is_said_so_and_leaves_nothing(call: str, autojump_clock: MockClock) -> None:
    async with house() as here:
        here.set(30)
        here.kept.keep()
        here.disk.fail = {call: 1.0}
        outcome = await here.ask()
        assert isinstance(outcome, ReadOnly)
        assert "Input/output error" in str(outcome)
        here.disk.heal()
        assert here.keeper.taken.failed == 1
        assert not [name for name in here.disk.names() if name.endswith(TEMPORARY)]
        assert len(here.disk.handles) == 1
        assert here.kept.engine.tx.before is None
        assert isinstance(await here.ask(), int)
        here.check()


async def test_old_files_that_cannot_be_removed_are_no_failure(autojump_clock: MockClock) -> None:
    async with house() as here:
        here.disk.fail = {"remove": 1.0}
        for _ in range(3):
            here.set(5)
            assert isinstance(await here.ask(), int)
        assert len(here.snapshots()) == 3
        here.disk.heal()
        here.set()
        await here.ask()
        await until(lambda: len(here.snapshots()) == 2)
        here.check()


@pytest.mark.parametrize("call", ["write", "sync"])
async def test_a_failure_of_the_disk_ends_with_a_snapshot(call: str, autojump_clock: MockClock) -> None:
    async with house() as here:
        here.set(5)
        await here.ask()
        here.disk.fail = {call: 1.0, "create": 1.0}
        here.client.call("SET", b"k0", "doubtful")
        here.kept.keep()
        assert here.kept.journal.state == FAILED
        here.disk.left_alone.append(here.disk.handles[here.kept.journal._handle])
        await trio.sleep(5)
        assert here.kept.journal.state == FAILED
        assert here.keeper.taken.failed > 1
        here.disk.heal()
        with trio.fail_after(5):
            await until(lambda: here.kept.journal.state == WELL)
        here.set(3)
        here.check()
        crashed = here.disk.crashed()
        assert whole(recovered(crashed).engine) == whole(here.kept.engine)


async def test_what_came_while_the_disk_had_failed_is_in_the_snapshot_or_behind_it(autojump_clock: MockClock) -> None:
    async with house() as here:
        here.set(30)
        here.disk.fail = {"sync": 1.0}
        here.kept.keep()
        here.disk.heal()
        came = [here.kept.connect("before")]
        step = here.keeper._step

        def stepping(snapshot: Any) -> bytes | None:
            came.append(here.kept.connect("meanwhile"))
            return step(snapshot)

        here.keeper._step = stepping  # type: ignore[method-assign]
        await until(lambda: here.kept.journal.state == WELL)
        here.check()
        sessions = recovered(here.disk.copy()).engine.sessions
        assert {client.session.id for client in came} <= sessions.keys()
        assert len(came) > 2


async def test_one_that_is_cancelled_leaves_nothing(autojump_clock: MockClock) -> None:
    for rounds in range(25):
        async with house() as here:
            here.set(30)
            here.keeper.ask()
            for _ in range(rounds):
                await trio.lowlevel.checkpoint()
        assert not [name for name in here.disk.names() if name.endswith(TEMPORARY)]
        assert len(here.disk.handles) == 1
        assert here.kept.engine.tx.before is None
        assert not here.kept.store.frozen
        here.check()
