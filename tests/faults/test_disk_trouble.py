"""A disk that is full or that fails: writes are refused and reads served, nothing acknowledged is lost, and once the
disk is well again writes work without a restart.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import Factory, define

import kv_client
from kv_protocol.errors import KvError, NotKept, ReadOnly
from kv_protocol.limits import MIB
from tests.faults.durable import Keeper, keeping
from tests.faults.text_caller import TextCaller
from tests.redis.client import Connection

WRITERS = 20
VALUE = "." * 2_000
RECOVERY_S = 5.0
QUIET = "--log-level", "error"


@define(eq=False)
class Writers:
    """Clients that each write one key after the other, and what became of it."""

    keeper: Keeper
    acked: list[str] = Factory(list)
    refused: int = 0
    doubtful: list[str] = Factory(list)
    hung_up: int = 0

    async def write(self) -> None:
        async with kv_client.connect(self.keeper.url(), timeout=20) as client, trio.open_nursery() as nursery:
            for number in range(WRITERS):
                nursery.start_soon(self._native, client, number)
            for number in range(WRITERS):
                nursery.start_soon(self._text, number)

    async def _native(self, client: kv_client.Client, number: int) -> None:
        for count in range(1_000_000):
            key = f"n{number}:{count}:{len(self.acked)}"
            try:
                await client.set(key, VALUE)
            except NotKept as error:
                assert error.maybe_applied
                self.doubtful.append(key)
            except ReadOnly:
                self.refused += 1
                await trio.sleep(0.02)
            else:
                self.acked.append(key)

    async def _text(self, number: int) -> None:
        count = 0
        while True:
            caller = await TextCaller.dial(self.keeper.port)
            async with caller.stream:
                try:
                    while True:
                        count += 1
                        key = f"t{number}:{count}:{len(self.acked)}"
                        reply = await caller.ask("SET", key, VALUE)
                        if reply == "+OK":
                            self.acked.append(key)
                        else:
                            assert str(reply).startswith("-MISCONF"), reply
                            self.refused += 1
                            await trio.sleep(0.02)
                except EOFError:
                    self.hung_up += 1

    async def until_refused(self) -> None:
        """Wait until nothing is acknowledged any more, and somebody was told why."""
        with trio.fail_after(20):
            while not self.refused:
                await trio.sleep(0.005)
            acked = -1
            while acked != len(self.acked):
                acked = len(self.acked)
                await trio.sleep(0.1)

    async def until_acked(self) -> float:
        """Wait until something is acknowledged; how long that took."""
        began, acked = trio.current_time(), len(self.acked)
        with trio.fail_after(20):
            while acked == len(self.acked):
                await trio.sleep(0.005)
        return trio.current_time() - began


@asynccontextmanager
async def writing(keeper: Keeper) -> AsyncIterator[Writers]:
    writers = Writers(keeper)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writers.write)
        yield writers
        nursery.cancel_scope.cancel()


async def read_some(writers: Writers) -> None:
    """Both doors answer reads."""
    async with kv_client.connect(writers.keeper.url()) as client:
        for key in writers.acked[:: max(1, len(writers.acked) // 50)]:
            assert await client.get(key) == VALUE
    caller = await TextCaller.dial(writers.keeper.port)
    async with caller.stream:
        assert await caller.ask("GET", writers.acked[-1]) == VALUE
        assert await caller.ask("PING") == "+PONG"


def all_there(keeper: Keeper, keys: list[str]) -> None:
    connection = Connection(keeper.port)
    try:
        replies = connection.pipeline([(b"EXISTS", key.encode()) for key in keys])
    finally:
        connection.close()
    gone = [key for key, reply in zip(keys, replies, strict=True) if reply.value != 1]
    assert not gone, f"{len(gone)} of {len(keys)} that were acknowledged: {gone[:5]}"


async def survive(keeper: Keeper, writers: Writers) -> None:
    """What was acknowledged is there after a crash."""
    keeper.kill()
    keeper.wait()
    await keeper.start_soon()
    all_there(keeper, writers.acked)


# ---- a disk that is full
@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of *size* bytes at *folder*."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={os.getuid()}", "kv", str(folder)]
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_on_a_full_disk_reads_go_on_and_writes_do_once_there_is_room(tmp_path: Path, fsync: str) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, 48 * MIB):
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 34 * MIB)
        with keeping(disk / "data", "--fsync", fsync, *QUIET) as keeper:
            keeper.start()
            async with writing(keeper) as writers:
                await writers.until_refused()
                await read_some(writers)
                assert "the disk is full" in keeper.said()
                acked = len(writers.acked)
                ballast.unlink()
                assert await writers.until_acked() < RECOVERY_S
                await trio.sleep(0.2)
            assert keeper.starts == 1
            assert len(writers.acked) > acked + WRITERS
            assert not writers.doubtful, "a full disk is met before anything is applied"
            assert not writers.hung_up
            await survive(keeper, writers)


async def test_files_that_may_not_grow_are_as_a_full_disk(tmp_path: Path) -> None:
    """Where nothing can be mounted: the system refuses what is beyond a limit."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (9 * MIB, 100 * MIB))
    with keeping(tmp_path / "data", "--fsync", "always", *QUIET) as keeper:
        process = keeper.launch(preexec_fn=limit)
        keeper.wait_ready()
        async with writing(keeper) as writers:
            await writers.until_refused()
            await read_some(writers)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100 * MIB, 100 * MIB))
            assert await writers.until_acked() < RECOVERY_S
        assert not writers.doubtful
        await survive(keeper, writers)


