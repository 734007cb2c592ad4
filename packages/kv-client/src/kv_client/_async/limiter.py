"""A rate limit with its figures at hand: ask it, or wait for one's turn."""

from datetime import timedelta
from typing import TYPE_CHECKING

from kv_client._records import Decision

if TYPE_CHECKING:
    from kv_client._async.keyspace import Keyspace

__all__ = ["Limiter"]


class Limiter:
    """What `client.limiter(...)` returns. Everybody who names the same key, anywhere, shares one limit."""

    def __init__(self, keyspace: "Keyspace", key: str, limit: int, per: float | timedelta, burst: int | None) -> None:
        self._keyspace = keyspace
        self._key = key
        self._limit = limit
        self._per = per
        self._burst = burst

    async def check(self, cost: int = 1) -> Decision:
        """Take *cost* if that much is left now, and say whether it was, and if not, when it may be.

        >>> logins = client.limiter("logins:ada", limit=3, per=60)
        >>> [(await logins.check()).allowed for attempt in range(4)]
        [True, True, True, False]
        """
        return await self._keyspace.rate_limit(self._key, self._limit, self._per, burst=self._burst, cost=cost)

    async def acquire(self, cost: int = 1, *, wait: float | timedelta | None = None) -> Decision:
        """Take *cost*, waiting for it in the order of asking; raises `RateLimited` if that takes longer than *wait*.

        Who leaves the line, by whatever way, has taken nothing.

        >>> crawl = client.limiter("crawl:example.org", limit=100, per=1, burst=1)
        >>> for page in ["/", "/about", "/terms"]:
        ...     decision = await crawl.acquire()
        """
        return await self._keyspace.wait_rate_limit(
            self._key, self._limit, self._per, burst=self._burst, cost=cost, wait=wait
        )
