"""The client: opened and closed by `async with`, its background tasks inside, the caller's own exceptions left as they
are.

The background runs in a nursery, shielded, so that a block that is being cancelled can still release its locks. The
block itself runs in a scope of its own: a crash of the background cancels it, and nothing else of the nursery ever
touches what the block raises.
"""

from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

import trio
from trio.lowlevel import checkpoint

from kv_client._asleep import Leaping
from kv_client._async.keyspace import Keyspace
from kv_client._core.login import Secret
from kv_client._core.opening import opening
from kv_client._core.statistics import Statistics, statistics
from kv_client._trio.lifeline import Dial, Lifeline, dialler, secured
from kv_client._trio.link import Link
from kv_protocol.errors import ConnectionLost, InternalError

__all__ = ["Client", "connect"]


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
) -> "Client":
    """Return a client of the server at *url*, to be opened by `async with`. Nothing happens before that.

    *url* is `kv://host:port/namespace`, with `kvs://` for TLS, or `kv+unix:///path?namespace=name`. *name* is how
    operators see the client. *timeout* bounds each call that does not wait by its nature; trio's own deadlines hold
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
        address, session, security = opening(
            url, name=name, timeout=timeout, connect_timeout=connect_timeout,
            user=user, password=password, token=token, tls=tls,
        )  # fmt: skip
        super().__init__(Link(session, timeout, clock), address.namespace)
        dial = dial or dialler(address)
        self._lifeline = Lifeline(self._link, dial if security is None else secured(dial, security), connect_timeout)
        self._connect_timeout = connect_timeout
        self._nursery: Any = trio.open_nursery
        self._scope = trio.CancelScope()
        self._background = trio.CancelScope(shield=True)
        self._crash: BaseException | None = None
        self._entered = False

    def statistics(self) -> Statistics:
        """Return figures about the client as it is."""
        return statistics(self._link.session)

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a client is opened once: call connect() again")
        self._entered = True
        self._link.open()
        self._nursery = trio.open_nursery()
        nursery = await self._nursery.__aenter__()
        self._scope.__enter__()
        nursery.start_soon(self._run, name="kv client")
        try:
            with trio.move_on_after(self._connect_timeout):
                await self._lifeline.opened.wait()
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
        if not self._lifeline.opened.is_set():
            self._lifeline.give_up()
            raise ConnectionLost(session.trouble)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()
        try:
            ours = self._scope.__exit__(kind, error, trace)
        finally:
            self._background.cancel()
            await self._nursery.__aexit__(None, None, None)
        if self._crash is not None:
            if error is None or ours:
                raise self._crash
            if error is not self._crash:
                error.add_note(f"and the client's background had crashed: {self._crash!r}")
        if error is None:
            await checkpoint()

    async def _run(self) -> None:
        """The background. Whatever it raises is kept for the end of the block, which is cancelled."""
        with self._background:
            try:
                await self._lifeline.run()
            except Exception as crash:
                self._crash = crash
                while isinstance(self._crash, BaseExceptionGroup) and len(self._crash.exceptions) == 1:
                    self._crash = self._crash.exceptions[0]
                self._lifeline.opened.set()
                self._link.close(InternalError(f"the client's background crashed: {self._crash!r}"))
                self._scope.cancel()
