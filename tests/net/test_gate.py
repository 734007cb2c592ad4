"""The gate between what was computed and who is told of it: nothing passes before the log has it as its mode says."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from attrs import Factory, define

from kv_protocol.limits import MIB
from kv_server.durability.journal import ALWAYS, INTERVAL, NEVER, Journal, Origin
from kv_server.net.committer import Committer
from kv_server.net.disk import Folder
from kv_server.net.gate import Gate
from tests.net.rig import dial, encode, pack, serving


@define
class Output:
    """What the gate lets the connections do, and what the log had by then."""

    journal: Journal
    told: list[str] = Factory(list)

    def flush(self) -> None:
        assert not self.journal.pending, "sent before it was written"
        if self.journal.mode == ALWAYS:
            assert self.journal.durable == self.journal.written, "sent before it was synced"
        self.told.append("flush")

    def seal(self) -> None:
        self.told.append("seal")

    def release(self) -> None:
        self.told.append("release")

    def retract(self, refusal: object) -> int:
        self.told.append("retract")
        return 0


@define
class Bench:
    """A gate of its own, and commits to send through it; by its *clock* everything takes *step* seconds."""

    gate: Gate
    output: Output
    revision: int = 0
    clock: float = 1.0
    step: float = 0.0

    def timer(self) -> float:
        self.clock += self.step
        return self.clock

    def commit(self) -> None:
        self.revision += 1
        self.gate.journal.pending.append((self.revision, 1, 1, b"0", [(0x11, b"key", b"\xc0", 0)]))

    def wait(self) -> None:
        """Until the other thread has synced."""
        assert select.select([self.gate.fd], [], [], 10)[0]


@pytest.fixture(params=[ALWAYS, INTERVAL, NEVER])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    folder = Folder(str(tmp_path))
    journal = Journal(folder, Origin(1, b"seed", 1), request.param, 100, 64 * MIB)
    journal.open(0, 0, 1, 1)
    engine: Any = SimpleNamespace(
        now_ms=1, elapsed_ms=1, tx=SimpleNamespace(urgent=False), sessions={}, open=-1,
        catalog=SimpleNamespace(bits=lambda flag: 0),
    )  # fmt: skip
    output: Any = Output(journal)
    it: Bench
    gate = Gate(engine, journal, folder, output, Committer(), lambda: it.timer())
    it = Bench(gate, output)
    yield it
    gate.close()
    folder.close_folder()


def test_what_came_while_a_sync_ended_is_written_before_it_is_told(bench: Bench) -> None:
    gate, output = bench.gate, bench.output
    bench.step = 1.0
    gate._engine.tx.urgent = True  # so that all modes wait for it
    bench.commit()
    gate.let_out()
    assert output.told == ["flush"], "the first is tried in the loop, and takes long"
    output.told.clear()
    gate._engine.tx.urgent = True
    bench.commit()
    gate.let_out()
    assert output.told == ["seal"]
    bench.wait()
    bench.commit()
    gate.synced()
    if gate.journal.mode == ALWAYS:
        assert output.told == ["seal", "release", "seal"]
        bench.wait()
        gate.synced()
        assert output.told == ["seal", "release", "seal", "release", "flush"]
    else:
        assert output.told == ["seal", "release", "flush"]


def test_a_quick_sync_is_done_in_the_loop(bench: Bench) -> None:
    for _ in range(3):
        bench.gate._engine.tx.urgent = True
        bench.commit()
        bench.gate.let_out()
        assert bench.gate.journal.durable == bench.revision
    assert bench.output.told == ["flush"] * 3


def test_a_slow_disk_is_tried_ever_more_rarely_in_the_loop(bench: Bench) -> None:
    bench.step = 1.0
    for _ in range(60):
        bench.gate._engine.tx.urgent = True
        bench.commit()
        bench.gate.let_out()
        if bench.gate.journal.syncing:
            bench.wait()
            bench.gate.synced()
    assert bench.output.told.count("release") == 57, "but for the 1st, the 18th and the 51st"


def test_answers_wait_for_others_to_share_their_sync_but_not_for_long(bench: Bench) -> None:
    for _ in range(3):
        bench.gate._engine.tx.urgent = True  # so that all modes wait for it
        bench.commit()
        bench.gate.let_out(more=True)
    assert (bench.output.told, bench.gate.journal.groups) == ([], 0)
    bench.step = 1.0
    bench.gate.let_out(more=True)
    assert bench.gate.journal.groups == 1, "time was over"


async def test_a_slow_reader_goes_on_reading_while_others_write_all_the_time(tmp_path: Path) -> None:
    size = 16 * MIB

    async def write(caller: Any) -> None:
        while True:
            await caller.send(b"".join(pack([number, "SET", ["k", encode(1)]]) for number in range(2, 66)))
            for _ in range(64):
                await caller.receive()

    async with serving(data_dir=str(tmp_path), fsync="always") as server, trio.open_nursery() as nursery:
        async with dial(server) as one, dial(server) as two, dial(server, room=4_096) as reader:
            await one.ask(2, "SET", ["long", encode(bytes(size))])
            for writer in (one, two):
                nursery.start_soon(write, writer)
            with trio.fail_after(20):
                [_, status, value] = await reader.ask(2, "GET", ["long"])
            assert (status, len(value)) == (0, len(encode(bytes(size))))
            nursery.cancel_scope.cancel()
