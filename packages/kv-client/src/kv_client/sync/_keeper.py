"""The thread that renews what is held, and hears of what is lost, while nobody calls."""

from __future__ import annotations

from math import inf
from threading import Event, Thread, current_thread
from time import monotonic
from typing import Final

from kv_client._asleep import Asleep, Leaping
from kv_client.sync._leading import Leading
from kv_client.sync._waiting import Until

__all__ = ["Keeper"]

END_S: Final = 1.0


class Keeper:
    """Begins with the first lock or lease of a client, ends with the client."""

    def __init__(self, leading: Leading, clock: Leaping | None) -> None:
        self._leading = leading
        self._bell = Event()
        self._asleep = Asleep(clock)
        self._unwatch = clock.watch(self.ring) if clock is not None else None
        self._thread = Thread(target=self._run, name="kv client keeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """There is something to look at."""
        self._bell.set()

    def end(self) -> None:
        """The client is closed."""
        if self._unwatch is not None:
            self._unwatch()
        self.ring()
        if self._thread is not current_thread():
            self._thread.join(END_S)

    def _run(self) -> None:
        while self._leading.session.closed is None:
            self._bell.clear()
            delay = self._keep()
            self._bell.wait(None if delay == inf else max(0.0, delay))

    def _keep(self) -> float:
        """Do what is due; return when there is more, in seconds from now."""
        leading, leases = self._leading, self._leading.session.leases
        uncounted = self._asleep.uncounted()
        with leading.mutex:
            if uncounted:
                leases.skip(uncounted)
            leading.tick(monotonic(), reads=leading.leader is None)
            first_end = leases.next_wake(inf, renew=False)
        leading.wait(Until(self._kept, first_end))
        with leading.mutex:
            moment = leases.next_wake(leading.session.liveness.heard, renew=leading.session.ready)
        leading.tell()
        return moment - monotonic()

    def _kept(self) -> bool:
        """Whether nothing is to be read for what is held."""
        session = self._leading.session
        if session.closed is not None or not len(session.leases):
            return True
        return session.ready and not any(renewal.leases[0].renewing for renewal in session.leases.renewals)
