"""A scripted server for the client's tests: socket pairs in the same trio run, frames in, frames out, nothing else."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
import trio

import kv_client
from kv_protocol.frames import FrameReader

URL = "kv://peer:7440/shop"


def frame(message: list[Any]) -> bytes:
    body = msgpack.packb(message)
    return len(body).to_bytes(4, "big") + body


class Wire:
    """The server's end of one connection."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reader = FrameReader()
        self._bodies: list[bytes] = []
        self.sends = 0
        """How many receives it took so far, with a client that sends while nobody reads: how often it sent."""

    async def request(self) -> list[Any]:
        """The next request: id, word, args, options, meta."""
        while not self._bodies:
            await trio.lowlevel.wait_readable(self._end)
            data = self._end.recv(1 << 20)
            if not data:
                raise EOFError
            self.sends += 1
            self._bodies += self._reader.feed(data)
        return list(msgpack.unpackb(self._bodies.pop(0), strict_map_key=False))

    async def expect(self, word: str) -> list[Any]:
        request = await self.request()
        assert request[1] == word, request
        return request

    async def ended(self) -> bool:
        """Wait for the client to close the connection; false if it asks something instead."""
        try:
            await self.request()
        except (EOFError, OSError):
            return True
        return False

    async def writable(self) -> None:
        await trio.lowlevel.wait_writable(self._end)

    def send(self, *messages: list[Any]) -> None:
        self._end.sendall(b"".join(map(frame, messages)))

    def send_bytes(self, data: bytes) -> None:
        self._end.sendall(data)

    def reply(self, request: list[Any], body: Any = None) -> None:
        self.send([request[0], 0, body])

    def more(self, request: list[Any], body: Any) -> None:
        self.send([request[0], 1, body])

    def fail(self, request: list[Any], code: str, message: str = "no", details: dict[str, Any] | None = None) -> None:
        self.send([request[0], 2, [code, message, details or {}]])

    def push(self, *fields: Any) -> None:
        self.send([0, 1, list(fields)])

    def close(self) -> None:
        self._end.close()


class Peer:
    """What a client dials instead of a server. Every connection is answered as *welcome* says, before it asks."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.refusals = 0
        self.dials = 0
        self.silent = False
        self.welcome: dict[str, Any] = {
            "server": "peer 1",
            "protocol": [1, 1],
            "epoch": 7,
            "revision": 100,
            "clock_ms": 50_000,
            "now_ms": 1,
            "session": b"s" * 16,
            "session_id": 3,
            "resumed": False,
            "namespace": "shop",
            "limits": {"frame": 1 << 26},
        }
        self._arrived = trio.Event()

    async def dial(self) -> socket.socket:
        await trio.lowlevel.checkpoint()
        self.dials += 1
        if self.refusals:
            self.refusals -= 1
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.wires.append(Wire(ours))
        if not self.silent:
            self.wires[-1].send([1, 0, self.welcome])
        self._arrived.set()
        self._arrived = trio.Event()
        return theirs

    def client(self, url: str = URL, **options: Any) -> kv_client.Client:
        return kv_client.connect(url, dial=self.dial, **options)

    async def arrival(self, number: int) -> Wire:
        """Connection *number* as it comes."""
        while len(self.wires) <= number:
            await self._arrived.wait()
        return self.wires[number]

    async def wire(self, number: int) -> Wire:
        """Connection *number*, with its HELLO taken off."""
        await self.arrival(number)
        await self.wires[number].expect("HELLO")
        return self.wires[number]

    @asynccontextmanager
    async def opened(self, **options: Any) -> AsyncIterator[tuple[kv_client.Client, Wire]]:
        async with self.client(**options) as client:
            yield client, await self.wire(0)

    def close(self) -> None:
        for wire in self.wires:
            wire.close()


class Started:
    """A call that a test has started and looks at later."""

    def __init__(self, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._function = function
        self._args = args
        self._options = options
        self.scope = trio.CancelScope()
        self.done = trio.Event()
        self.value: Any = None
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            with self.scope:
                self.value = await self._function(*self._args, **self._options)
        except Exception as error:
            self.error = error
        self.done.set()

    async def result(self) -> Any:
        await self.done.wait()
        if self.error is not None:
            raise self.error
        return self.value


def start(nursery: trio.Nursery, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> Started:
    started = Started(function, args, options)
    nursery.start_soon(started.run)
    return started


@pytest.fixture
def peer() -> Any:
    made = Peer()
    yield made
    made.close()


@pytest.fixture
def starting() -> Any:
    """`start`, for tests."""
    return start
