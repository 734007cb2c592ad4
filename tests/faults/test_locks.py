"""Locks over real processes: a stopped holder does no harm, waiters are served in order, nothing is polled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import trio

import kv_client
from tests.faults.processes import Server
from tests.faults.proxy import proxy

HOLDERS = 8
ROUNDS = 25  # of each holder: 200 in all
HOLDER = Path(__file__).with_name("holder.py")


class Reader:
    """Lines of a process."""

    def __init__(self, stream: trio.abc.ReceiveStream) -> None:
        self.stream = stream
        self.held = b""

    async def line(self) -> str:
        while b"\n" not in self.held:
            data = await self.stream.receive_some()
            assert data, "the holder ended"
            self.held += data
        line, _, self.held = self.held.partition(b"\n")
        return line.decode()

    async def until(self, word: str) -> str:
        while not (line := await self.line()).startswith(word):
            assert line.startswith(("holding", "refused", "lost")), line
        return line


async def stop_and_wake(client: kv_client.Client, url: str, name: str, stale: list[object], lost: list[str]) -> None:
    """One holder, stopped past its lease again and again while a second one writes."""
    process = await trio.lowlevel.open_process(
        [sys.executable, str(HOLDER), url, name, str(ROUNDS)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        reader = Reader(process.stdout)
        for _ in range(ROUNDS):
            first = int((await reader.until("holding")).split()[1])
            os.kill(process.pid, signal.SIGSTOP)
            async with client.lock(name, ttl=5) as held:  # granted when the stopped holder's lease has ended
                assert held.token > first
                await client.set(f"{name}:value", held.token, fence=held)
                os.kill(process.pid, signal.SIGCONT)
                lost.append(await reader.until("lost"))
                value = await client.get(f"{name}:value")
                if value != held.token:
                    stale.append((value, held.token))
        await process.wait()
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGCONT)
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def test_a_holder_stopped_past_its_lease_writes_nothing_stale_and_is_cancelled(server: Server) -> None:
    stale: list[object] = []
    lost: list[str] = []
    url = server.url("stopped")
    async with kv_client.connect(url) as client, trio.open_nursery() as nursery:
        for number in range(HOLDERS):
            nursery.start_soon(partial(stop_and_wake, client, url, f"lock-{number}", stale, lost))
    assert len(lost) == HOLDERS * ROUNDS
    assert not stale


async def test_fifty_waiters_are_served_in_the_order_of_asking_without_polling(server: Server) -> None:
    served: list[int] = []

    async def wait_and_note(client: kv_client.Client, number: int) -> None:
        async with client.lock("queue", ttl=30):
            served.append(number)

    async with (
        proxy(server.port) as between,
        kv_client.connect(server.url("fifo", between.port)) as client,
        trio.open_nursery() as nursery,
    ):
        async with client.lock("queue", ttl=30):
            for number in range(50):
                nursery.start_soon(wait_and_note, client, number)
                await between.until_seen("LOCK", number + 2)
            assert [lock.waiters for lock in await client.locks()] == [50]
            assert not served
    assert served == list(range(50))
    assert between.requests.count("LOCK") == 51, "somebody asked twice"
