"""What a sequence is made of: a step runs on one server; what it observed there is compared with the other's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.redis.agreement import agree
from tests.redis.client import ARRAY_NULL, BULK_NULL, NULL, Connection, Reply, Words, spell
from tests.redis.templates import name_of

SCAN_PAGES_MAX = 200


@dataclass(frozen=True)
class Call:
    """One call, one reply, on connection number *on*."""

    words: Words
    on: int = 0

    @property
    def names(self) -> frozenset[str]:
        return frozenset({name_of(self.words)})

    def run(self, link: Connection) -> Any:
        return link.call(*self.words)

    def agree(self, theirs: Any, ours: Any) -> str | None:
        """Why *ours* is another answer than *theirs*; None if it is not."""
        return agree(self.words, theirs, ours)

    def told(self, theirs: Any, ours: Any) -> tuple[Words, Reply, Reply]:
        """The call and the two replies that are compared."""
        return self.words, theirs, ours

    def __str__(self) -> str:
        return (f"{self.on}> " if self.on else "") + spell(self.words)


@dataclass(frozen=True)
class Wait(Call):
    """Wait until what was asked before on this connection is answered: a blocking call whose time is running."""

    words: Words = ()
    names = frozenset()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.on}> (wait for the reply)"


@dataclass(frozen=True)
class Scan(Call):
    """A whole iteration: `SCAN`, `SSCAN key` ... from cursor 0 to cursor 0. Compared is the set of what was seen."""

    options: Words = ()

    def run(self, link: Connection) -> Any:
        seen: set[Any] = set()
        cursor = b"0"
        for _ in range(SCAN_PAGES_MAX):
            page = link.call(*self.words, cursor, *self.options)
            try:
                (_, cursor), (_, elements) = page.value  # type: ignore[misc]
                if self.words[0].upper() in (b"HSCAN", b"ZSCAN"):
                    pairs = zip(elements[::2], map(self._unspelled, elements[1::2]), strict=True)
                    elements = [Reply("array", pair) for pair in pairs]
            except (TypeError, ValueError):
                return page  # an error, or what is no page
            seen.update(elements)
            if cursor == b"0":
                return Reply("set", tuple(sorted(seen, key=repr)))
        return Reply("simple", b"%d pages and the cursor is still %b" % (SCAN_PAGES_MAX, cursor))

    def _unspelled(self, value: Reply) -> Reply:
        """A score as the number that it is: versions of Redis write it otherwise."""
        if self.words[0].upper() != b"ZSCAN":
            return value
        return Reply("double", b"%r" % float(value.value))  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{spell((*self.words, b'<cursor>', *self.options))}  (whole iteration)"


@dataclass(frozen=True)
class Pick(Call):
    """A command that answers at random, between a listing of what it may answer and one that levels its effect."""

    listing: Words = ()
    level: Words = ()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(
            {name_of(self.words), name_of(self.listing)} | ({name_of(self.level)} if self.level else set())
        )

    def run(self, link: Connection) -> Any:
        listed, picked, *_ = link.pipeline([each for each in (self.listing, self.words, self.level) if each])
        return listed, picked

    def agree(self, theirs: Any, ours: Any) -> str | None:
        kind, size = theirs[1].kind, _size(theirs[1])
        if (kind, size) != (ours[1].kind, _size(ours[1])):
            return f"{kind} of {size} and {ours[1].kind} of {_size(ours[1])}"
        if kind == "error":
            return agree(self.words, theirs[1], ours[1])
        stray = set(_leaves(ours[1])) - set(_leaves(ours[0]))
        return f"picked what is not there: {stray}" if stray else None

    def told(self, theirs: Any, ours: Any) -> tuple[Words, Reply, Reply]:
        return self.words, theirs[1], ours[1]

    def __str__(self) -> str:
        return "; ".join(spell(each) for each in (self.listing, self.words, self.level) if each)


@dataclass(frozen=True)
class Move(Call):
    """DUMP a key and RESTORE it by *restore*, where PAYLOAD stands for what came out: each server reads its own."""

    restore: Words = ()
    PAYLOAD = b"<payload>"

    @property
    def names(self) -> frozenset[str]:
        return frozenset({"dump", "restore"})

    def run(self, link: Connection) -> Any:
        dump = link.call(*self.words)
        payload = dump.value if dump.kind == "bulk" else b""
        assert isinstance(payload, bytes)
        return dump.kind, link.call(*(payload if word == self.PAYLOAD else word for word in self.restore))

    def agree(self, theirs: Any, ours: Any) -> str | None:
        if theirs[0] != ours[0]:
            return f"DUMP gives {theirs[0]} and {ours[0]}"
        return agree(self.restore, theirs[1], ours[1])

    def told(self, theirs: Any, ours: Any) -> tuple[Words, Reply, Reply]:
        return self.restore, theirs[1], ours[1]

    def __str__(self) -> str:
        return f"{spell(self.words)}; {spell(self.restore)}"


@dataclass(frozen=True)
class Settle(Call):
    """A call of one of several connections; observed is what all of them received because of it, in order."""

    def __str__(self) -> str:
        return f"{self.on}> {spell(self.words)}"


Sequenced = Sequence[Call]


def pipelined(steps: Sequenced, link: Connection) -> list[Any]:
    """Run *steps* on one connection, plain calls in one write as far as possible."""
    observed: list[Any] = []
    batch: list[Words] = []
    for step in steps:
        if type(step) is Call:
            batch.append(step.words)
            continue
        observed += link.pipeline(batch)
        batch.clear()
        observed.append(step.run(link))
    return observed + link.pipeline(batch)


def settled(steps: Sequenced, links: list[Connection], control: Connection, rounds: int = 2) -> list[list[list[Reply]]]:
    """Run *steps* on several connections; after each, what every connection has received.

    A server answers a PING of *control* only after it has read what had arrived before, and the answer to the second
    leaves after everything that the first round gave rise to: no waiting by the clock. Long pipelines behind a call
    that waited may need more *rounds*.
    """
    observed = []
    for step in steps:
        if isinstance(step, Wait):
            received = [link.arrived(5.0 if on == step.on else 0.0) for on, link in enumerate(links)]
        else:
            with contextlib.suppress(OSError):  # the server has closed it: everybody will see that
                links[step.on].send(step.words)
            for _ in range(rounds):
                control.call(b"PING")
            received = [link.arrived() for link in links]
        observed.append(received)
    return observed


def _size(reply: Reply) -> int:
    return len(reply.value) if isinstance(reply.value, tuple) else 1


def _leaves(reply: Reply) -> list[Any]:
    if reply in (BULK_NULL, ARRAY_NULL, NULL):
        return []
    if isinstance(reply.value, tuple):
        return [leaf for each in reply.value for leaf in (_leaves(each) if isinstance(each, Reply) else _pair(each))]
    return [reply.value]


def _pair(pair: Any) -> list[Any]:
    return [leaf for each in pair for leaf in _leaves(each)]
