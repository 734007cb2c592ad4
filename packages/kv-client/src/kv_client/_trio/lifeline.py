"""How connections come to be: dialling, HELLO, backoff, and the tasks that live as long as one connection."""

import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from kv_client._core.address import Address
from kv_client._core.backoff import Backoff
from kv_client._core.opening import FINAL, not_connected
from kv_client._core.security import Security
from kv_client._core.session import RECEIVE, Session
from kv_client._trio.link import Link
from kv_protocol.errors import KvError
from kv_protocol.tls import TlsSocket, Wire

__all__ = ["Dial", "Lifeline", "dialler", "secured"]

Dial = Callable[[], Awaitable[socket.socket]]
"""Makes a connected, non-blocking socket."""


def dialler(address: Address) -> Dial:
    """Return what connects to *address*. Names are looked up anew each time."""

    async def dial() -> socket.socket:
        if address.path:
            stream = await trio.open_unix_socket(address.path)
        else:
            stream = await trio.open_tcp_stream(address.host, address.port)
        connection = socket.socket(fileno=stream.socket.detach())
        connection.setblocking(False)
        if not address.path:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    return dial


def secured(dial: Dial, security: Security) -> Callable[[], Awaitable[Wire]]:
    """*dial*, and the handshake."""

    async def dial_and_shake() -> Wire:
        connection = await dial()
        try:
            tls = TlsSocket(connection, security.context, name=security.host)
            tls.shake()
            while not tls.shaken:
                await trio.lowlevel.wait_readable(connection)
                with suppress(BlockingIOError):
                    if not tls.recv(RECEIVE):
                        raise ConnectionError("the server closed the connection before TLS was agreed on")
        except BaseException:
            connection.close()
            raise
        return tls

    return dial_and_shake


class Lifeline:
    """Keeps one link connected until it is cancelled, or the server says that there is no point in trying."""

    def __init__(self, link: Link, dial: Callable[[], Awaitable[Wire]], connect_timeout: float) -> None:
        self.opened = trio.Event()
        self._link = link
        self._session: Session = link.session
        self._dial = dial
        self._connect_timeout = connect_timeout
        self._silence = f"no answer within {connect_timeout:g} s"
        self._backoff = Backoff(random.Random())

    async def run(self) -> None:
        """The background of a client."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._link.keep_time)
            while self._session.closed is None:
                await trio.sleep(self._backoff.next_delay())
                connection = await self._connect()
                if connection is not None:
                    answered = self._session.answered
                    await self._serve(connection)
                    self._backoff.lost(trio.current_time(), useful=self._session.answered > answered)
            nursery.cancel_scope.cancel()

    async def _connect(self) -> Wire | None:
        """One try; a greeted connection, or None."""
        trouble: BaseException
        try:
            with trio.fail_after(self._connect_timeout):
                connection = await self._dial()
                try:
                    await self._greet(connection)
                except BaseException:
                    connection.close()
                    raise
            return connection
        except trio.TooSlowError:
            trouble = TimeoutError(self._silence)
        except OSError as error:
            trouble = _innermost(error)
        except KvError as error:
            if isinstance(error, FINAL):
                self._link.close(error)
                self.opened.set()
                return None
            trouble = error
        self._failed(trouble)
        return None

    def give_up(self) -> None:
        """Whoever opens the client waits no longer, even if the first try is still under way."""
        if self._backoff.tries == 1:
            self._failed(self._silence)

    def _failed(self, trouble: object) -> None:
        tries = self._backoff.tries
        self._session.connection_lost(not_connected(tries, trouble))

    async def _greet(self, connection: Wire) -> None:
        connection.send(self._session.connection_made(trio.current_time()))  # on a new connection it fits
        while not self._session.ready:
            await trio.lowlevel.wait_readable(connection)
            with suppress(BlockingIOError):
                data = connection.recv(RECEIVE)
                if not data:
                    raise ConnectionError("the server closed the connection before it answered HELLO")
                self._session.receive_data(data, trio.current_time())

    async def _serve(self, connection: Wire) -> None:
        """Run the tasks of *connection* until it has ended."""
        self._backoff.opened(trio.current_time())
        pump = self._link.pump
        async with trio.open_nursery() as nursery:
            pump.attach(connection, nursery.cancel_scope.cancel)
            self._link.poke_next()
            self.opened.set()
            nursery.start_soon(pump.read)
            nursery.start_soon(pump.write)


def _innermost(error: OSError) -> BaseException:
    """The reason behind trio's summary of several addresses that were tried."""
    cause: BaseException = error.__cause__ or error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[-1]
    return cause
