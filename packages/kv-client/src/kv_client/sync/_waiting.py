"""What a thread waits for: its call, a wake-up, or something that comes to be true while replies are read.

A thread that does not read the connection itself sleeps on a lock of its own, which is made for that one sleep.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from kv_client._core.call import Call

if TYPE_CHECKING:
    from kv_client.sync._leading import Leading

__all__ = ["ParkedCall", "Spot", "Until", "Waiter"]


class ParkedCall(Call):
    """A call that a thread waits for. At its deadline the session ends it."""

    __slots__ = ("lock", "woken")

    woken: bool
    lock: LockType | None

    def wake(self) -> None:
        self.woken = True
        if self.lock is not None:
            nudge(self)


class Waiter:
    """Where one thread may wait until it is woken; a wake-up that comes first is kept for it."""

    __slots__ = ("_leading", "deadline", "lock", "taken", "woken")

    def __init__(self, leading: Leading) -> None:
        self._leading = leading
        self.deadline = inf
        self.lock: LockType | None = None
        self.woken = False
        self.taken = False

    def wait(self, leave: Callable[[], bool]) -> None:
        try:
            self.wait_until(inf)
        except BaseException:
            with self._leading.mutex:
                gone = leave()
            if not gone:
                self.wait_until(inf)
            raise

    def wait_until(self, moment: float) -> None:
        self.deadline = moment
        self.taken = True
        try:
            self._leading.wait(self)
        finally:
            self.taken = self.woken = False

    def wake(self) -> None:
        self.woken = True
        if self.lock is not None:
            nudge(self)


class Until:
    """A wait for *condition*, but not beyond *deadline*. It is looked at by who waits, whenever that one wakes up."""

    __slots__ = ("condition", "deadline", "lock")

    def __init__(self, condition: Callable[[], bool], deadline: float) -> None:
        self.condition = condition
        self.deadline = deadline
        self.lock: LockType | None = None

    @property
    def woken(self) -> bool:
        return self.condition()


Spot = ParkedCall | Waiter | Until


def park(spot: Spot) -> LockType:
    """Return the lock that the owner of *spot* is to sleep on."""
    lock = spot.lock = allocate_lock()
    lock.acquire()
    return lock


def nudge(spot: Spot) -> None:
    """Let the owner of *spot*, who sleeps, look again."""
    lock, spot.lock = spot.lock, None
    if lock is not None:
        lock.release()
