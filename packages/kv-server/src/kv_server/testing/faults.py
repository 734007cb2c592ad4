"""What goes wrong between clients and the server, as a test has ordered it. Decides; `relay` acts on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypedDict, Unpack

import trio
from attrs import define

from kv_server.testing.clock import AtServer

__all__ = ["ANY", "CUT", "DELAY", "DROP", "DUPLICATE", "REPLY", "REQUEST", "Fault", "Faults"]

ANY: Final = "*"

REQUEST: Final = "request"
REPLY: Final = "reply"

DROP: Final = "drop"
DELAY: Final = "delay"
DUPLICATE: Final = "duplicate"
CUT: Final = "cut"
REFUSE: Final = "refuse"


@define(eq=False)
class Fault:
    """Something that is to happen to a message, *times* in a row from the *nth* on that it fits."""

    deed: str
    side: str
    word: str
    client: str | None
    nth: int
    times: int
    amount: float = 0
    met: int = 0
    done: int = 0

    def __str__(self) -> str:
        whose = "" if self.client is None else f" of client {self.client!r}"
        return f"{self.deed} {self.side} {self.word}{whose}: number {self.nth}, {self.done} of {self.times} times"

    def turn(self, side: str, word: str, client: str | None) -> bool:
        """Whether it befalls this message, which is counted if it fits."""
        if side != self.side or self.word not in (ANY, word) or self.client not in (None, client):
            return False
        self.met += 1
        return self.nth <= self.met < self.nth + self.times


class Message(TypedDict, total=False):
    """Which messages: with this word, of the client that has given itself this name; from the *nth* that fits, counted
    from now on over all connections, *times* in a row.
    """

    request: str
    reply: str
    client: str | None
    nth: int
    times: int


class Faults:
    """What is to go wrong.

    A message goes by the word of its command, `"*"` is any, HELLO too; what the server says of its own accord goes by
    its kind, such as `"LOCK_LOST"`. Connections of the text protocol know partitions, cuts at once and refusals alone.
    """

    def __init__(self, at_server: AtServer) -> None:
        self._at_server = at_server
        self._faults: list[Fault] = []
        self._parted: set[str | None] = set()
        self._healed = trio.Event()
        self.cut_now: Callable[[str | None], None] = lambda client: None

    def drop(self, **message: Unpack[Message]) -> None:
        """Lose a message, on a connection that goes on as if nothing had happened."""
        self._order(DROP, **message)

    def delay(self, seconds: float, **message: Unpack[Message]) -> None:
        """Keep a message for so long, and what comes behind it on its connection too."""
        self._order(DELAY, seconds, **message)

    def duplicate(self, **message: Unpack[Message]) -> None:
        """Deliver a message twice."""
        self._order(DUPLICATE, **message)

    def cut(self, after: int = 0, **message: Unpack[Message]) -> None:
        """End the connection in the place of a message, or *after* so many bytes from its beginning on.

        Without `request=` and `reply=` it ends all connections, or those of *client*, now.
        """
        if "request" in message or "reply" in message:
            self._order(CUT, after, **message)
        else:
            self._at_server(lambda: self.cut_now(message.get("client")))

    def refuse(self, times: int = 1) -> None:
        """Take no connection, so many times."""
        self._add(Fault(REFUSE, "connection", ANY, None, 1, times))

    def partition(self, client: str | None = None) -> None:
        """From now on nothing arrives, on either side, and nobody hears why: for all, or for *client*."""
        self._at_server(lambda: self._parted.add(client))

    def heal(self) -> None:
        """End all partitions: what was held back arrives, where there is still a connection."""
        self._at_server(self._heal)

    @property
    def pending(self) -> list[str]:
        """What was ordered and has not happened, not as often as it was to."""
        return [str(fault) for fault in self._faults if fault.done < fault.times]

    def check(self) -> None:
        """Raise `AssertionError` if anything is pending."""
        if self.pending:
            raise AssertionError(f"faults that never happened: {'; '.join(self.pending)}")

    def clear(self) -> None:
        """Forget what was ordered and has not happened."""
        self._at_server(self._faults.clear)

    # ---- for the relay
    def befalling(self, side: str, word: str, client: str | None) -> list[Fault]:
        """What befalls a message that comes now."""
        return [fault for fault in self._faults if fault.turn(side, word, client)]

    def refuses(self) -> bool:
        """Whether a connection that comes now is refused."""
        faults = self.befalling("connection", ANY, None)
        for fault in faults:
            fault.done += 1
        return bool(faults)

    async def passage(self, client: str | None) -> None:
        """Wait until there is no partition for *client*."""
        while not self._parted.isdisjoint((None, client)):
            await self._healed.wait()

    def _order(
        self,
        deed: str,
        amount: float = 0,
        *,
        request: str | None = None,
        reply: str | None = None,
        client: str | None = None,
        nth: int = 1,
        times: int = 1,
    ) -> None:
        if nth < 1 or times < 1 or amount < 0:
            raise ValueError("nth, times: from 1; seconds, bytes: from 0")
        chosen = [(side, word) for side, word in ((REQUEST, request), (REPLY, reply)) if word is not None]
        if len(chosen) != 1:
            raise ValueError("say which message: request= or reply=")
        [(side, word)] = chosen
        self._add(Fault(deed, side, word.upper(), client, nth, times, amount))

    def _add(self, fault: Fault) -> None:
        def add() -> None:
            self._faults = [other for other in self._faults if other.done < other.times]
            self._faults.append(fault)

        self._at_server(add)

    def _heal(self) -> None:
        self._parted.clear()
        self._healed.set()
        self._healed = trio.Event()
