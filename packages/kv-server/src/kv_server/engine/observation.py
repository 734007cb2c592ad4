"""What may be seen of calls of both doors: how many, how long, which failed; the slow ones; all, by who looks on.

The doors time what they run and tell it run by run: calls of one command that follow each other. So what is always
counted costs next to nothing. Only a call that took longer than `least_s` is looked at by itself: with an onlooker,
every one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kv_protocol.errors import KvError
from kv_server.engine.history import Who
from kv_server.engine.hot import HotKeys
from kv_server.engine.onlookers import Onlooker
from kv_server.engine.session import Session
from kv_server.engine.tallies import Tallies, Tally
from kv_server.engine.ticks import Ticks
from kv_server.engine.wording import shortened, words_of
from kv_server.spec.command import Command, Flag

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["MOST_NOTED", "Observation", "Sample", "Slow", "who_is"]

_MOST_SAMPLES: Final = 160  # of one kind of latency
_MOST_WORDS: Final = 32  # of a slow call
_LONGEST_WORD: Final = 128
_MOST_SHOWN_WORDS: Final = 1_024  # to an onlooker
_LONGEST_SHOWN: Final = 1_024
_MOST_CODES: Final = 128
MOST_NOTED: Final = 64  # runs, before they are counted and a key is sampled


class Slow(NamedTuple):
    """A call that took long."""

    number: int
    time_ms: int
    spent_us: int
    words: list[bytes]
    address: str
    client: str


class Sample(NamedTuple):
    """How long a call of some kind took, when."""

    time_s: int
    spent_ms: int


class Observation:
    """Who looks on, and what was seen, and how long it took by *ticks*."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ticks = Ticks(lambda: 0.0)
        self.monitors: dict[tuple[int, int], Onlooker] = {}
        """By session and call."""
        self.monitor_bytes = 1 << 20
        """What one of them may be owed before calls are left out."""
        self.slower_than_us = 10_000
        """Calls that took so long are kept; all with 0, none below."""
        self.slow: deque[Slow] = deque(maxlen=128)
        self.threshold_ms = 0
        """Calls that took so long are samples of latency; none with 0."""
        self.stuck_ms = 0
        """Of calls that took so long *warn* is told: their command and milliseconds; of none with 0."""
        self.warn: Callable[[str, int], None] = lambda command, spent_ms: None
        self.least_s = inf
        """A call that took longer is to be shown to `see`."""
        self.samples: dict[str, deque[Sample]] = {}
        self.longest: dict[str, int] = {}
        self.tracking = True
        """Histograms are shown; calls are counted and timed in any case."""
        self.counted = Tallies(engine.catalog)
        self._hot = HotKeys(engine.now_ms)
        self.noted: list[tuple[Command, int, float]] = []
        self.note = self.noted.append
        """Takes a run of which `wrote` is told apart, to be counted when there are more."""
        self.runs = 0
        """How many were told since a key was sampled, but not noted."""
        self.errors: Counter[str] = Counter()
        """Calls that failed, by the word that their error begins with on the text door."""
        self.codes: Counter[str] = Counter()
        """The same by code."""
        self._numbers = count()
        self._unshown = engine.catalog.bits(Flag.ADMIN) & ~engine.catalog.bits(Flag.WRITE)
        """Words for operators that change no data are no business of onlookers."""
        self.choose()

    def choose(self) -> None:
        """Look, from now on, at those calls that somebody wants to know of."""
        least = [
            us for us in (self.slower_than_us, self.threshold_ms * 1000 or -1, self.stuck_ms * 1000 or -1) if us >= 0
        ]
        self.least_s = -inf if self.monitors else min(least, default=inf) / 1e6 - 1e-9

    # ---- what the doors tell
    def ran(self, session: Session, command: Command, calls: int, spent_s: float, revision: int) -> None:
        """So many *calls* of *command* ran, one after the other, from that *revision* on. Hot paths use `note`."""
        figures = self.counted.figures[command.bit]
        figures.spent_s += spent_s
        mean_s = spent_s / calls
        if figures.low <= mean_s < figures.high:
            figures.near += calls
        else:
            figures.add(calls, mean_s)
        self.runs += 1
        if self.engine.tx.revision != revision:
            self.wrote(session, command.name, revision)

    def wrote(self, session: Session, command: str, revision: int) -> None:
        """Calls of this one made all revisions from that one on."""
        engine = self.engine
        if engine.history.on:
            tx = engine.tx
            engine.history.runs.add(revision, tx.revision, tx.now_ms, session.id, command)

    def settle(self) -> None:
        """Count what was noted, and the key that was asked for last: a sample."""
        figures, noted = self.counted.figures, self.noted
        for command, calls, spent_s in noted:
            row = figures[command.bit]
            row.spent_s += spent_s
            mean_s = spent_s / calls
            if row.low <= mean_s < row.high:
                row.near += calls
            else:
                row.add(calls, mean_s)
        if len(noted) + self.runs >= MOST_NOTED and (key := self.engine.tx.last_key) is not None:
            self._hot.add(self.engine.tx.name, key, self.engine.now_ms)
        noted.clear()
        self.runs = 0

    def fail(self, error: KvError, command: Command | None = None) -> None:
        """Count a call that failed."""
        word = error.resp or error.message.partition(" ")[0]
        self.errors[word if word in self.errors or len(self.errors) < _MOST_CODES else "OTHER"] += 1
        self.codes[error.code] += 1
        if command is not None:
            self.counted.fail(command)

    def see(self, session: Session, command: Command, args: list[Any], options: Any, spent_s: float) -> None:
        """Note a call that took long, or that somebody wants to see."""
        if not session.amid >> command.bit & 1:  # it was queued: seen when it runs
            return
        engine, us = self.engine, int(spent_s * 1e6)
        slow = 0 <= self.slower_than_us <= us and not engine.steering >> command.bit & 1
        shown = self.monitors and not self._unshown >> command.bit & 1
        short = command.spoken and not 0 <= len(args) - abs(command.arity) <= (0 if command.arity > 0 else len(args))
        if (slow or shown) and not short:
            words = words_of(command, args, options, engine.catalog)
            if slow:
                kept = shortened(words, _MOST_WORDS, _LONGEST_WORD)
                where = who_is(session).address
                self.slow.appendleft(Slow(next(self._numbers), engine.now_ms, us, kept, where, session.client))
            if shown:
                self.tell(session, shortened(words, _MOST_SHOWN_WORDS, _LONGEST_SHOWN))
        if self.threshold_ms and us >= self.threshold_ms * 1000:
            self.sample("fast-command" if command.flags & Flag.FAST else "command", us // 1000)
        if self.stuck_ms and us >= self.stuck_ms * 1000:
            self.warn(command.name, us // 1000)

    # ---- who looks on
    def monitor(self, onlooker: Onlooker) -> None:
        """Show every call from now on."""
        self.monitors[onlooker.session.id, onlooker.request_id] = onlooker
        self.choose()

    def leave(self, session: Session, request_id: int | None = None) -> None:
        """Show *session*, or that call of it, nothing any more."""
        for place in [place for place in self.monitors if place[0] == session.id and request_id in (None, place[1])]:
            self.monitors.pop(place).end()
        self.choose()

    def watched_by(self, session: Session) -> bool:
        """Whether *session* looks on."""
        return any(place[0] == session.id for place in self.monitors)

    def tell(self, session: Session, words: list[bytes]) -> None:
        """Show a call to all that look on, but not to its own caller."""
        shown: dict[type[Onlooker], tuple[Any, int]] = {}
        for onlooker in self.monitors.values():
            if onlooker.session is session:
                continue
            if not onlooker.has_room(self.monitor_bytes):
                onlooker.missed += 1
                continue
            kind = type(onlooker)
            if kind not in shown:
                shown[kind] = onlooker.form(self.engine.now_ms, session, who_is(session), words)
            onlooker.show(*shown[kind])

    def sample(self, kind: str, spent_ms: int) -> None:
        """Keep how long something took; of one second only the longest."""
        time_s = self.engine.now_ms // 1000
        kept = self.samples.setdefault(kind, deque(maxlen=_MOST_SAMPLES))
        self.longest[kind] = max(self.longest.get(kind, 0), spent_ms)
        if kept and kept[-1].time_s == time_s:
            spent_ms = max(spent_ms, kept.pop().spent_ms)
        kept.append(Sample(time_s, spent_ms))

    # ---- what was seen
    @property
    def tallies(self) -> dict[str, Tally]:
        """The calls by the names of their commands."""
        self.settle()
        return self.counted.by_name()

    @property
    def hot(self) -> HotKeys:
        """The keys that are asked for most."""
        self.settle()
        return self._hot

    def forget_samples(self, kinds: Iterable[str]) -> int:
        """Forget the latency of these *kinds*; of how many there was any."""
        known = [kind for kind in kinds if kind in self.samples]
        for kind in known:
            del self.samples[kind], self.longest[kind]
        return len(known)

    def keep_slow(self, most: int) -> None:
        """Keep so many slow calls, the last."""
        self.slow = deque(list(self.slow)[:most], maxlen=most)

    def reset(self) -> None:
        """Count from here on."""
        self.settle()
        self.counted.reset()
        self.errors.clear()
        self.codes.clear()
        self._hot.reset(self.engine.now_ms)


def who_is(session: Session) -> Who:
    """Who *session* is now."""
    address = session.outbox.address if session.outbox is not None else ""
    return Who(session.client, address or "?:0", session.login.user if session.login is not None else "")
