"""The numbers that make writes happen once: a `seq` for each, and `seen`, below which answers may be forgotten."""

from collections import deque
from typing import Final

from kv_client._core.call import DONE, WAITS, Call

__all__ = ["Writes"]

TOLD_EVERY: Final = 64  # writes between two tellings of `seen`
HELD_BACK: Final = 4_096  # writes for which one waiting call may hold `seen` back


class Writes:
    """The writes of one session, in the order of their seq."""

    __slots__ = ("_open", "_told", "_told_at", "next_seq")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new session: numbers start over."""
        self.next_seq = 1
        self._open: deque[Call] = deque()
        self._told = 1
        self._told_at = 1

    def enter(self, call: Call) -> None:
        """Note that *call* goes under `next_seq`."""
        self.next_seq += 1
        self._open.append(call)

    def seen(self) -> int:
        """The seq below which no answer is awaited. A call that has waited for too many others loses its seq here."""
        calls = self._open
        while calls:
            first = calls[0]
            if first.state != DONE and not (first.kind & WAITS and self.next_seq - first.seq > HELD_BACK):
                return first.seq
            if first.state != DONE:
                first.seq = 0
            calls.popleft()
        return self.next_seq

    def to_tell(self, seq: int, now: bool = False) -> int | None:
        """`seen` if the write *seq* should carry it, None if not."""
        if seq - self._told_at < TOLD_EVERY and not now:
            return None
        self._told_at = max(seq, self._told_at)
        seen = self.seen()
        if seen == self._told:
            return None
        self._told = seen
        return min(seen, seq)
