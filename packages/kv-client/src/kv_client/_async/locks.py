"""Locks: held for a block of code, renewed in the background, and never believed to be held when they are not.

The block runs in a cancel scope whose deadline is the end of the lease as far as it is confirmed; every renewal moves
it on. So the block is cancelled at its first checkpoint after the lease has ended, whatever delayed the news of it.
"""

from collections.abc import Callable
from datetime import timedelta
from math import inf
from types import TracebackType
from typing import Literal

from kv_client._async.link import Link, Posted, Scope
from kv_client._convert import duration_ms
from kv_client._core.call import DONE, TAKES, WAITS, WRITE, Wire
from kv_client._core.leases import Lease, explain
from kv_protocol.errors import ConnectionLost, InvalidArgument, LockLost, ProtocolError
from kv_protocol.names import wire
from kv_protocol.types import Fence, Grant

__all__ = ["Held", "Lock", "OnLost"]

RELEASE_S = 1.0


class Held:
    """A lock as its holder sees it. Pass it as `fence=` to writes that must not happen once it is lost, and as `lease=`
    to those whose keys are to be gone then.
    """

    def __init__(self, link: Link, lease: "ScopedLease") -> None:
        self._link = link
        self._lease = lease

    @property
    def name(self) -> str:
        return self._lease.name

    @property
    def lock(self) -> str:
        return self._lease.name

    @property
    def token(self) -> int:
        """The fencing token: greater than that of every holder before."""
        return self._lease.token

    @property
    def fence(self) -> Fence:
        """The proof alone, for another process to write under this lock."""
        return Fence(self.name, self.token)

    @property
    def lost(self) -> bool:
        """Whether the lock is not known to be held any more."""
        return self._lease.lapsed(self._link.now()) is not None

    def remaining(self) -> float:
        """Seconds for which the lock is safely held, if no renewal comes."""
        return 0.0 if self.lost else self._lease.until - self._link.now()

    def __repr__(self) -> str:
        return f"<Held {self.name!r} token {self.token}{' lost' if self.lost else ''}>"


OnLost = Literal["cancel", "ignore"] | Callable[[Held], None]


class ScopedLease(Lease):
    """A lease that ends a block of code, or tells somebody."""

    __slots__ = ("scope", "tell")

    scope: Scope | None
    tell: Callable[[], None]

    def ended(self) -> None:
        if self.scope is not None:
            self.scope.cancel()
        self.tell()

    def extended(self) -> None:
        if self.scope is not None:
            self.scope.deadline = self.until


