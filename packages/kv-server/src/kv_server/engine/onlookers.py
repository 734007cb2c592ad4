"""Those who look on at every call: what each is shown, and what is left out when it does not read.

An onlooker sees every call until it is owed as much as it may be; then calls are only counted, and one line tells how
many, as soon as there is room again. Nobody else waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from kv_protocol.types import Seen
from kv_server.engine.history import Who
from kv_server.engine.session import Line, Outbox, Session
from kv_server.engine.waiting import Alarm
from kv_server.engine.wording import quoted

__all__ = ["LineOnlooker", "NativeOnlooker", "Onlooker"]

_RETRY_MS: Final = 100  # after a gap began, when it is looked whether there is room


class Onlooker:
    """One call that is shown what others call; *set_alarm* rings it later."""

    __slots__ = ("_alarm", "_set_alarm", "missed", "outbox", "request_id", "session")

    def __init__(
        self, session: Session, request_id: int, set_alarm: Callable[[int, Callable[[], None]], Alarm]
    ) -> None:
        assert session.outbox is not None
        self.session = session
        self.outbox: Outbox = session.outbox
        self.request_id = request_id
        self.missed = 0
        self._set_alarm = set_alarm
        self._alarm: Alarm | None = None

    def has_room(self, most: int) -> bool:
        """Whether it is owed less than *most* bytes; after calls were left out, that is told first."""
        if self.owed() >= most:
            if self._alarm is None:
                self._alarm = self._set_alarm(_RETRY_MS, lambda: self._ring(most))
            return False
        if self.missed:
            missed, self.missed = self.missed, 0
            self.show_gap(missed)
        return True

    def _ring(self, most: int) -> None:
        self._alarm = None
        if self.missed:
            self.has_room(most)

    def end(self) -> None:
        """It looks on no longer."""
        if self._alarm is not None:
            self._alarm.pending = False

    def owed(self) -> int:
        """How many bytes wait for it."""
        raise NotImplementedError

    def form(self, now_ms: int, session: Session, who: Who, words: list[bytes]) -> tuple[Any, int]:
        """What its like are shown of a call, and how many bytes that is."""
        raise NotImplementedError

    def show(self, form: Any, size: int) -> None:
        """Show a call."""
        raise NotImplementedError

    def show_gap(self, missed: int) -> None:
        """Tell that so many calls were left out here."""
        raise NotImplementedError


class LineOnlooker(Onlooker):
    """A MONITOR of the text door."""

    __slots__ = ()

    @property
    def line(self) -> Line:
        return cast(Line, self.outbox)

    def owed(self) -> int:
        return self.line.held

    def form(self, now_ms: int, session: Session, who: Who, words: list[bytes]) -> tuple[bytes, int]:
        said = " ".join(map(quoted, words))
        space = session.namespace.decode("utf-8", "backslashreplace")
        text = f"{now_ms // 1000}.{now_ms % 1000:03d}000 [{space} {who.address}] {said}".encode()
        return text, len(text)

    def show(self, form: bytes, size: int) -> None:
        self.line.say(form)

    def show_gap(self, missed: int) -> None:
        self.line.say(b"... %d calls not shown" % missed)


class NativeOnlooker(Onlooker):
    """A MONITOR of the native door. What is not granted waits here."""

    __slots__ = ("_bytes", "_kept", "credit")

    def __init__(
        self,
        session: Session,
        request_id: int,
        set_alarm: Callable[[int, Callable[[], None]], Alarm],
        credit: int,
    ) -> None:
        super().__init__(session, request_id, set_alarm)
        self.credit = credit
        self._kept: deque[tuple[Seen, int]] = deque()
        self._bytes = 0

    def owed(self) -> int:
        return self._bytes

    def form(self, now_ms: int, session: Session, who: Who, words: list[bytes]) -> tuple[Seen, int]:
        said = [word.decode("utf-8", "backslashreplace") for word in words]
        space = session.namespace.decode("utf-8", "backslashreplace")
        seen = Seen("call", now_ms, space, session.id, who.address, who.client, said, 0)
        return seen, sum(map(len, words)) + 100

    def show(self, form: Seen, size: int) -> None:
        if self.credit > 0 and not self._kept:
            self.credit -= 1
            self.outbox.event(self.request_id, form)
        else:
            self._kept.append((form, size))
            self._bytes += size

    def show_gap(self, missed: int) -> None:
        self.show(Seen("gap", 0, "", 0, "", "", [], missed), 0)

    def grant(self, count: int) -> None:
        """Allow *count* more events, and send those that wait."""
        self.credit += count
        while self._kept and self.credit > 0:
            seen, size = self._kept.popleft()
            self._bytes -= size
            self.credit -= 1
            self.outbox.event(self.request_id, seen)
