"""Locks: exclusive, leased, granted in the order of asking, fenced by a token that only grows.

They live beside the keys of a namespace, not among them. The token is the revision of the grant; a write that carries
it as its fence is refused once the lock is no longer held under it.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, LockHeld, LockLost
from kv_protocol.limits import MAX_LEASE_MS
from kv_protocol.names import text
from kv_protocol.types import Grant, LockInfo
from kv_server.engine.rows import BROKEN, LOCKS, RELEASED
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, BLOCKS, FAST, READ, TAKES, WRITE
from kv_server.spec.types import Duration, LockName, Timeout, Token, Token64

DEFAULT_LEASE_MS: Final = 15_000


class NamedLease(NamedTuple):
    """A lock and the token it is held under."""

    lock: LockName
    token: Token64


@command(WRITE | BLOCKS | TAKES | FAST, group="lock", since="0.1", cost="O(1)", method="acquire_lock")
def lock(
    tx: Tx,
    name: LockName,
    /,
    *,
    ttl: Annotated[Duration, Token("EX", 1000), Token("PX")] = DEFAULT_LEASE_MS,
    wait: Annotated[Timeout | None, Token("WAIT")] = None,
) -> Grant:
    """Take the lock *name* for *ttl* from now, and return its token and lease.

    If somebody holds it the call waits its turn, at most *wait*; 0 tries once, without *wait* there is no bound but
    the call's own end.
    """
    check_lease(ttl)
    held = tx.lock(name)
    if held is None:
        session = tx.session
        assert session is not None
        tx.lock_grant(name, tx.revision, session.id, session.owner, ttl)
        return Grant(tx.revision, ttl)
    waiters = tx.waiting_for(LOCKS, name)
    facts = {"owner": held.owner, "remaining": held.until_ms - tx.elapsed_ms, "waiters": waiters}
    refusal = LockHeld(f"the lock is held by {held.owner!r}", facts)
    if wait == 0:
        raise refusal
    raise WouldBlock(LOCKS, [name], wait, refusal)


@command(WRITE | FAST, group="lock", since="0.1", cost="O(1)", method="release_lock")
def unlock(tx: Tx, name: LockName, token: Token64, /) -> None:
    """Give the lock *name* back; fails if it is not held under *token*."""
    held = tx.lock(name)
    if held is None or held.token != token:
        raise LockLost("the lock is not held under this token")
    tx.lock_drop(name, RELEASED)


@command(WRITE | FAST, group="lock", since="0.1", cost="O(locks)", method="extend_locks")
def extend(tx: Tx, ttl: Duration, /, *leases: NamedLease) -> list[Duration | None]:
    """Let the leases of locks end *ttl* from now; return for each the lease it has then.

    It is nothing where the lock is not held under its token. A lease is never made shorter.
    """
    check_lease(ttl)
    answers: list[int | None] = []
    for lease in leases:
        held = tx.lock(lease.lock)
        if held is None or held.token != lease.token:
            answers.append(None)
            continue
        if tx.elapsed_ms + ttl > held.until_ms:
            tx.lock_extend(lease.lock, ttl)
        answers.append(held.until_ms - tx.elapsed_ms)
    return answers


@command(READ, group="lock", since="0.1", cost="O(locks)")
def locks(tx: Tx, /) -> list[LockInfo]:
    """Return every lock that is held in the namespace, with its holder, its lease and the calls that wait for it."""
    return [
        LockInfo(
            text(name), held.token, held.owner, held.session, tx.elapsed_ms - held.granted_ms,
            held.until_ms - tx.elapsed_ms, held.renewals, tx.waiting_for(LOCKS, name),
        )
        for name, held in tx.locks()
    ]  # fmt: skip


@command(WRITE | ADMIN, group="lock", since="0.1", cost="O(1)", name="BREAK", method="break_lock")
def break_(tx: Tx, name: LockName, /) -> bool:
    """Take the lock *name* from whoever holds it, who is told; False if nobody does."""
    if tx.lock(name) is None:
        return False
    tx.lock_drop(name, BROKEN)
    return True


def check_lease(ttl: int) -> None:
    if ttl > MAX_LEASE_MS:
        raise InvalidArgument(f"ttl: a lease lasts at most {MAX_LEASE_MS // 3_600_000} hours; it can be extended")