class Lock:
    """What `client.lock(...)` returns: `async with` takes the lock, or raises; its block holds it."""

    def __init__(
        self,
        link: Link,
        namespace: str,
        name: str,
        ttl: float | timedelta,
        *,
        most: int,
        reentrant: bool = False,
        wait: float | timedelta | None,
        on_lost: OnLost,
        max_hold: float | timedelta | None,
        renew: bool,
    ) -> None:
        self._link = link
        self._namespace = namespace
        self._wire_namespace: Wire | None = None if namespace == link.session.namespace else wire(namespace)
        self._name = name
        self._wire_name = wire(name)
        self._ttl_ms = duration_ms(ttl)
        self._asked: dict[str, object] = {"ttl": self._ttl_ms}
        if most != 1:
            self._asked |= {"limit": most} if most else {"shared": True}
        self._wait_ms = None if wait is None else duration_ms(wait)
        self._max_hold = inf if max_hold is None else duration_ms(max_hold) / 1000
        self._renew = renew
        self._reentrant = reentrant
        self._on_lost = on_lost
        self._scope = link.scope()
        self._lease: ScopedLease | None = None
        self._owner: object = None
        self._callback_error: Exception | None = None
        if not self._ttl_ms:
            raise InvalidArgument("ttl: a lease must be longer than nothing")
        if not (on_lost in ("cancel", "ignore") or callable(on_lost)):
            raise InvalidArgument(f"on_lost: 'cancel', 'ignore' or a function, not {on_lost!r}")

    async def __aenter__(self) -> Held:
        link = self._link
        link.check_run()
        if self._owner is not None:
            raise RuntimeError("a lock object is used once: call client.lock(...) again")
        owner = link.owner()
        holder = owner, self._namespace, self._name
        if holder in link.lock_holders and not self._reentrant:
            raise RuntimeError(f"this task holds the lock {self._name!r} already; locks are not reentrant")
        self._owner = owner
        grant, since = await self._acquire()
        now = link.now()
        lease = ScopedLease(
            self._namespace,
            self._name,
            grant.token,
            ttl=self._ttl_ms / 1000,
            since=since,
            renew=self._renew,
            hold_until=now + self._max_hold,
        )
        held = Held(link, lease)
        lease.scope = self._scope if self._on_lost == "cancel" else None
        lease.tell = lambda: link.tell(self._tell, held)
        lease.extended()
        self._lease = lease
        link.lock_holders.add(holder)
        link.hold(lease)
        self._scope.__enter__()
        return held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        link, lease = self._link, self._lease
        assert lease is not None
        reason = lease.lapsed(link.now())
        link.let_go(lease)
        link.lock_holders.discard((self._owner, self._namespace, self._name))
        try:
            ours = self._scope.__exit__(kind, error, trace)
        finally:
            reason = await self._release(reason) or reason
        if reason is not None and self._on_lost == "cancel" and (error is None or ours):
            facts = {"lock": self._name, "token": lease.token, "reason": reason}
            raise LockLost(f"the lock {self._name!r} was lost: {explain(reason, lease.trouble)}", facts) from None
        if self._callback_error is not None and error is None:
            raise self._callback_error

    # ---- taking
    async def _acquire(self) -> tuple[Grant, float]:
        """Return the grant and the moment its lease counts from. A lease that was long under way is confirmed first."""
        link = self._link
        end = inf if self._wait_ms is None else link.now() + self._wait_ms / 1000
        while True:
            since = link.now()
            try:
                grant = await self._ask(max(0.0, end - since), since)
            except ConnectionLost as error:
                if error.maybe_applied and link.now() < end:
                    continue  # a grant nobody heard of ends with its lease; our turn comes after it
                raise
            if link.now() - since <= self._ttl_ms / 3000:
                return grant, since
            since = link.now()
            if await self._confirm(grant.token):
                return grant, since

    async def _ask(self, wait: float, now: float) -> Grant:
        options = self._asked.copy()
        kind, limit = TAKES | WAITS, inf
        if wait != inf:
            options["wait"] = duration_ms(wait)
            kind, limit = TAKES | WAITS if wait else TAKES, now + wait + self._link.timeout
        lock, namespace = (self._wire_name,), self._wire_namespace
        reply = await self._link.call("LOCK", lock, options, kind, namespace=namespace, limit=limit)
        try:
            token, lease = reply
            return Grant(token, lease)
        except (TypeError, ValueError):
            raise ProtocolError("LOCK: an answer of another form") from None

    async def _confirm(self, token: int) -> bool:
        """Have the lease begin anew; False if it has ended. Whatever goes wrong, the lock is given back."""
        words = self._ttl_ms, (self._wire_name, token)
        try:
            left = await self._link.call("EXTEND", words, None, WRITE, namespace=self._wire_namespace)
        except BaseException:
            self._give_back(token)
            raise
        return bool(left) and left[0] is not None

    # ---- giving back
    def _give_back(self, token: int) -> Posted:
        link = self._link
        end = link.now() + self._ttl_ms / 1000
        call = Posted(
            "UNLOCK", (self._wire_name, token), None, WRITE, namespace=self._wire_namespace, deadline=end, latest=end
        )
        call.waiter = link.waiter()
        if link.session.closed is None:
            link.post(call)
        else:
            call.state = DONE
        return call

    async def _release(self, lost: str | None) -> str | None:
        """Give the lock back unless it is known to be gone; a reason if it turns out to have been gone."""
        assert self._lease is not None
        if lost is not None and lost not in ("time", "max_hold"):
            return None
        call = self._give_back(self._lease.token)
        if lost != "time":
            await self._link.see(call, self._link.now() + RELEASE_S)
        return "unheld" if isinstance(call.error, LockLost) and lost is None else None

    def _tell(self, held: Held) -> None:
        if callable(self._on_lost):
            try:
                self._on_lost(held)
            except Exception as error:
                self._callback_error = error
