"""Who has which connection, who waits, and what is to be opened and closed: without any waiting, and told the time.

    asked --> (in line) --> given --> given back
A connection is a seat: *idle*, *held* by one, or *shared* by some. Who asks is served strictly in the order of asking.
"""

from collections import deque
from collections.abc import Callable
from math import inf
from random import Random
from typing import Any, Final, Generic, Protocol, TypeVar

from attrs import frozen

from kv_pool._config import PoolConfig
from kv_protocol.errors import ClientClosed, InternalError, KvError

__all__ = ["Ask", "Connection", "Ledger", "PoolStatistics", "PoolTimeout", "Seat"]

BUSY: Final = 32  # open calls with which a shared connection has enough to do, if there is another one
JITTER: Final = 0.1


class PoolTimeout(KvError):
    """No connection came free in time; nothing was sent. `details` has the figures that the message names."""

    code = "POOL_TIMEOUT"
    retryable = True


class Connection(Protocol):
    """What a pool wants to know of a client."""

    @property
    def connected(self) -> bool: ...

    @property
    def open_calls(self) -> int: ...


C = TypeVar("C", bound=Connection)


@frozen
class PoolStatistics:
    """What `KvPool.statistics()` tells. Counters run since the pool was made."""

    size: int
    """Connections, those that are being opened or closed included."""
    idle: int
    held: int
    """Given to one each."""
    shared: int
    """Shared by those who got them."""
    opening: int
    closing: int
    waiting: int
    """Those who wait for a connection."""
    acquired: int
    """How often one was given."""
    timed_out: int
    opened: int
    closed: int
    trouble: str
    """Why the last connection that failed did; empty if none has."""


class Seat(Generic[C]):
    """An open connection."""

    __slots__ = ("client", "expires", "held", "holders", "idle_since", "leave")

    leave: Callable[[], None]
    """Begins to close it."""

    def __init__(self, client: C, expires: float, now: float) -> None:
        self.client = client
        self.expires = expires
        self.idle_since = now
        self.held = False
        self.holders: dict[Ask[C], None] = {}


class Ask(Generic[C]):
    """One who wants a connection. *told* is called when there is a *seat*, or an *error*."""

    __slots__ = ("alone", "error", "seat", "since", "told", "who")

    def __init__(self, alone: bool, who: str, now: float, told: Callable[[], None]) -> None:
        self.alone = alone
        self.who = who
        self.since = now
        self.told = told
        self.seat: Seat[C] | None = None
        self.error: KvError | None = None

    @property
    def waits(self) -> bool:
        return self.seat is None and self.error is None


