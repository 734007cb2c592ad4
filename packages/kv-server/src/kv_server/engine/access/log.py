"""What was refused, bounded: denied commands and names, and logins that failed. Like ones within a minute are one."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from attrs import define

__all__ = ["Denial", "Denials"]

_LIKE_MS: Final = 60_000
_LONGEST: Final = 128  # of what was asked for


@define
class Denial:
    """*reason*: auth, command, key, channel or namespace; *context*: toplevel or multi; *object*: what was refused."""

    number: int
    reason: str
    context: str
    object: bytes
    user: str
    client: str
    first_ms: int
    last_ms: int
    count: int = 1


class Denials:
    """The last of them, the latest first."""

    def __init__(self) -> None:
        self.kept: deque[Denial] = deque(maxlen=128)
        self._number = 0
        self._times: Counter[tuple[str, str, str]] = Counter()
        self._since_ms = 0

    def times(self, reason: str, user: str, command: str, now_ms: int) -> int:
        """How often this was refused within the minute, this time too."""
        if now_ms - self._since_ms > _LIKE_MS:
            self._times.clear()
            self._since_ms = now_ms
        self._times[reason, user, command] += 1
        return self._times[reason, user, command]

    def note(self, reason: str, context: str, object: bytes, user: str, client: str, now_ms: int) -> None:
        """Keep one more, or put it to one that is like it."""
        object, user = object[:_LONGEST], user[:_LONGEST]
        for like in self.kept:
            same = (like.reason, like.context, like.object, like.user) == (reason, context, object, user)
            if same and now_ms - like.last_ms <= _LIKE_MS:
                like.count += 1
                like.last_ms, like.client = now_ms, client
                self.kept.remove(like)
                self.kept.appendleft(like)
                return
        self.kept.appendleft(Denial(self._number, reason, context, object, user, client, now_ms, now_ms))
        self._number += 1
