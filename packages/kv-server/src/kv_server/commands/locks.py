"""Locks: held alone or with others, leased, granted in the order of asking, fenced by a token that only grows.

They live beside the keys of a namespace, not among them. The token is the revision of the grant; a write that carries
it as its fence is refused once the lock is no longer held under it.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, LockHeld, LockLost
from kv_protocol.limits import MAX_LEASE_MS
from kv_protocol.names import text
from kv_protocol.types import Grant, LeaseInfo, LockInfo
from kv_server.engine.rows import BROKEN, LOCKS, RELEASED
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, BLOCKS, FAST, READ, TAKES, WRITE
from kv_server.spec.types import Client, Count, Duration, LockName, Timeout, Token, Token64

DEFAULT_LEASE_MS: Final = 15_000
_WAITS: Final = "waits"  # what a call that was tried before keeps


class NamedLease(NamedTuple):
    """A lock and the token it is held under."""

    lock: LockName
    token: Token64


AS_FENCE: Final = Client("Fencing", "(_name({x}.lock), {x}.token)")
"""Callers give what they can fence a write with: the lock as they hold it."""


@command(
    WRITE | BLOCKS | TAKES | FAST, group="lock", since="0.1", cost="O(1)", method="acquire_lock",
    exclusive=(("shared", "limit"),),
)  # fmt: skip
def lock(
    tx: Tx,
    name: LockName,
    /,
    *,
    ttl: Annotated[Duration, Token("EX", 1000), Token("PX")] = DEFAULT_LEASE_MS,
    wait: Annotated[Timeout | None, Token("WAIT")] = None,
    shared: bool = False,
    limit: Count = 1,
) -> Grant:
    """Take the lock *name* for *ttl* from now, and return its token and lease.

    It is held alone; *shared*, together with any number of others; with a *limit*, as a semaphore, by so many at once.
    One rule holds for all: there are never more holders than each of them allows. Whoever cannot have it waits in the
    order of asking, whatever is asked for, at most *wait*; 0 tries once, without *wait* there is no bound but the
    call's own end.
    """
    check_lease(ttl)
    most = 0 if shared else limit
    held = tx.lock(name)
    waiters = tx.waiting_for(LOCKS, name)
    first = tx.turn is not None or (tx.kept is None and not waiters)
    if held is None or (first and held.admits(most)):
        if held is not None and tx.revision in held:
            raise InvalidArgument("a block takes a lock once")
        session = tx.session
        assert session is not None
        tx.lock_grant(name, tx.revision, session.id, session.owner, ttl, most)
        return Grant(tx.revision, ttl)
    hold = next(iter(held.values()))
    facts = {"owner": hold.owner, "remaining": max(0, hold.until_ms - tx.elapsed_ms), "waiters": waiters}
    refusal = LockHeld(f"the lock is held by {hold.owner!r}", facts)
    if wait == 0:
        raise refusal
    raise WouldBlock(LOCKS, [name], wait, refusal, kept=_WAITS)


@command(WRITE | FAST, group="lock", since="0.1", cost="O(keys bound to it)", method="release_lock")
def unlock(tx: Tx, name: LockName, token: Token64, /) -> None:
    """Give the lock *name* back; fails if it is not held under *token*. The keys that are bound to it are deleted."""
    if tx.hold(name, token) is None:
        raise LockLost("the lock is not held under this token")
    tx.lock_end(name, token, RELEASED)


@command(WRITE | FAST, group="lock", since="0.1", cost="O(locks)", method="extend_locks")
def extend(tx: Tx, ttl: Duration, /, *leases: NamedLease) -> list[Duration | None]:
    """Let the leases of locks end *ttl* from now; return for each the lease it has then.

    It is nothing where the lock is not held under its token. A lease is never made shorter.
    """
    check_lease(ttl)
    answers: list[int | None] = []
    for name, token in leases:
        hold = tx.hold(name, token)
        if hold is None:
            answers.append(None)
            continue
        if tx.elapsed_ms + ttl > hold.until_ms:
            tx.lock_extend(name, token, ttl)
        answers.append(hold.until_ms - tx.elapsed_ms)
    return answers


@command(READ, group="lock", since="0.1", cost="O(locks)")
def locks(tx: Tx, /) -> list[LockInfo]:
    """Return every hold of every lock in the namespace, with its holder, its lease and the calls that wait for it."""
    return [
        LockInfo(
            text(name), hold.token, hold.owner, hold.session, tx.elapsed_ms - hold.granted_ms,
            hold.until_ms - tx.elapsed_ms, hold.renewals, tx.waiting_for(LOCKS, name), hold.most or None,
        )
        for name, hold in tx.holds()
    ]  # fmt: skip


@command(READ, group="lock", since="0.1", cost="O(locks + keys bound to them)")
def leases(tx: Tx, /) -> list[LeaseInfo]:
    """Return every hold of a lock that keys are bound to, with these keys."""
    found = [(name, hold, tx.bound(hold)) for name, hold in tx.holds() if hold.keys]
    return [
        LeaseInfo(text(name), hold.token, hold.owner, hold.until_ms - tx.elapsed_ms, [text(key) for key in keys])
        for name, hold, keys in found
        if keys
    ]


@command(WRITE | ADMIN, group="lock", since="0.1", cost="O(holders)", name="BREAK", method="break_lock")
def break_(tx: Tx, name: LockName, /, *, token: Token64 | None = None) -> bool:
    """Take the lock *name* from whoever holds it, or from the holder under *token* alone, who is told.

    The keys that are bound to it are deleted. False if nobody holds it so.
    """
    tokens = [each for each in tx.lock(name) or () if token in (None, each)]
    for each in tokens:
        tx.lock_end(name, each, BROKEN)
    return bool(tokens)


def check_lease(ttl: int) -> None:
    if ttl > MAX_LEASE_MS:
        raise InvalidArgument(f"ttl: a lease lasts at most {MAX_LEASE_MS // 3_600_000} hours; it can be extended")
