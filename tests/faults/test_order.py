"""With `always` no answer to a write leaves before its record is on the medium: on both doors, one call after the other
and fifty clients at once. What the server asks of the system is watched from outside, and from inside where that is not
allowed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import Factory, define

from kv_protocol.frames import FrameReader, pack
from kv_protocol.values import encode
from tests.faults.durable import Keeper, keeping
from tests.faults.recorder import notes
from tests.faults.text_caller import TextCaller

WRITES = 1_000
CLIENTS = 50
ALWAYS = "--fsync", "always", "--log-level", "warning"
KEY = re.compile(rb"write-\d+-\d+")


@define
class Order:
    """Goes through what was asked of the system, and counts answers by whether what they tell was on the medium."""

    safe: int = 0
    unsafe: list[bytes] = Factory(list)
    syncs: int = 0
    asked: dict[int, list[bytes]] = Factory(dict)
    """By connection: the writes that have been received and not answered."""
    written: dict[int, set[bytes]] = Factory(dict)
    """By file: what has been written since a sync of it began."""
    syncing: dict[int, set[bytes]] = Factory(dict)
    synced: set[bytes] = Factory(set)

    def note(self, kind: str, descriptor: int, data: bytes = b"") -> None:
        if kind == "receive":
            self.asked.setdefault(descriptor, []).extend(KEY.findall(data))
        elif kind == "write":
            self.written.setdefault(descriptor, set()).update(KEY.findall(data))
        elif kind == "sync begins":
            self.syncing[descriptor] = self.written.pop(descriptor, set())
        elif kind == "sync ends":
            self.synced |= self.syncing.pop(descriptor)
            self.syncs += 1
        elif kind == "send":
            for key in self.asked.pop(descriptor, ()):
                if key in self.synced:
                    self.safe += 1
                else:
                    self.unsafe.append(key)


# ---- from outside
OCTETS = r'"(?P<data>(?:\\x[0-9a-f]{2})*)"'
CALL = re.compile(rf"(?P<pid>\d+)? *(?P<name>\w+)\((?P<fd>\d+)(?:, {OCTETS})?.*")
BACK = re.compile(r"(?P<pid>\d+)? *<\.\.\. (?P<name>\w+) resumed>.*")
RECEIVED = re.compile(OCTETS)


def as_traced(lines: Iterator[str], order: Order) -> None:
    """What strace saw. A call that others interrupt has two lines: it began at the first and was done at the second."""
    open_calls: dict[str, tuple[str, int, bytes]] = {}
    for line in lines:
        if back := BACK.match(line):
            name, descriptor, data = open_calls.pop(back["pid"] or "")
            if name.startswith("recv"):
                found = RECEIVED.search(line)
                data = octets(found["data"]) if found else b""
            done(order, name, descriptor, data)
        elif call := CALL.match(line):
            name, descriptor, data = call["name"], int(call["fd"]), octets(call["data"] or "")
            if name == "fdatasync":
                order.note("sync begins", descriptor)
            elif name.startswith("send"):
                order.note("send", descriptor)
            if line.rstrip().endswith("<unfinished ...>"):
                open_calls[call["pid"] or ""] = name, descriptor, data
            else:
                done(order, name, descriptor, data)


def done(order: Order, name: str, descriptor: int, data: bytes) -> None:
    kinds = {"recvfrom": "receive", "pwrite64": "write", "fdatasync": "sync ends"}
    if name in kinds:
        order.note(kinds[name], descriptor, data)


def octets(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


def tracing_works() -> str:
    """Why it does not; nothing if it does."""
    program = shutil.which("strace")
    if program is None:
        return "strace is not installed"
    tried = subprocess.run([program, "-f", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"tracing is not allowed here: {tried.stderr.strip()}"


@asynccontextmanager
async def traced(keeper: Keeper, to: Path) -> AsyncIterator[None]:
    """Watch the calls of all threads of the server."""
    assert keeper.process is not None
    calls = "trace=pwrite64,fdatasync,fsync,sendto,sendmsg,recvfrom"
    words = ["strace", "-f", "-xx", "-s", "1000000", "-e", calls, "-o", str(to), "-p", str(keeper.process.pid)]
    process = await trio.lowlevel.open_process(words, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = b""
    while b"attached" not in said:
        part = await process.stderr.receive_some()
        assert part, said
        said += part
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGINT)
        with trio.CancelScope(shield=True):
            while await process.stderr.receive_some():
                pass
            await process.wait()


# ---- who writes
class NativeCaller:
    """A client that sends a write and waits for its answer."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.reader = FrameReader()
        self.calls = 0

    async def ask(self, *request: Any) -> None:
        self.calls += 1
        await self.stream.send_all(pack([self.calls, *request]))
        while not self.reader.feed(await self.stream.receive_some(65_536)):
            pass

    async def write(self, key: str) -> None:
        await self.ask("SET", [key, encode(1)])


class OtherCaller(TextCaller):
    """The same over the text door."""

    async def write(self, key: str) -> None:
        assert await self.ask("SET", key, "1") == "+OK"


async def native(stream: trio.SocketStream) -> NativeCaller:
    caller = NativeCaller(stream)
    await caller.ask("HELLO", [1])
    return caller


async def text(stream: trio.SocketStream) -> OtherCaller:
    return OtherCaller(stream)


DOORS: dict[str, Callable[[trio.SocketStream], Awaitable[NativeCaller | OtherCaller]]] = {
    "native": native,
    "text": text,
}


async def write_all(port: int, door: str, clients: int) -> None:
    async def one(number: int) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            caller = await DOORS[door](stream)
            for count in range(WRITES // clients):
                await caller.write(f"write-{number}-{count}")

    async with trio.open_nursery() as nursery:
        for number in range(clients):
            nursery.start_soon(one, number)


def check(order: Order, clients: int) -> None:
    assert not order.unsafe
    assert order.safe == WRITES
    if clients == 1:
        assert order.syncs >= WRITES
    else:
        assert order.syncs < WRITES, "every write had a sync of its own"


@pytest.mark.parametrize("clients", [1, CLIENTS])
@pytest.mark.parametrize("door", DOORS)
async def test_no_answer_leaves_before_its_record_is_synced(tmp_path: Path, door: str, clients: int) -> None:
    """As the server's own disk and sockets see it."""
    trace, order = tmp_path / "trace", Order()
    with keeping(tmp_path / "data", *ALWAYS, through=("recorder.py", str(trace))) as keeper:
        keeper.start()
        await write_all(keeper.port, door, clients)
        assert keeper.stop()[0] == 0
    for kind, *facts in notes(trace):
        if kind in ("receive", "send", "write", "sync begins", "sync ends"):
            data = facts[-1] if type(facts[-1]) is bytes else b""
            order.note(kind, facts[0], data)
    check(order, clients)


@pytest.mark.parametrize("clients", [1, CLIENTS])
@pytest.mark.parametrize("door", DOORS)
async def test_the_system_is_asked_to_sync_before_an_answer_is_sent(tmp_path: Path, door: str, clients: int) -> None:
    """As the system sees it."""
    if reason := tracing_works():
        pytest.skip(reason)
    trace, order = tmp_path / "trace", Order()
    with keeping(tmp_path / "data", *ALWAYS) as keeper:
        keeper.start()
        async with traced(keeper, trace):
            await write_all(keeper.port, door, clients)
        assert keeper.stop()[0] == 0
    with trace.open() as lines:
        as_traced(iter(lines), order)
    check(order, clients)
