"""The same sequence on a Redis and on kv, and the first step at which they disagree."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from tests.redis.agreement import SPOKEN, agree
from tests.redis.client import PATIENCE_S, Connection, Hang, Reply, Words, show
from tests.redis.differences import allowed
from tests.redis.excuses import Case
from tests.redis.family import Family, Make
from tests.redis.servers import Server
from tests.redis.steps import Call, Settle, pipelined, settled

MESSAGES = frozenset({b"message", b"pmessage", b"smessage"})
SUBSCRIBING = frozenset({b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE"})


Connect = Callable[[int, int, float], Connection]


class Finding(NamedTuple):
    """A step on which the servers disagree, after the steps that led there."""

    family: str
    protocol: int
    steps: tuple[Call, ...]
    words: Words
    reason: str

    def __str__(self) -> str:
        lines = [f"{self.family}, RESP{self.protocol}:", *(f"    {step}" for step in self.steps), f"  {self.reason}"]
        return "\n".join(lines)


class Contest:
    """Two servers, what they serve, and connections to both."""

    def __init__(
        self, redis: Server, kv: Server, patience_s: float = PATIENCE_S, speak_kv: Connect = Connection
    ) -> None:
        self.redis, self.kv = redis, kv
        self.patience_s = patience_s
        self._speak_kv = speak_kv
        self.known = served_by(redis)
        self.served = frozenset(self.allows(served_by(kv)))
        self._links: dict[tuple[int, int], Connection] = {}
        self.spoken: dict[str, str] = {}
        """Errors seen that differ in words alone: a sequence for each."""

    def allows(self, names: Collection[str]) -> set[str]:
        """What may be asked of a server that has the commands *names*: those, and what is unknown to both."""
        invented = {"nosuch", "{weird}", *(f"{name}|nosuch" for name in names if f"{name}|help" in self.known)}
        return set(names) | invented

    def makers(self, family: Family) -> list[Make]:
        return family.sources(self.served)

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self._links.clear()

    def check(self, family: Family, steps: Sequence[Call], protocol: int, *, strict: bool = False) -> Finding | None:
        """The first disagreement over *steps*, if they still disagree when asked again."""
        finding = self._run(family, steps, protocol, strict, rounds=2)
        if finding is None:
            return None
        again = self._run(family, steps, protocol, strict, rounds=8)
        return again if again is not None and again.words == finding.words else None

    def _run(self, family: Family, steps: Sequence[Call], protocol: int, strict: bool, rounds: int) -> Finding | None:
        run = functools.partial(self._run_several, rounds) if family.connections > 1 else self._run_one
        start = family.start(self.served)
        theirs = run(self.redis, family, start, steps, protocol)
        ours = run(self.kv, family, start, steps, protocol)
        return self._compare(family, steps, protocol, theirs, ours, strict)

    def _run_one(self, server: Server, family: Family, start: list[Call], steps: Sequence[Call], protocol: int) -> Any:
        try:
            return pipelined((*start, *steps), self._link(server, protocol))[len(start) :]
        except (Hang, ConnectionError, AssertionError) as error:
            if link := self._links.pop((server.port, protocol), None):
                link.close()
            return f"{server.name}: {error}"

    def _run_several(
        self, rounds: int, server: Server, family: Family, start: list[Call], steps: Sequence[Call], protocol: int
    ) -> Any:
        with contextlib.ExitStack() as stack:
            control = stack.enter_context(contextlib.closing(self._connect(server, 2)))
            control.call(b"FLUSHALL")
            control.call(b"CONFIG", b"SET", b"notify-keyspace-events", b"")
            for call in start:
                control.call(*call.words)
            links = []
            try:
                for _ in range(family.connections):
                    links.append(stack.enter_context(contextlib.closing(self._connect(server, protocol))))
                    links[-1].call(b"PING")  # from here on the server watches it
                return settled(steps, links, control, rounds)
            except (Hang, ConnectionError, AssertionError) as error:
                return f"{server.name}: {error}"

    def _connect(self, server: Server, protocol: int) -> Connection:
        connect = self._speak_kv if server is self.kv else Connection
        return connect(server.port, protocol, self.patience_s)

    def _link(self, server: Server, protocol: int) -> Connection:
        """A connection as good as new, to an empty server."""
        link = self._links.get((server.port, protocol))
        if link is not None:
            try:
                link.send((b"RESET",), (b"HELLO", b"%d" % protocol), (b"FLUSHALL",))
                if [link.read().kind for _ in range(3)] == ["simple", "map" if protocol == 3 else "array", "simple"]:
                    return link
            except (Hang, ConnectionError, AssertionError):
                pass
            link.close()
        link = self._links[server.port, protocol] = self._connect(server, protocol)
        link.call(b"FLUSHALL")
        return link

    def _compare(
        self, family: Family, steps: Sequence[Call], protocol: int, theirs: Any, ours: Any, strict: bool
    ) -> Finding | None:
        if isinstance(theirs, str) or isinstance(ours, str):
            said = theirs if isinstance(theirs, str) else ours
            return Finding(family.name, protocol, tuple(steps), (b"?",), said)
        ears = [Ear() for _ in range(family.connections)]
        before = [call.words for call in family.start(self.served)]
        for index, (step, there, here) in enumerate(zip(steps, theirs, ours, strict=True)):
            for case in _cases(ears, step, there, here):
                if SPOKEN in case.reason:
                    self.spoken.setdefault(case.reason, f"{step}")
                    if not strict:
                        continue
                excuse = None if strict else allowed(case, before)
                if excuse is None:
                    return Finding(family.name, protocol, tuple(steps[: index + 1]), case.words, case.reason)
                if not excuse.goes_on(case):
                    return None
            before.append(step.words)
        return None


class Ear:
    """What one connection is owed: which reply answers which call, also inside a transaction."""

    def __init__(self) -> None:
        self.asked: deque[Words] = deque()
        self.queued: list[Words] = []
        self.collects = False

    def ask(self, words: Words) -> None:
        if words and (self.collects or words[0].upper() not in SUBSCRIBING):
            self.asked.append(words)

    def hear(self, theirs: Reply, ours: Reply) -> list[Case]:
        """Where these two replies are not the same: of a transaction, each of its replies by itself."""
        words: Words = ()
        if theirs.kind != "push" and self.asked and not self._unasked(theirs):
            words = self.asked.popleft()
        name = words[0].upper() if words else b""
        if theirs == Reply("simple", b"QUEUED"):
            self.queued.append(words)
        rows = [(words, theirs, ours)]
        if name == b"EXEC" and _size(theirs) == _size(ours) == len(self.queued):
            rows = list(zip(self.queued, theirs.value, ours.value, strict=True))  # type: ignore[call-overload]
        if name == b"MULTI":
            self.collects = self.collects or theirs.kind == "simple"
        if name in (b"EXEC", b"DISCARD", b"RESET"):
            self.queued.clear()
            self.collects = False
        return [Case(*row, reason) for row in rows if (reason := agree(*row))]

    def _unasked(self, reply: Reply) -> bool:
        """RESP2 has no pushes: what confirms a subscription looks like a reply."""
        return _message_kind(reply).endswith(b"subscribe") and self.asked[0][0].upper() not in SUBSCRIBING


def _cases(ears: list[Ear], step: Call, theirs: Any, ours: Any) -> list[Case]:
    """Every disagreement in what was observed of *step*."""
    if isinstance(step, Settle) or len(ears) > 1:
        return _heard(ears, step, theirs, ours)
    if type(step) is Call:
        ears[0].ask(step.words)
        return ears[0].hear(theirs, ours)
    reason = step.agree(theirs, ours)
    return [Case(*step.told(theirs, ours), reason)] if reason else []


def _heard(ears: list[Ear], step: Call, theirs: Any, ours: Any) -> list[Case]:
    """The disagreements in what the connections received because of *step*."""
    ears[step.on].ask(step.words)
    found: list[Case] = []
    for on, replies in enumerate(zip(theirs, ours, strict=True)):
        (there, told_there), (here, told_here) = map(_parted, replies)
        said = f"connection {on}: "
        if len(there) != len(here):
            got = [", ".join(map(str, answers)) or "nothing" for answers in (there, here)]
            one, other = Reply("answers", tuple(there)), Reply("answers", tuple(here))
            return [*found, Case(step.words, one, other, f"{said}{got[0]} from Redis and {got[1]} from kv")]
        for their, our in zip(there, here, strict=True):
            found += [case._replace(reason=said + case.reason) for case in ears[on].hear(their, our)]
        if told_there != told_here:
            one, other = Reply("messages", tuple(told_there)), Reply("messages", tuple(told_here))
            found.append(Case(step.words, one, other, f"{said}Redis tells {show(one)}, kv tells {show(other)}"))
    return found


def _parted(replies: list[Reply]) -> tuple[list[Reply], list[Reply]]:
    """What answers calls, and the messages."""
    ordered = _in_order(replies)
    told = [reply for reply in ordered if _message_kind(reply) in MESSAGES]
    return [reply for reply in ordered if _message_kind(reply) not in MESSAGES], told


def _size(reply: Reply) -> int:
    return len(reply.value) if isinstance(reply.value, tuple) else -1


def _in_order(replies: list[Reply]) -> list[Reply]:
    """*replies* with pushes behind the rest and runs of one kind of message sorted: those orders are open."""
    found: list[Reply] = []
    by_way = sorted(replies, key=lambda reply: reply.kind == "push" and _message_kind(reply) in MESSAGES)
    for kind, run in itertools.groupby(by_way, _message_kind):
        rows = list(run)
        if kind == b"pmessage":
            rows.sort(key=repr)
        elif kind.endswith(b"unsubscribe"):
            channels = sorted((row.value[1] for row in rows), key=repr)  # type: ignore[index]
            rows = [
                row._replace(value=(row.value[0], channel, row.value[2]))  # type: ignore[index]
                for row, channel in zip(rows, channels, strict=True)
            ]
        found += rows
    return found


def _message_kind(reply: Reply) -> bytes:
    rows = reply.value
    if isinstance(rows, tuple) and len(rows) >= 3 and isinstance(rows[0], Reply) and isinstance(rows[0].value, bytes):
        return rows[0].value
    return b""


def served_by(server: Server) -> frozenset[str]:
    """What COMMAND LIST of *server* names, with the subcommands."""
    found: set[str] = set()
    with contextlib.closing(Connection(server.port)) as link:
        for words in ((b"COMMAND", b"LIST"), (b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", b"*")):
            listed = link.call(*words)
            if listed.kind == "array":
                found.update(each.value.decode().lower() for each in listed.value)  # type: ignore[attr-defined]
    return frozenset(found)
