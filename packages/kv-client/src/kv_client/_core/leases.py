"""The arithmetic of held locks: until when each is safe, when it is to be renewed, when it is lost.

A lease is counted from before the request that brought it was sent, less a margin, so that the client's end comes
before the server's. Locks of one namespace and one lease are renewed together, at a third of the lease, in one EXTEND.
"""

from collections.abc import Iterable
from math import inf
from typing import Final, Literal

from kv_client._core.call import SENT, WRITE, Call, Wire
from kv_protocol.names import wire

__all__ = ["Lease", "LeaseBook", "Reason", "Renewal", "explain", "margin"]

Reason = Literal["expired", "broken", "time", "restart", "max_hold", "unheld"]

_REASONS: Final[dict[str, str]] = {
    "expired": "its lease ended at the server",
    "broken": "it was broken by an operator",
    "time": "its lease ended before a renewal was confirmed",
    "restart": "the server was restarted and may have forgotten it",
    "max_hold": "it was held for as long as max_hold allows",
    "unheld": "the server no longer knows it under this token",
}

PATIENCE_S: Final = 5.0  # a renewal unanswered for so long, in silence, means a dead connection


def margin(ttl: float) -> float:
    """How much earlier than the server a client ends a lease of *ttl* seconds: clocks do not run alike."""
    return min(0.25, ttl / 10)


def explain(reason: str, trouble: str = "") -> str:
    """The sentence for a *reason* of a loss, with the *trouble* that the last renewal had."""
    sentence = _REASONS.get(reason, reason)
    return f"{sentence} (the last one: {trouble})" if trouble and reason == "time" else sentence


