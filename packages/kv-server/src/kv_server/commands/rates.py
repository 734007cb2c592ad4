"""Rate limits: so many an interval on average, some of them at once, exactly, and whoever waits in the order of asking.

The generic cell rate algorithm: a limit is one key, an int: the moment, in nanoseconds since 1970, at which nothing
of it would be used up any more. Then the key expires. So a limit costs one small key while it is in use, and DEL
resets it.
"""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from kv_protocol.errors import InvalidArgument, RateLimited
from kv_protocol.limits import MAX_TTL_MS
from kv_protocol.values import int_blob, number
from kv_server.engine.rows import KEYS
from kv_server.engine.tx import Tx
from kv_server.engine.waiting import WouldBlock
from kv_server.spec.catalog import command
from kv_server.spec.command import BLOCKS, FAST, GROWS, TAKES, WRITE
from kv_server.spec.types import Count, Duration, Size, TakenKey, Timeout, Token, Unit

_NS: Final = 1_000_000
"""Nanoseconds in a millisecond."""
_KIN: Final = "rate"


class Decision(NamedTuple):
    """Whether it was allowed, how many more would be now, when as much would be, and when nothing will be used up."""

    allowed: bool
    remaining: Size
    retry_after: Timeout
    reset_after: Timeout


@command(WRITE | GROWS | FAST, group="rate", since="0.1", cost="O(1)", method="rate_limit")
def ratelimit(
    tx: Tx,
    key: TakenKey,
    limit: Count,
    per: Annotated[Duration, Unit(1000)],
    /,
    *,
    burst: Count | None = None,
    cost: Count = 1,
) -> Decision:
    """Take *cost* from the rate limit *key*, *limit* in every *per*, if that much is left, and say whether it was.

    What was used up comes back evenly: one in each *limit*-th part of *per*. At most *burst* can be had at once,
    without it *limit*. What is refused takes nothing, and it is while others wait for the same limit. The limit is an
    int at *key* that expires once nothing of it is used up.

    >>> [(await client.rate_limit("mails:ada", 2, per=60)).allowed for _ in range(3)]
    [True, True, False]
    >>> decision = await client.rate_limit("mails:ada", 2, per=60)
    >>> decision.remaining, 29 < decision.retry_after <= 30, 59 < decision.reset_after <= 60
    (0, True, True)
    """
    step, most = scale(limit, per, burst, cost)
    now, full = tx.now_ms * _NS, full_at(tx, key)
    queue = tx.waiting_for(KEYS, key, _KIN)
    if queue or full + cost * step - now > most:
        late = full + (cost + queue) * step - now - most
        left = 0 if queue else max(0, most - (full - now)) // step
        return Decision(False, left, milliseconds(max(late, 1)), milliseconds(full - now))
    return take(tx, key, full + cost * step, step, most)


@command(WRITE | GROWS | FAST | BLOCKS | TAKES, group="rate", since="0.1", cost="O(1)", method="wait_rate_limit")
def bratelimit(
    tx: Tx,
    key: TakenKey,
    limit: Count,
    per: Annotated[Duration, Unit(1000)],
    /,
    *,
    burst: Count | None = None,
    cost: Count = 1,
    wait: Annotated[Timeout | None, Token("WAIT", 1000)] = None,
) -> Decision:
    """Take *cost* from the rate limit *key* as `RATELIMIT`, and wait for it if there is not enough left.

    Calls that wait for one limit get what they want in the order of asking. The call waits at most *wait*, without end
    unless given; 0 tries once. A call whose time is over fails with RATE_LIMITED and has taken nothing.

    >>> for page in range(3):
    ...     decision = await client.wait_rate_limit("crawl:example.org", 100, per=1, burst=1)
    >>> await client.wait_rate_limit("crawl:example.org", 1, per=60, wait=0)
    Traceback (most recent call last):
    RateLimited: the rate limit is used up
    """
    step, most = scale(limit, per, burst, cost)
    now, full = tx.now_ms * _NS, full_at(tx, key)
    queue = tx.waiting_for(KEYS, key, _KIN)
    late = full + cost * step - now - most
    if late <= 0 and (tx.turn is not None or (tx.kept is None and not queue)):
        return take(tx, key, full + cost * step, step, most)
    refusal = RateLimited("the rate limit is used up", {"retry_after": milliseconds(max(late + queue * step, 1))})
    if wait == 0:
        raise refusal
    alone = tx.turn is not None or not queue
    turn_ms = milliseconds(max(late, 1)) if alone else None
    raise WouldBlock(KEYS, [key], wait, refusal, kept=_KIN, kin=_KIN, turn_ms=turn_ms)


def scale(limit: int, per_ms: int, burst: int | None, cost: int) -> tuple[int, int]:
    """In how many nanoseconds one comes back, and in how many all that can be had at once."""
    step = per_ms * _NS // limit
    most = (burst or limit) * step
    if not step:
        raise InvalidArgument("limit: at most one in a nanosecond")
    if most > MAX_TTL_MS * _NS:
        raise InvalidArgument("burst: it would take more than 100 years to come back")
    if cost * step > most:
        raise InvalidArgument("cost: more than can ever be had at once", {"limit": burst or limit})
    return step, most


def full_at(tx: Tx, key: bytes) -> int:
    """The moment at which nothing of the limit is used up any more, now if that is so."""
    blob, now = tx.value(key), tx.now_ms * _NS
    if blob is None:
        return now
    full = number(blob)
    if type(full) is not int or full > now + MAX_TTL_MS * _NS:
        raise InvalidArgument("the key holds something else than a rate limit")
    return max(full, now)


def take(tx: Tx, key: bytes, full: int, step: int, most: int) -> Decision:
    """Let the limit be used up until *full*."""
    used = full - tx.now_ms * _NS
    tx.key_put(key, int_blob(full), milliseconds(full))
    return Decision(True, (most - used) // step, 0, milliseconds(used))


def milliseconds(nanoseconds: int) -> int:
    return -(-nanoseconds // _NS)
