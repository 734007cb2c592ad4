"""What may be seen of the calls of the text door while they run: every line, the slow ones, how often and how long.

It costs nothing while nobody looks on. While somebody does, the calls of that door pass `Observation.execute`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from attrs import define, field

from kv_protocol.errors import KvError
from kv_server.engine.session import Line, Session
from kv_server.engine.waiting import Unfinished
from kv_server.spec.command import Command, Flag

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Observation", "Slow", "Tally", "quoted"]

_MOST_SAMPLES: Final = 160  # of one kind of latency
_MOST_WORDS: Final = 32  # of a slow call
_LONGEST_WORD: Final = 128
_SCALES: Final = 32  # powers of two of microseconds: up to more than an hour
_MOST_ADDRESSES: Final = 10_000
_HIDDEN: Final = b"(redacted)"
_ESCAPES: Final = {
    number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0x100))
} | {ord(char): f"\\{name}" for char, name in zip('\\"\n\r\t\a\b', '\\"nrtab', strict=True)}  # fmt: skip


class Slow(NamedTuple):
    """A call that took long."""

    number: int
    time_s: int
    spent_us: int
    words: list[bytes]
    address: str
    client: str


class Sample(NamedTuple):
    """How long a call of some kind took, when."""

    time_s: int
    spent_ms: int


@define
class Tally:
    """The calls of one command. *scales* counts them by the bits of their microseconds."""

    calls: int = 0
    failed: int = 0
    spent_us: int = 0
    scales: list[int] = field(factory=lambda: [0] * _SCALES)

    def add(self, spent_us: int, failed: bool) -> None:
        self.calls += 1
        self.failed += failed
        self.spent_us += spent_us
        self.scales[min(max(spent_us - 1, 0).bit_length(), _SCALES - 1)] += 1

    def below(self, share: float) -> int:
        """The microseconds, a power of two, that so large a *share* of the calls did not exceed."""
        left = share * self.calls
        for scale, calls in enumerate(self.scales):
            left -= calls
            if left <= 0:
                return 1 << scale
        return 1 << _SCALES


class Observation:
    """Who looks on, and what was seen. *timer* counts seconds from anywhere."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.timer: Callable[[], float] = lambda: 0.0
        self.monitors: dict[int, Session] = {}
        self.slower_than_us = -1
        """Calls that took so long are kept; all with 0, none below."""
        self.slow: deque[Slow] = deque(maxlen=128)
        self.threshold_ms = 0
        """Calls that took so long are samples of latency; none with 0."""
        self.samples: dict[str, deque[Sample]] = {}
        self.longest: dict[str, int] = {}
        self.tracking = False
        """Calls are counted and timed by command."""
        self.tallies: dict[str, Tally] = {}
        self.errors: Counter[str] = Counter()
        """Calls that failed, by the word that their error begins with."""
        self.on = False
        self._numbers = count()
        self._hidden: frozenset[int] = frozenset()
        self._addresses: dict[int, str] = {}

    # ---- looking on
    def choose(self) -> None:
        """Let calls pass here from now on if anybody looks on, or no longer."""
        engine = self.engine
        self.on = bool(self.monitors or self.slower_than_us >= 0 or self.threshold_ms or self.tracking)
        engine.run = self.execute if self.on else engine.execute
        if not self.monitors:
            self._addresses.clear()

    def monitor(self, session: Session) -> None:
        """Show *session* every call from now on."""
        self.monitors[session.id] = session
        self.choose()

    def leave(self, session: Session) -> None:
        """Show *session* nothing any more."""
        if self.monitors.pop(session.id, None) is not None:
            self.choose()

    def execute(
        self,
        session: Session,
        request_id: int,
        command: Command,
        words: list[bytes],
        options: Any,
        meta: dict[int, Any] | None,
    ) -> object:
        """What the engine does, seen by whoever looks on."""
        execute = self.engine.execute
        if not session.amid >> command.bit & 1:  # it is queued: seen when it runs
            return execute(session, request_id, command, words, options, meta)
        return self.see(session, command, words, lambda: execute(session, request_id, command, words, options, meta))

    def see(self, session: Session, command: Command, words: list[bytes], run: Callable[[], object]) -> object:
        """Run a call and note it."""
        work = self.engine.tx.work
        began = self.timer() - (0.0 if work is None else work.spent_s)
        error: object = None
        ended = True
        try:
            reply = run()
            error = reply if isinstance(reply, KvError) else None
            return reply
        except Unfinished as unfinished:
            unfinished.spent_s = self.timer() - began
            ended = False
            raise
        except Exception as raised:
            error = raised
            raise
        finally:
            spent_us = int((self.timer() - began) * 1e6)
            hidden, self._hidden = self._hidden, frozenset()
            enough = len(words) == command.arity if command.arity > 0 else len(words) >= -command.arity
            if enough and ended:
                self.note(session, command, words, hidden, spent_us, error is not None)

    def hide(self, places: Iterable[int]) -> None:
        """Keep the words at these *places* of the running call to yourself."""
        self._hidden = frozenset(places)

    def note(
        self, session: Session, command: Command, words: list[bytes], hidden: frozenset[int], us: int, failed: bool
    ) -> None:
        """Tell and keep of a call what was asked for."""
        shown = [_HIDDEN if at in hidden else word for at, word in enumerate(words)]
        if self.monitors and command.flags & (Flag.ADMIN | Flag.WRITE) != Flag.ADMIN:
            self.tell(session, shown)
        if self.tracking:
            self.tallies.setdefault(command.name.lower().replace(" ", "|"), Tally()).add(us, failed)
        if self.slower_than_us >= 0 and us >= self.slower_than_us and not command.flags & Flag.STEERS:
            time_s = self.engine.now_ms // 1000
            kept = Slow(next(self._numbers), time_s, us, shortened(shown), self.address(session), session.client)
            self.slow.appendleft(kept)
        if self.threshold_ms and us >= self.threshold_ms * 1000:
            self.sample("fast-command" if command.flags & Flag.FAST else "command", us // 1000)

    def tell(self, session: Session, words: list[bytes]) -> None:
        """Show a call to all that look on, but not to its own caller."""
        now_ms = self.engine.now_ms
        said = " ".join(map(quoted, words))
        space = session.namespace.decode("utf-8", "backslashreplace")
        text = f"{now_ms // 1000}.{now_ms % 1000:03d}000 [{space} {self.address(session)}] {said}".encode()
        for onlooker in list(self.monitors.values()):
            if onlooker is not session:
                cast(Line, onlooker.outbox).say(text)

    def sample(self, kind: str, spent_ms: int) -> None:
        """Keep how long something took; of one second only the longest."""
        time_s = self.engine.now_ms // 1000
        kept = self.samples.setdefault(kind, deque(maxlen=_MOST_SAMPLES))
        self.longest[kind] = max(self.longest.get(kind, 0), spent_ms)
        if kept and kept[-1].time_s == time_s:
            spent_ms = max(spent_ms, kept.pop().spent_ms)
        kept.append(Sample(time_s, spent_ms))

    def address(self, session: Session) -> str:
        """Where *session* calls from."""
        known = self._addresses
        if session.id not in known:
            if len(known) >= _MOST_ADDRESSES:
                known.clear()
            known |= {one.session.id: one.address for one in self.engine.node.connections()}
        return known.get(session.id, "?:0")

    # ---- what was seen
    def fail(self, error: KvError) -> None:
        """Count a call that failed."""
        self.errors[error.resp or error.message.partition(" ")[0]] += 1

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
        self.tallies.clear()
        self.errors.clear()


def shortened(words: list[bytes]) -> list[bytes]:
    """As much of a call as is kept."""
    left = len(words) - _MOST_WORDS + 1
    kept = words if left <= 1 else [*words[: _MOST_WORDS - 1], b"... (%d more arguments)" % left]
    longest = _LONGEST_WORD
    return [
        word if len(word) <= longest else b"%b... (%d more bytes)" % (word[:longest], len(word) - longest)
        for word in kept
    ]


def quoted(word: bytes) -> str:
    """A word in quotes, on one line, in ASCII."""
    return '"' + word.decode("latin-1").translate(_ESCAPES) + '"'
