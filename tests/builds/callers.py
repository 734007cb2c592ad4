"""Connections of scripts: how they greet, and what they say about their calls."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.builds.typed import LOCKS, NAMESPACES, REVISION, frame
from tests.engine.rig import ELAPSED_MS

Step = list[Any]


def line(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Caller:
    """One connection of a script, as far as it must be known to go on."""

    def __init__(self, dice: Random, number: int, door: str) -> None:
        self.dice, self.number, self.door = dice, number, door
        self.last_id = self.seq = self.seen = 0
        self.sent: list[bytes] = []

    def open(self) -> list[Step]:
        """Connect, and greet."""
        dice, steps = self.dice, [["open", self.number, self.door]]
        if self.door == "native":
            options: dict[bytes, Any] = {b"client": b"caller %d" % self.number}
            if dice.random() < 0.3:
                options[b"namespace"] = dice.choice(NAMESPACES)
            if dice.random() < 0.1:
                options[b"session"] = b"secret-of-%06d" % dice.randint(1, 4)
            steps.append(["data", self.number, frame(dice, 1, b"HELLO", [1], options)])
            self.last_id = 1
        elif dice.random() < 0.5:
            steps.append(["data", self.number, line(b"HELLO", b"3")])
        return steps

    def request(self, name: bytes, arguments: Any, options: Any = None, share: float = 0.1) -> bytes:
        """A frame, for a *share* of all calls with something said about it; sometimes one that was sent before."""
        dice = self.dice
        if self.sent and dice.random() < share / 3:
            return dice.choice(self.sent)
        self.last_id += dice.choice([1, 1, 1, 1, 1, 100, 70_000])
        self.last_id %= 2**32
        meta = self._meta() if dice.random() < share else None
        made = frame(dice, self.last_id, name, arguments, options, meta)
        if meta and 2 in meta:
            self.sent.append(made)
        return made

    def _meta(self) -> dict[int, Any] | None:
        dice = self.dice
        meta: dict[int, Any] = {}
        if dice.random() < 0.5:
            self.seq += dice.choice([0, 1, 1, 1, 2])
            meta[2] = dice.choice(
                [self.seq, self.seq, self.seq, 0, -1, 2**63 - 1, 2**64 - 1, "x"][: dice.choice([3, 3, 3, 8])]
            )
        if dice.random() < 0.3:
            self.seen = max(self.seen, self.seq - dice.randint(0, 3))
            meta[3] = self.seen
        if dice.random() < 0.3:
            meta[1] = ELAPSED_MS + dice.choice([-1, 0, 1, 30, 10**6])
        if dice.random() < 0.2:
            meta[4] = dice.choice(NAMESPACES)
        if dice.random() < 0.1:
            meta[5] = [dice.choice(LOCKS), REVISION + dice.randrange(30)]
        if dice.random() < 0.1:
            meta[6] = b"00-trace"
        return meta or None


def torn(dice: Random, number: int, data: bytes) -> list[Step]:
    """The same input in pieces."""
    cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randint(1, 4)))
    return [["data", number, data[a:b]] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


def sent(dice: Random, number: int, data: bytes, share: float) -> list[Step]:
    if not data:
        return []
    return torn(dice, number, data) if dice.random() < share else [["data", number, data]]
