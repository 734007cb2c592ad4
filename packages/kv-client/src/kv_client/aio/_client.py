"""The client under asyncio: opened and closed by `async with`, one background task, the caller's own exceptions left as
they are.
"""

from __future__ import annotations

import asyncio
import random
import socket
from asyncio import CancelledError, Task
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Self

from kv_client._asleep import Leaping
from kv_client._async.keyspace import Keyspace
from kv_client._core.backoff import Backoff
from kv_client._core.login import Secret
from kv_client._core.opening import FINAL, not_connected, opening
from kv_client._core.statistics import Statistics, statistics
from kv_client.aio._link import Link
from kv_client.aio._pipe import Pipe
from kv_client.aio._waiting import Scope
from kv_protocol.errors import ConnectionLost, InternalError, KvError

__all__ = ["Client", "connect"]

Dial = Callable[[], Awaitable[socket.socket]]
"""Makes a connected, non-blocking socket."""


def connect(
    url: str = "kv://127.0.0.1:7440",
    *,
    name: str | None = None,
    timeout: float | None = 5.0,
    connect_timeout: float = 5.0,
    user: str | None = None,
    password: Secret | None = None,
    token: Secret | None = None,
    tls: SSLContext | None = None,
    dial: Dial | None = None,
    clock: Leaping | None = None,
) -> Client:
    """Return a client of the server at *url*, to be opened by `async with`. Nothing happens before that.

    *url* is `kv://host:port/namespace`, with `kvs://` for TLS, or `kv+unix:///path?namespace=name`. *name* is how
    operators see the client. *timeout* bounds each call that does not wait by its nature; `asyncio.timeout` holds
    besides. *connect_timeout* bounds each try to connect, and the opening. *user* and *password*, or a *token*, say who
    comes, also in the URL: `kv://user:password@host`; functions that return the secrets are asked for each connection.
    *tls* is the context to use instead of the one that trusts what the system trusts; clients may share one. *dial*
    makes the connected socket instead, for tunnels and tests. *clock* is that of a server under test, which leases
    follow where it leaps.
    """
    return Client(
        url, name=name, timeout=timeout, connect_timeout=connect_timeout,
        user=user, password=password, token=token, tls=tls, dial=dial, clock=clock,
    )  # fmt: skip


class Client(Keyspace):
    """One multiplexed connection to a server, and the commands of the namespace in its URL."""

    _link: Link

    def __init__(
        self,
        url: str,
        *,
        name: str | None,
        timeout: float | None,
        connect_timeout: float,
        user: str | None,
        password: Secret | None,
        token: Secret | None,
        tls: SSLContext | None,
        dial: Dial | None,
        clock: Leaping | None,
    ) -> None:
        self._address, session, self._security = opening(
            url, name=name, timeout=timeout, connect_timeout=connect_timeout,
            user=user, password=password, token=token, tls=tls,
        )  # fmt: skip
        super().__init__(Link(session, timeout, clock), self._address.namespace)
        self._dial = dial
        self._connect_timeout = connect_timeout
        self._silence = f"no answer within {connect_timeout:g} s"
        self._backoff = Backoff(random.Random())
        self._opened = asyncio.Event()
        self._scope = Scope()
        self._crash: BaseException | None = None
        self._background: Task[None] | None = None
        self._pipe: Pipe | None = None
        self._link.on_crash = self._crashed

    def statistics(self) -> Statistics:
        """Return figures about the client as it is."""
        return statistics(self._link.session)

    # ---- the block
    async def __aenter__(self) -> Self:
        if self._background is not None:
            raise RuntimeError("a client is opened once: call connect() again")
        self._link.open()
        self._scope.__enter__()
        self._background = asyncio.create_task(self._run(), name="kv client")
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._connect_timeout):
                    await self._opened.wait()
            self._check_opened()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    def _check_opened(self) -> None:
        session = self._link.session
        if self._crash is not None:
            raise self._crash
        if session.closed is not None:
            raise session.closed
        if not self._opened.is_set():
            if self._backoff.tries == 1:
                self._failed(self._silence)
            raise ConnectionLost(session.trouble)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()
        ours = self._scope.__exit__(kind, error, trace)
        assert self._background is not None
        self._background.cancel()
        await _finished(self._background)
        if self._pipe is not None:
            self._pipe.close()
            await _finished(self._pipe.closed)
        if self._crash is not None:
            if error is None or ours:
                raise self._crash
            if error is not self._crash:
                error.add_note(f"and the client's background had crashed: {self._crash!r}")

    # ---- the background
    async def _run(self) -> None:
        """Keep the link connected."""
        try:
            while self._link.session.closed is None:
                await asyncio.sleep(self._backoff.next_delay())
                pipe = await self._connect()
                if pipe is not None:
                    await self._serve(pipe)
        except Exception as crash:
            self._crashed(crash)

    def _crashed(self, crash: Exception) -> None:
        """*crash* is kept for the end of the block, which is cancelled."""
        if self._crash is None:
            self._crash = crash
            self._opened.set()
            self._link.close(InternalError(f"the client's background crashed: {crash!r}"))
            self._scope.cancel()

    async def _serve(self, pipe: Pipe) -> None:
        session = self._link.session
        answered = session.answered
        self._backoff.opened(self._link.now())
        if not pipe.ended.done():
            self._link.attach(pipe)
            self._opened.set()
            await asyncio.wait([pipe.ended])
        self._backoff.lost(self._link.now(), useful=session.answered > answered)

    async def _connect(self) -> Pipe | None:
        """One try; a greeted connection, or None."""
        pipe = self._pipe = Pipe(self._link)
        limit = asyncio.timeout(self._connect_timeout)
        try:
            async with limit:
                await self._open(pipe)
                await pipe.greeted
        except BaseException as error:
            pipe.close()
            if isinstance(error, FINAL):
                self._link.close(error)
                self._opened.set()
            elif isinstance(error, OSError | KvError):
                self._failed(self._silence if limit.expired() else error)
            else:
                raise
            return None
        return pipe

    def _failed(self, trouble: object) -> None:
        tries = self._backoff.tries
        self._link.session.connection_lost(not_connected(tries, trouble))

    async def _open(self, pipe: Pipe) -> None:
        """Connect *pipe*. Names are looked up anew each time."""
        loop, address = asyncio.get_running_loop(), self._address
        context, host = self._security or (None, None)
        if self._dial is not None:
            connection = await self._dial()
            await loop.create_connection(lambda: pipe, sock=connection, ssl=context, server_hostname=host)
        elif address.path:
            await loop.create_unix_connection(lambda: pipe, address.path)
        else:
            await loop.create_connection(lambda: pipe, address.host, address.port, ssl=context, server_hostname=host)


async def _finished(future: asyncio.Future[None]) -> None:
    """Wait for the end of *future*, which is near, even if cancelled."""
    cancelled: CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