class Lease:
    """A lock that is held here. *until* is the last moment at which it is known to be held.

    A face derives from it: `ended` is called once when the lock is lost, `extended` whenever *until* has moved.
    """

    __slots__ = ("hold_until", "lost", "name", "namespace", "renew_at", "renewing", "token", "trouble", "ttl", "until")

    def __init__(
        self,
        namespace: str,
        name: str,
        token: int,
        *,
        ttl: float,
        since: float,
        renew: bool = True,
        hold_until: float = inf,
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.token = token
        self.ttl = ttl
        self.hold_until = hold_until
        self.until = min(since + ttl - margin(ttl), hold_until)
        self.renew_at = since + ttl / 3 if renew else inf
        self.renewing = False
        self.lost: str | None = None
        self.trouble = ""

    @property
    def place(self) -> tuple[str, str, int]:
        return self.namespace, self.name, self.token

    def lapsed(self, now: float) -> str | None:
        """Why the lock is not held at *now*, None if it is."""
        if self.lost is None and now >= self.until:
            return "max_hold" if self.until == self.hold_until else "time"
        return self.lost

    def renewed(self, since: float, lease: float) -> None:
        """A renewal sent at *since* was granted *lease* seconds. What was known before stays true."""
        self.until = max(self.until, min(since + lease - margin(self.ttl), self.hold_until))
        self.renew_at = since + self.ttl / 3 if self.until < self.hold_until else inf
        self.extended()

    def lose(self, reason: str) -> None:
        """The lock is not held any more; only the first reason counts."""
        if self.lost is None:
            self.lost = reason
            self.ended()

    def ended(self) -> None:
        """Act on the loss."""

    def extended(self) -> None:
        """Act on the new *until*."""


class Renewal(Call):
    """One EXTEND for some locks of a namespace."""

    __slots__ = ("leases", "patience", "since")

    def __init__(self, leases: list[Lease], namespace: Wire | None, now: float) -> None:
        ttl = leases[0].ttl
        words: list[object] = [round(ttl * 1000)]
        for lease in leases:
            words.append((wire(lease.name), lease.token))
            lease.renewing = True
        end = max(lease.until for lease in leases)
        super().__init__("EXTEND", tuple(words), None, WRITE, namespace=namespace, deadline=end, latest=end)
        self.leases = leases
        self.since = now
        self.patience = min(PATIENCE_S, ttl / 3)

    def wake(self) -> None:
        """Apply the answers; without any the locks are asked about again soon."""
        answers = self.body if self.error is None and type(self.body) is list else []
        for lease in self.leases:
            lease.renewing = False
            lease.renew_at = self.since + lease.ttl / 9
            lease.trouble = str(self.error or "")
        for lease, remaining in zip(self.leases, answers, strict=False):
            if remaining is None:
                lease.lose("unheld")
            elif type(remaining) is int:
                lease.renewed(self.since, remaining / 1000)

    def overdue(self, heard: float) -> float:
        """When an answer has to be here, if the server was last heard at *heard*; never, if that was since."""
        return self.since + self.patience if self.state == SENT and heard <= self.since else inf


class LeaseBook:
    """All locks that a client holds."""

    __slots__ = ("_leases", "renewals")

    def __init__(self) -> None:
        self._leases: dict[tuple[str, str, int], Lease] = {}
        self.renewals: list[Renewal] = []

    def __len__(self) -> int:
        return len(self._leases)

    def enter(self, lease: Lease) -> None:
        """Watch over *lease* from now on."""
        self._leases[lease.place] = lease

    def leave(self, lease: Lease) -> None:
        """Watch over *lease* no more."""
        self._leases.pop(lease.place, None)

    def pushed(self, namespace: str, name: str, token: int, reason: str) -> None:
        """The server says that a lock is gone."""
        lease = self._leases.get((namespace, name, token))
        if lease is not None:
            lease.lose(reason)

    def restarted(self) -> None:
        """The server is not the one that granted the locks."""
        for lease in list(self._leases.values()):
            lease.lose("restart")

    def reconnected(self, now: float) -> None:
        """Ask about every lock at once: what was pushed meanwhile has not come."""
        for lease in self._leases.values():
            if lease.renew_at != inf:
                lease.renew_at = now

    def skip(self, seconds: float) -> None:
        """The computer was suspended for *seconds* that the client's clock did not count."""
        for lease in self._leases.values():
            lease.until -= seconds
            lease.extended()

    def ends(self) -> frozenset[float]:
        """The moments at which leases end: deadlines that move on when the leases do."""
        return frozenset(lease.until for lease in self._leases.values())

    def expire(self, now: float) -> None:
        """Lose the locks whose time is over."""
        for lease in list(self._leases.values()):
            reason = lease.lapsed(now)
            if reason is not None:
                lease.lose(reason)

    def due(self, now: float, own_namespace: str) -> list[Renewal]:
        """The renewals to send at *now*: with each lock that is due go the others of its namespace and lease."""
        self.renewals = [renewal for renewal in self.renewals if renewal.leases[0].renewing]
        groups: dict[tuple[str, float], list[Lease]] = {}
        for lease in self._renewable():
            groups.setdefault((lease.namespace, lease.ttl), []).append(lease)
        made = [
            Renewal(leases, None if namespace == own_namespace else wire(namespace), now)
            for (namespace, _), leases in groups.items()
            if min(lease.renew_at for lease in leases) <= now
        ]
        self.renewals += made
        return made

    def next_wake(self, heard: float, *, renew: bool) -> float:
        """When `expire` has something to do, or, on a connection that can *renew*, `due` or `overdue`."""
        times = [lease.until for lease in self._leases.values() if lease.lost is None]
        if renew:
            times += [lease.renew_at for lease in self._renewable()]
            times += [renewal.overdue(heard) for renewal in self.renewals]
        return min(times, default=inf)

    def overdue(self, now: float, heard: float) -> bool:
        """Whether silence after a renewal says that the connection is dead."""
        return any(renewal.overdue(heard) <= now for renewal in self.renewals)

    def _renewable(self) -> Iterable[Lease]:
        return (
            lease
            for lease in self._leases.values()
            if lease.lost is None and not lease.renewing and lease.renew_at != inf
        )
