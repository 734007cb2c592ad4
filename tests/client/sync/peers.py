"""What the tests of this folder talk to: a scripted server, threads that a test looks at later, a proxy in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import msgpack
import trio

import kv_client.sync
from kv_protocol.frames import FrameReader, pack
from tests.faults.proxy import Proxy, proxy

SECONDS = 30
"""For a test that hangs to fail; nothing waits for so long."""

WELCOME: dict[str, Any] = {
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


class Wire:
    """The server's end of one connection."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.settimeout(SECONDS)
        self._reader = FrameReader()
        self._bodies: list[bytes] = []

    def request(self) -> list[Any]:
        """The next request: id, word, args, options, meta."""
        while not self._bodies:
            data = self._end.recv(1 << 20)
            if not data:
                raise EOFError
            self._bodies += self._reader.feed(data)
        return list(msgpack.unpackb(self._bodies.pop(0), strict_map_key=False))

    def expect(self, word: str) -> list[Any]:
        request = self.request()
        assert request[1] == word, request
        return request

    def send(self, *messages: list[Any]) -> None:
        self._end.sendall(b"".join(map(pack, messages)))

    def reply(self, request: list[Any], body: Any = None) -> None:
        self.send([request[0], 0, body])

    def fail(self, request: list[Any], code: str, message: str = "no") -> None:
        self.send([request[0], 2, [code, message, {}]])

    def close(self) -> None:
        self._end.close()


class Dialled(socket.socket):
    """The client's end, which counts what the client asks the kernel to do."""

    sends = receives = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reading = threading.Event()

    def send(self, *args: Any) -> int:
        self.sends += 1
        return super().send(*args)

    def recv(self, *args: Any) -> bytes:
        self.receives += 1
        self.reading.set()
        return super().recv(*args)


class Peer:
    """What a client dials instead of a server. Every connection is answered with *greeting*."""

    def __init__(self) -> None:
        self.wires: SimpleQueue[Wire] = SimpleQueue()
        self.ends: list[Dialled] = []
        self.greeting: list[Any] = [1, 0, WELCOME]
        self.refusing = False
        self._wires: list[Wire] = []

    def dial(self) -> socket.socket:
        if self.refusing:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        self.ends.append(Dialled(fileno=theirs.detach()))
        wire = Wire(ours)
        wire.send(self.greeting)
        self._wires.append(wire)
        self.wires.put(wire)
        return self.ends[-1]

    def client(self, **options: Any) -> kv_client.sync.Client:
        return kv_client.sync.connect("kv://peer:7440/shop", dial=self.dial, **options)

    def wire(self) -> Wire:
        """The next connection, with its HELLO taken off."""
        wire = self.wires.get(timeout=SECONDS)
        wire.expect("HELLO")
        return wire

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


def start(function: Callable[..., Any], *args: Any, **options: Any) -> Future[Any]:
    """Call *function* in a thread of its own."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(*args, **options))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What *work* returns in so many threads at once, each given its number."""
    started = [start(work, number) for number in range(count)]
    return [each.result(SECONDS) for each in started]


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy before the server on *port*, in a thread of its own."""
    made: SimpleQueue[tuple[Proxy, Callable[[], None]]] = SimpleQueue()

    async def carry() -> None:
        async with proxy(port) as between:
            end, token = trio.Event(), trio.lowlevel.current_trio_token()
            made.put((between, lambda: token.run_sync_soon(end.set)))
            await end.wait()

    running = start(trio.run, carry)
    between, end = made.get(timeout=SECONDS)
    try:
        yield between
    finally:
        end()
        running.result(SECONDS)
