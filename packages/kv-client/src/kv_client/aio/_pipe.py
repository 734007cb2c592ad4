"""Bytes under asyncio: one transport and the raw protocol on it. Runs alike on asyncio's own loop and on uvloop."""

from __future__ import annotations

import asyncio
from asyncio import Future, TimerHandle, Transport
from typing import TYPE_CHECKING, Final, cast

from kv_client._core.session import RECEIVE, Session
from kv_protocol.errors import ConnectionLost, KvError

if TYPE_CHECKING:
    from kv_client.aio._link import Link

__all__ = ["Pipe"]

FAREWELL_S: Final = 0.1  # for what was outgoing at the end


class Pipe(asyncio.BufferedProtocol):
    """One connection: it greets, then brings what comes to the session, until it has ended."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._session: Session = link.session
        self._transport: Transport | None = None
        self._full = False
        self._buffer = memoryview(bytearray(RECEIVE))
        self._loop = asyncio.get_running_loop()
        self._farewell: TimerHandle | None = None
        self.greeted: Future[None] = self._loop.create_future()
        self.ended: Future[None] = self._loop.create_future()
        self.closed: Future[None] = self._loop.create_future()

    # ---- what the loop calls
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        if self.ended.done():
            self._transport.abort()
            return
        try:
            self._transport.write(self._session.connection_made(self._link.now()))
        except KvError as error:
            self.broken(error)

    def get_buffer(self, sizehint: int) -> memoryview:
        room = self._session.room
        if len(self._buffer) != room:
            self._buffer = memoryview(bytearray(room))
        return self._buffer

    def buffer_updated(self, count: int) -> None:
        if not self.ended.done():
            self._received(bytes(self._buffer[:count]))

    def _received(self, data: bytes) -> None:
        session, link = self._session, self._link
        try:
            told = session.receive_data(data, link.now())
        except KvError as error:
            self.broken(error)
            return
        except Exception as crash:
            link.on_crash(crash)
            return
        if not self.greeted.done():
            if session.ready:
                self.greeted.set_result(None)
        elif session.draining and session.drained:
            self.broken(ConnectionLost("the server is going away"))
        link.make_way()
        if told or link.calls.outgoing:
            link.flush_behind()

    def eof_received(self) -> None:
        what = "the server closed the connection"
        if not self.greeted.done():
            what += " before it answered HELLO"
        self.broken(ConnectionLost(what))

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.eof_received()
        else:
            self.broken(exc)
        if self._farewell is not None:
            self._farewell.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self.flush()

    # ---- what the link calls
    def flush(self) -> None:
        """Send all that is outgoing, unless the socket is behind."""
        if self._transport is not None and not self._full:
            data = self._link.calls.data_to_send()
            if data:
                self._transport.write(data)

    def broken(self, error: Exception) -> None:
        """The connection has ended by *error*."""
        if self.ended.done():
            return
        self.ended.set_result(None)
        if not self.greeted.done():
            self.greeted.set_exception(error)
        else:
            self._link.detach(error)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection; what the socket does not take in a moment is dropped."""
        if not self.ended.done():
            self.ended.set_result(None)
        if not self.greeted.done():
            self.greeted.cancel()
        elif not self.greeted.cancelled():
            self.greeted.exception()  # nobody else may be there to look at it
        if self._transport is None:
            if not self.closed.done():
                self.closed.set_result(None)
            return
        self._transport.close()
        if self._farewell is None and not self.closed.done():
            self._farewell = self._loop.call_later(FAREWELL_S, self._leave)

    def _leave(self) -> None:
        """The farewell is over. uvloop tells no end to who was cancelled while it connected."""
        if self._transport is not None:
            self._transport.abort()
        if not self.closed.done():
            self.closed.set_result(None)
