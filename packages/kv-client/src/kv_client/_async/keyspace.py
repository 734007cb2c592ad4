"""A namespace as its users see it: the commands, and what the client makes of them. All namespaces of a client share
its link.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from kv_client._async.batch import Batch
from kv_client._async.election import Election
from kv_client._async.handles import Handles
from kv_client._async.limiter import Limiter
from kv_client._async.link import Link
from kv_client._async.locks import Held, Lock, OnLost
from kv_client._async.once import once
from kv_client._async.transaction import Transaction
from kv_client._async.typed import Typed
from kv_client._async.update import update
from kv_client._async.walk import Walk
from kv_client._async.watch import Listener, Monitor, Watch
from kv_client._convert import duration_ms
from kv_client._core.call import Fencing, Wire
from kv_client._schema import Schema, Upgrade
from kv_protocol.errors import ConditionFailed, InvalidArgument
from kv_protocol.names import wire
from kv_protocol.values import Value

__all__ = ["Keyspace"]

T = TypeVar("T")


class Keyspace(Handles):
    """The commands of one namespace."""

    def __init__(self, link: Link, namespace: str) -> None:
        self._link = link
        self._namespace = namespace
        self._meta: Wire | None = None if namespace == link.session.namespace else wire(namespace)
        self._call = link.call  # type: ignore[method-assign]
        if self._meta is not None:
            self._call = partial(link.call, namespace=self._meta)  # type: ignore[method-assign]

    @property
    def namespace(self) -> str:
        """The namespace this view is of."""
        return self._namespace

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the server."""
        return self._link.session.ready

    @property
    def open_calls(self) -> int:
        """How many calls of the client have no answer yet. `statistics` tells more, and costs more."""
        return len(self._link.calls.open)

    def ns(self, namespace: str) -> "Keyspace":
        """Return a view of another namespace over the same connection. It costs nothing and needs no closing."""
        return Keyspace(self._link, namespace)

    def keys(self, match: str | None = None, *, type: str | None = None, count: int = 100) -> Walk[str]:
        """Walk over the keys that fit the glob *match* and hold that *type*: `async for`. *count* keys are a page.

        A key that is there from the beginning to the end of the walk is met once, whatever else comes and goes.

        >>> version = await client.mset({"user:1": "Ada", "user:2": "Bob", "other": None})
        >>> sorted([key async for key in client.keys("user:*")])
        ['user:1', 'user:2']
        """
        return Walk(lambda cursor: self.scan(cursor, match=match, type=type, count=count))

    async def add(
        self,
        key: str,
        value: Value,
        *,
        ttl: float | timedelta | None = None,
        lease: Fencing | None = None,
        fence: Fencing | None = None,
    ) -> bool:
        """Set *key* to *value* if there is nothing at *key*; False if there is."""
        try:
            await self.set(key, value, ttl=ttl, if_absent=True, lease=lease, fence=fence)
        except ConditionFailed:
            return False
        return True

    async def update(self, key: str, change: Callable[[Any], Any | Awaitable[Any]], *, attempts: int = 16) -> Any:
        """Replace the value at *key* by what *change* makes of it, and return that; nobody's write in between is lost.

        *change*, a plain or an async function, gets the value, or `MISSING`; it is called again if the value has
        changed meanwhile, so it should have no other effects. It may return `DELETE`, or `ABORT` to leave all as it
        is. The time to live stays. Raises `ConditionFailed` if others were faster *attempts* times.

        >>> version = await client.set("user:1", {"name": "Ada"})
        >>> await client.update("user:1", lambda user: {**user, "born": 1815})
        {'name': 'Ada', 'born': 1815}
        """
        return await update(self, key, change, attempts)

    def typed(self, kind: type[T], *, version: int = 1, upgrade: Upgrade | None = None) -> Typed[T]:
        """Return a view whose values are objects of *kind*: an attrs class, a dataclass, a `msgspec.Struct` or a
        pydantic model.

        A value is the map of the fields, and `$version`, which is *version*. When *kind* has changed so that older
        values do not fit, count *version* up: *upgrade* gets the fields of an older value and its version, and returns
        the fields of today. What does not fit raises `SchemaMismatch`.

        >>> @dataclass
        ... class User:
        ...     name: str
        ...     born: int = 0
        >>> users = client.typed(User)
        >>> version = await users.set("user:1", User("Ada", born=1815), ttl=3600)
        >>> await users.get("user:1")
        User(name='Ada', born=1815)
        >>> await client.get("user:1")
        {'$version': 1, 'name': 'Ada', 'born': 1815}
        """
        return Typed(self, Schema(kind, version, upgrade))

    def lock(
        self,
        name: str,
        ttl: float | timedelta = 15.0,
        *,
        wait: float | timedelta | None = None,
        on_lost: OnLost = "cancel",
        max_hold: float | timedelta | None = None,
        renew: bool = True,
        shared: bool = False,
    ) -> Lock:
        """Hold the lock *name* for the block of an `async with`, which gets the `Held` lock, or raises `LockHeld`.

        Those who wait get it in the order of asking; *wait* bounds the time, 0 tries once. The lease of *ttl* is
        renewed every third of it unless *renew* is false. If the lock is lost the block is cancelled and `LockLost`
        raised; with *on_lost* "ignore" the block runs on, and a function is called with the `Held` lock instead.
        *max_hold* is the longest time that the block may take. A *shared* lock is held by any number at once, but
        never together with one that is not.
        """
        most = 0 if shared else 1
        return Lock(
            self._link,
            self._namespace,
            name,
            ttl,
            most=most,
            wait=wait,
            on_lost=on_lost,
            max_hold=max_hold,
            renew=renew,
        )

    def semaphore(
        self,
        name: str,
        limit: int,
        ttl: float | timedelta = 15.0,
        *,
        wait: float | timedelta | None = None,
        on_lost: OnLost = "cancel",
        max_hold: float | timedelta | None = None,
        renew: bool = True,
    ) -> Lock:
        """Hold one of the *limit* places of the semaphore *name*; otherwise as `lock`, of which it is a kind.

        There are never more holders than each of them allows: where *limit* differs, the smaller one counts.
        """
        if type(limit) is not int or limit < 1:
            raise InvalidArgument("limit: at least 1")
        return Lock(
            self._link,
            self._namespace,
            name,
            ttl,
            most=limit,
            wait=wait,
            on_lost=on_lost,
            max_hold=max_hold,
            renew=renew,
        )

    @asynccontextmanager
    async def lock_all(
        self,
        *names: str,
        ttl: float | timedelta = 15.0,
        wait: float | timedelta | None = None,
        shared: bool = False,
    ) -> AsyncIterator[dict[str, Held]]:
        """Hold all the locks *names* for the block of an `async with`, which gets the `Held` locks by name, or none.

        They are taken in the order of their names, so that those who want some of the same never wait for each other;
        *wait* bounds the time for all together. If one is lost the block is cancelled, as with `lock`.

        >>> async with client.lock_all("account:2", "account:1", wait=5) as held:
        ...     version = await client.set("account:1", 90, fence=held["account:1"])
        """
        end = None if wait is None else self._link.now() + duration_ms(wait) / 1000
        async with AsyncExitStack() as stack:
            held = {}
            for name in sorted(set(names)):
                left = None if end is None else max(0.0, end - self._link.now())
                held[name] = await stack.enter_async_context(self.lock(name, ttl, wait=left, shared=shared))
            yield held

    def election(self, name: str, *, ttl: float | timedelta = 15.0) -> Election:
        """Return the election *name*: who holds that lock leads, and the key *name* tells who that is.

        >>> election = client.election("scheduler", ttl=10)
        >>> async with election.lead("10.0.0.7") as held:
        ...     version = await client.set("schedule", [1, 2], fence=held)
        ...     await election.leader()
        '10.0.0.7'
        """
        return Election(self, name, ttl)

    async def once(
        self,
        key: str,
        work: Callable[[], Any | Awaitable[Any]],
        *,
        ttl: float | timedelta | None = None,
        lease: float | timedelta = 15.0,
        wait: float | timedelta | None = None,
    ) -> Any:
        """Return the value at *key*; if there is none, run *work* and keep what that returns.

        *work* is a plain or an async function. Everybody who asks meanwhile, anywhere, waits for that result, at most
        *wait*. If *work* raises or its process dies, the next one in line runs its own. The result is kept for *ttl*,
        for ever if that is not given; the lock *key* is held by whoever is at work, with that *lease*.

        >>> [await client.once("report:2026", lambda: 6 * 7) for _ in range(2)]
        [42, 42]
        """
        return await once(self, key, work, ttl, lease, wait)

    def lease(
        self,
        ttl: float | timedelta = 15.0,
        *,
        name: str = "lease",
        on_lost: OnLost = "cancel",
        max_hold: float | timedelta | None = None,
        renew: bool = True,
    ) -> Lock:
        """Hold a lease for the block of an `async with`. Keys that are set with it are gone when it is: when the block
        ends, or *ttl* after this process was last heard of.

        However many keys there are, one renewal in every third of *ttl* keeps them all. A lease is a shared lock, whose
        *name* operators see; it is lost as locks are. Any lock that is held may stand for a lease.

        >>> async with client.lease() as lease:
        ...     version = await client.set("workers:7", {"host": "10.0.0.7"}, lease=lease)
        ...     await client.exists("workers:7")
        1
        >>> await client.exists("workers:7")
        0
        """
        return Lock(
            self._link, self._namespace, name, ttl, most=0, reentrant=True, wait=None, on_lost=on_lost,
            max_hold=max_hold, renew=renew,
        )  # fmt: skip

    def limiter(self, key: str, *, limit: int, per: float | timedelta, burst: int | None = None) -> Limiter:
        """Return the rate limit *key*: *limit* in every *per*, of them at most *burst* at once (without it *limit*).

        >>> mails = client.limiter("mails:ada", limit=100, per=3600, burst=10)
        >>> (await mails.check()).remaining
        9
        """
        return Limiter(self, key, limit, per, burst)

    def batch(self) -> Batch:
        """Queue calls in the block of an `async with`, send them together at its end, then ask each for its
        `result()`.

        >>> async with client.batch() as batch:
        ...     visits, name = batch.incr("visits"), batch.hash("user:1").get("name", default="?")
        >>> visits.result(), name.result()
        (1, '?')
        """
        return Batch(self._link, self._meta)

    def transaction(self) -> Transaction:
        """Queue calls in the block of an `async with`, run them at its end as one, all or none, then ask each for its
        `result()`. Raises `TransactionConflict` if a key has another version than the transaction requires.

        >>> version = await client.set("stock", 3)
        >>> async with client.transaction() as tx:
        ...     tx.require("stock", version=version)
        ...     left, sold = tx.decr("stock"), tx.list("sold").push_right("apples")
        >>> left.result(), sold.result()
        (2, 1)
        """
        return Transaction(self._link, self._meta)

    def subscribe(self, *channels: str, pattern: str | None = None) -> Listener:
        """Listen to *channels*, and to all channels that fit the glob *pattern*. What is said while nobody listens is
        not kept; where messages were missed there is a `Gap` among them.

        >>> async with client.subscribe("news", pattern="alerts:*") as messages:
        ...     await client.publish("alerts:disk", 0.97)
        ...     async for message in messages:
        ...         print(message)
        ...         break
        1
        Message(channel='alerts:disk', value=0.97, pattern='alerts:*')
        """
        return Listener(self._link, channels, pattern, self._meta)

    def watch(self, *keys: str, prefix: str | None = None) -> Watch:
        """Follow the changes of *keys*, and of all keys that begin with *prefix*: `async with ... as changes: async
        for change in changes`.
        """
        return Watch(self._link, keys, prefix, self._meta)

    def monitor(self) -> Monitor:
        """Look on at the calls of all clients of the server, of either protocol: `async with ... as calls: async for
        call in calls`. Only who may administer the server may.
        """
        return Monitor(self._link)
