"""A server in the test's own process, and clients that speak to it in frames over real sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio
from msgpack import unpackb

from kv_protocol.frames import FrameReader, pack
from kv_protocol.values import encode
from kv_server.app.config import Config
from kv_server.app.wiring import serve
from kv_server.net.address import Address
from kv_server.net.server import Server
from kv_server.net.wire import Events

__all__ = ["Caller", "all_of", "condition", "dial", "encode", "pack", "serving"]

ANYWHERE = Address("127.0.0.1", 0)


@asynccontextmanager
async def serving(*binds: Address, **settings: Any) -> AsyncIterator[Server]:
    """A server that runs as long as the block; on a free port unless *binds* says where."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(serve, Config(bind=binds or (ANYWHERE,), **settings))
        nursery.cancel_scope.cancel()


def all_of(events: Events) -> list[tuple[int, int]]:
    """All that *events* have to tell."""
    told: list[tuple[int, int]] = []
    while events.take():
        told.append((events.fd, events.bits))
    return told


class Caller:
    """One connection to a server."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]) -> None:
        self.stream = stream
        self.messages: list[list[Any]] = []
        self._reader = FrameReader()

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def receive(self) -> list[Any]:
        """The next message. Raises `EOFError` if the server has closed."""
        while not self.messages:
            data = await self.stream.receive_some(65_536)
            if not data:
                raise EOFError
            self.messages += [unpackb(body, strict_map_key=False) for body in self._reader.feed(data)]
        return self.messages.pop(0)

    async def ask(self, *request: Any) -> list[Any]:
        await self.send(pack(request))
        return await self.receive()

    async def rest(self) -> bytes:
        """Everything until the server closes, raw. A reset counts as a close."""
        gathered = b""
        try:
            while data := await self.stream.receive_some(65_536):
                gathered += data
        except trio.BrokenResourceError:
            gathered += b"(reset)"
        return gathered


@asynccontextmanager
async def dial(
    server: Server, *, hello: bool = True, at: int = 0, room: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Caller]:
    """A connection to the server's bind number *at*; *room* bytes of receive buffer."""
    address = server.addresses[at]
    if address.path:
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.connect(address.path)
    else:
        family = trio.socket.AF_INET6 if ":" in address.host else trio.socket.AF_INET
        sock = trio.socket.socket(family)
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        await sock.connect((address.host, address.port))
    plain = trio.SocketStream(sock)
    async with plain if tls is None else trio.SSLStream(plain, tls, server_hostname=address.host) as stream:
        caller = Caller(stream)
        if hello:
            answer = await caller.ask(1, "HELLO", [1], {"client": "test"})
            assert answer[:2] == [1, 0]
        yield caller


async def condition(holds: Callable[[], object]) -> None:
    """Wait until *holds* does, while everybody else runs."""
    while not holds():
        await trio.lowlevel.checkpoint()
