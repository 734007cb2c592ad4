"""The client for threads: opened and closed by `with`. It has no thread of its own until something is held."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kv_client._asleep import Leaping
from kv_client._core.login import Secret
from kv_client._core.opening import opening
from kv_client._core.statistics import Statistics, statistics
from kv_client._sync.keyspace import Keyspace
from kv_client.sync._dialling import Dial, dialler
from kv_client.sync._leading import Leading
from kv_client.sync._link import Link

if TYPE_CHECKING:
    from ssl import SSLContext

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
) -> Client:
    """Return a client of the server at *url*, to be opened by `with`. Nothing happens before that.

    *url* is `kv://host:port/namespace`, with `kvs://` for TLS, or `kv+unix:///path?namespace=name`. *name* is how
    operators see the client. *timeout* bounds each call that does not wait by its nature. *connect_timeout* bounds each
    try to connect, and the opening. *user* and *password*, or a *token*, say who comes, also in the URL:
    `kv://user:password@host`; functions that return the secrets are asked for each connection. *tls* is the context to
    use instead of the one that trusts what the system trusts; clients may share one. *dial* makes the connected socket
    instead, for tunnels and tests. *clock* is that of a server under test, which leases follow where it leaps.
    """
    return Client(
        url, name=name, timeout=timeout, connect_timeout=connect_timeout,
        user=user, password=password, token=token, tls=tls, dial=dial, clock=clock,
    )  # fmt: skip


class Client(Keyspace):
    """One multiplexed connection to a server, for all threads of a process, and the commands of the namespace in its
    URL.
    """

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
        made: Callable[[float], Any] = dialler(address) if dial is None else lambda seconds: dial()
        if security is not None:
            from kv_client.sync._secured import secured  # who needs no TLS does not wait for it

            made = secured(made, security)
        leading = Leading(session, timeout, made, connect_timeout)
        super().__init__(Link(session, timeout, leading, clock), address.namespace)
        self._connect_timeout = connect_timeout
        self._entered = False

    def statistics(self) -> Statistics:
        """Return figures about the client as it is."""
        return statistics(self._link.session)

    def __enter__(self) -> Self:
        if self._entered:
            raise RuntimeError("a client is opened once: call connect() again")
        self._entered = True
        try:
            self._link.open(self._connect_timeout)
        except BaseException:
            self._link.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()