# ---- a disk that fails
@pytest.mark.parametrize("fsync", ["always", "interval"])
@pytest.mark.parametrize("failing", ["sync EIO", "write EIO", "write ENOSPC\nreserve ENOSPC"])
async def test_after_a_failure_nothing_is_acknowledged_until_a_snapshot_holds_all(
    tmp_path: Path, fsync: str, failing: str
) -> None:
    order = tmp_path / "order"
    with keeping(tmp_path / "data", "--fsync", fsync, *QUIET, through=("breaker.py", str(order))) as keeper:
        keeper.start()
        async with writing(keeper) as writers:
            await writers.until_acked()
            order.write_text(failing)
            await writers.until_refused()
            await read_some(writers)
            assert "the disk failed" in keeper.said()
            segments = keeper.files()
            acked = len(writers.acked)
            order.unlink()
            assert await writers.until_acked() < RECOVERY_S
            await trio.sleep(0.2)
        assert keeper.starts == 1
        assert any("kvsnap" in name for name in set(keeper.files()) - set(segments))
        assert len(writers.acked) > acked + WRITERS
        if fsync == "always":
            assert writers.doubtful or writers.hung_up, "nobody was told that a write may be lost"
        await survive(keeper, writers)


async def test_a_repeated_write_is_not_acknowledged_because_a_later_sync_went_well(tmp_path: Path) -> None:
    """What a client repeats after a failure is told what its first try was told: nobody knows."""
    order = tmp_path / "order"
    answers: dict[int, Any] = {}

    async def write(client: kv_client.Client, number: int) -> None:
        try:
            answers[number] = await client.incr("counter")
        except KvError as error:
            answers[number] = error

    with keeping(tmp_path / "data", "--fsync", "always", *QUIET, through=("breaker.py", str(order))) as keeper:
        keeper.start()
        async with kv_client.connect(keeper.url(), timeout=20) as client:
            await client.incr("counter")
            order.write_text("sync EIO")
            async with trio.open_nursery() as nursery:
                for number in range(WRITERS):
                    nursery.start_soon(write, client, number)
            assert all(isinstance(answer, (NotKept, ReadOnly)) for answer in answers.values()), answers
            applied = sum(isinstance(answer, NotKept) for answer in answers.values())
            order.unlink()
            with trio.fail_after(RECOVERY_S):
                while True:
                    try:
                        assert await client.incr("counter") == applied + 2
                        break
                    except ReadOnly:
                        await trio.sleep(0.05)
