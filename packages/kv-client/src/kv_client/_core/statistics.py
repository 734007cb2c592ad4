"""Figures about a client as it is."""

from attrs import frozen

from kv_client._core.session import Session

__all__ = ["Statistics", "statistics"]


@frozen
class Statistics:
    """What `Client.statistics()` tells. Counters run since the client was made."""

    connected: bool
    place: str
    """The server's address."""
    server: str
    """Its name and version; empty before the first connection."""
    session: int
    """The session's public number; 0 before the first connection."""
    connections: int
    """How many connections there have been, this one included."""
    open_calls: int
    waiting_calls: int
    """Of those, the ones that wait at the server: for locks, or as watches."""
    unsent_calls: int
    held_locks: int
    sent: int
    answered: int
    repeated: int
    """Calls that were sent once more on a new connection."""
    late: int
    """Replies to calls whose caller had left."""


def statistics(session: Session) -> Statistics:
    """Return the figures of *session*."""
    calls, greeting = session.calls, session.welcome
    return Statistics(
        connected=session.ready,
        place=session.place,
        server=greeting.server if greeting is not None else "",
        session=greeting.session_id if greeting is not None else 0,
        connections=session.connections,
        open_calls=len(calls.open),
        waiting_calls=calls.waiting,
        unsent_calls=len(calls.outgoing),
        held_locks=len(session.leases),
        sent=calls.sent,
        answered=session.answered,
        repeated=session.repeated,
        late=calls.late.count,
    )