class Ledger(Generic[C]):
    """The seats of a pool and the line before it."""

    def __init__(self, config: PoolConfig, dice: Random) -> None:
        self.config = config
        self.closed = True
        self.trouble = ""
        self.opening = 0
        self._dice = dice
        self._seats: dict[Seat[C], None] = {}
        self._retired: list[Seat[C]] = []
        self._leaving: set[Seat[C]] = set()
        self._line: deque[Ask[C]] = deque()
        self._acquired = self._timed_out = self._opened = self._closed = 0

    # ---- asking
    def ask(self, *, alone: bool, who: str, now: float, told: Callable[[], None]) -> Ask[C]:
        """Give *who* a connection, or a place in the line."""
        if self.closed:
            raise ClientClosed("the pool is not open: use it inside `with` or `async with`")
        ask: Ask[C] = Ask(alone, who, now, told)
        self._line.append(ask)
        self._serve(now)
        return ask

    def give_back(self, ask: Ask[C], now: float) -> None:
        """*ask* is over, wherever it stood."""
        seat, ask.seat = ask.seat, None
        if seat is None:
            if ask in self._line:
                self._line.remove(ask)
            return
        del seat.holders[ask]
        if not seat.holders:
            seat.held = False
            seat.idle_since = now
            if seat in self._seats and (now >= seat.expires or not seat.client.connected):
                self._retire(seat)  # too old, or in doubt
        self._serve(now)

    def late(self, ask: Ask[C], now: float) -> PoolTimeout:
        """*ask* has waited long enough: who has all the connections?"""
        self._timed_out += 1
        figures = self.statistics()
        holders = [(holder.since, holder.who) for seat in self._seats for holder in seat.holders]
        in_use = figures.held + figures.shared
        details: dict[str, Any] = {"size": figures.size, "in_use": in_use, "waiting": figures.waiting}
        message = (
            f"no connection within {now - ask.since:.3g} s: size {figures.size} of {self.config.max_size},"
            f" in use {in_use}, waiting {figures.waiting}"
        )
        if holders:
            since, who = min(holders)
            details |= {"oldest_holder": who, "held_for": round(now - since, 3)}
            message += f"; {who} has had one for {now - since:.3g} s"
        if self.trouble:
            message += f"; the last connection that failed: {self.trouble}"
        return PoolTimeout(message, details)

    def _serve(self, now: float) -> None:
        """Let go on who stands first, as long as there is something for him."""
        while self._line:
            ask = self._line[0]
            seat = self._seat_for(ask)
            if seat is None:
                return
            self._line.popleft()
            seat.held = ask.alone
            seat.holders[ask] = None
            ask.seat = seat
            ask.since = now
            self._acquired += 1
            ask.told()

    def _seat_for(self, ask: Ask[C]) -> Seat[C] | None:
        newest = least = None
        load = 0
        for seat in self._seats:
            if not seat.holders:
                if newest is None or seat.idle_since > newest.idle_since:
                    newest = seat
            elif not (ask.alone or seat.held):
                calls = seat.client.open_calls
                if least is None or calls < load:
                    least, load = seat, calls
        return newest if least is None or (newest is not None and load >= BUSY) else least

    # ---- opening and closing
    def to_open(self, *, spare: bool = True) -> bool:
        """Whether to open one more connection now; it counts from here on. *spare*: for nobody in particular, too."""
        wanted = len(self._line) > self.opening or (spare and self._size < self.config.min_size)
        if self.closed or not wanted or self._size >= self.config.max_size:
            return False
        self.opening += 1
        return True

    def to_close(self) -> list[Seat[C]]:
        """The seats to close now; tell when it is done."""
        retired, self._retired = self._retired, []
        return retired

    def opened(self, client: C, now: float) -> Seat[C]:
        """*client* is open."""
        self.opening -= 1
        self._opened += 1
        lifetime = self.config.lifetime
        age = inf if lifetime is None else lifetime * self._dice.uniform(1 - JITTER, 1 + JITTER)
        seat = Seat(client, now + age, now)
        self._seats[seat] = None
        self._serve(now)
        return seat

    def failed(self, error: Exception, *, for_good: bool) -> None:
        """A connection could not be opened; *for_good*: nor will those that the others wait for."""
        self.trouble = str(error) or repr(error)
        if for_good:
            self._fail(error if isinstance(error, KvError) else InternalError(self.trouble))

    def not_opened(self) -> None:
        """A connection that was to be opened was not, and another one may be."""
        self.opening -= 1

    def gone(self, seat: Seat[C], error: Exception | None = None) -> None:
        """The connection of *seat* is closed, because it was to be, or by *error*; who holds it will notice."""
        self._closed += 1
        self._seats.pop(seat, None)
        self._leaving.discard(seat)
        if error is not None:
            self.trouble = str(error) or repr(error)

    def _retire(self, seat: Seat[C]) -> None:
        del self._seats[seat]
        self._leaving.add(seat)
        self._retired.append(seat)

    def tidy(self, now: float) -> float:
        """Retire what was idle for too long, or is too old; return when to look again."""
        idle_timeout = inf if self.config.idle_timeout is None else self.config.idle_timeout
        lifetime = inf if self.config.lifetime is None else self.config.lifetime * (1 - JITTER)
        next_look = now + min(idle_timeout, lifetime)
        for seat in sorted(self._seats, key=lambda seat: seat.idle_since):
            spare = len(self._seats) + self.opening > self.config.min_size
            end = min(seat.expires, seat.idle_since + idle_timeout if spare and not seat.holders else inf)
            if end > now:
                next_look = min(next_look, end)
            elif not seat.holders:
                self._retire(seat)
        return next_look

    # ---- life
    def open(self) -> None:
        self.closed = False

    def close(self) -> list[Seat[C]]:
        """Fail whoever waits, and whoever comes; return the seats that there are."""
        self.closed = True
        self._fail(ClientClosed("the pool is closed"))
        return [*self._seats, *self._leaving]

    def _fail(self, error: KvError) -> None:
        while self._line:
            ask = self._line.popleft()
            ask.error = type(error)(error.message, error.details)
            ask.told()

    @property
    def _size(self) -> int:
        return len(self._seats) + len(self._leaving) + self.opening

    def statistics(self) -> PoolStatistics:
        held = sum(seat.held for seat in self._seats)
        idle = sum(not seat.holders for seat in self._seats)
        return PoolStatistics(
            size=self._size,
            idle=idle,
            held=held,
            shared=len(self._seats) - held - idle,
            opening=self.opening,
            closing=len(self._leaving),
            waiting=len(self._line),
            acquired=self._acquired,
            timed_out=self._timed_out,
            opened=self._opened,
            closed=self._closed,
            trouble=self.trouble,
        )
