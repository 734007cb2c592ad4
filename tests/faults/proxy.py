"""A proxy that knows frames: counts them, holds replies back, drops replies after execution, cuts connections."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgpack
import trio

__all__ = ["Proxy", "proxy"]


class Proxy:
    """Between clients and a server; what happens to traffic is decided by its attributes."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.requests: list[str] = []
        self.connections = 0
        self.cuts = 0
        self.dropped = 0
        self.cut_soon: Callable[[], bool] = lambda: False
        self.holding: trio.Event | None = None
        self.seen = trio.Event()

    async def carry(self, near: trio.SocketStream) -> None:
        """Serve one connection of a client."""
        self.connections += 1
        try:
            far = await trio.open_tcp_stream("127.0.0.1", self.target)
        except OSError:
            await near.aclose()
            return
        async with near, far, trio.open_nursery() as nursery:
            nursery.start_soon(self.carry_requests, near, far, nursery.cancel_scope)
            nursery.start_soon(self.carry_replies, far, near, nursery.cancel_scope)

    async def carry_requests(self, near: trio.SocketStream, far: trio.SocketStream, scope: trio.CancelScope) -> None:
        try:
            frames = Frames(near)
            while chunk := await frames.some():
                self.requests += [msgpack.unpackb(frame[4:], strict_map_key=False)[1] for frame in chunk]
                self.seen.set()
                self.seen = trio.Event()
                await far.send_all(b"".join(chunk))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

    async def carry_replies(self, far: trio.SocketStream, near: trio.SocketStream, scope: trio.CancelScope) -> None:
        cutting = False
        try:
            frames = Frames(far)
            while chunk := await frames.some():
                while self.holding is not None and not is_greeting(chunk[0]):
                    await self.holding.wait()
                kept = []
                for frame in chunk:
                    cutting = cutting or (not is_greeting(frame) and self.cut_soon())
                    if cutting:
                        self.dropped += 1
                    else:
                        kept.append(frame)
                await near.send_all(b"".join(kept))
                if cutting:
                    self.cuts += 1
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

    async def until_seen(self, word: str, count: int) -> None:
        """Wait until *count* requests called *word* have passed."""
        while self.requests.count(word) < count:
            await self.seen.wait()


def is_greeting(frame: bytes) -> bool:
    """Whether *frame* answers HELLO: it is the one that tells an epoch."""
    return b"\xa5epoch" in frame


class Frames:
    """The frames of one direction of a connection, head included."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.held = b""

    async def some(self) -> list[bytes]:
        """The next frames, as many as have come; none at the end."""
        whole: list[bytes] = []
        while not whole:
            data = await self.stream.receive_some(65_536)
            if not data:
                break
            self.held += data
            while len(self.held) >= 4 and len(self.held) >= 4 + struct.unpack_from(">I", self.held)[0]:
                end = 4 + struct.unpack_from(">I", self.held)[0]
                whole.append(self.held[:end])
                self.held = self.held[end:]
        return whole


def one_in(chances: int, dice: Random) -> Callable[[], bool]:
    """True once in so many calls."""
    return lambda: dice.randrange(chances) == 0


@asynccontextmanager
async def proxy(target: int) -> AsyncIterator[Any]:
    """A proxy before the server on port *target*."""
    between = Proxy(target)
    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, between.carry, 0)  # type: ignore[arg-type]
        between.port = listeners[0].socket.getsockname()[1]
        try:
            yield between
        finally:
            nursery.cancel_scope.cancel()
