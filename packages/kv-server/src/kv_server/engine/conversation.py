"""What a connection of the text door may be in the middle of: a transaction, or listening to channels.

Either closes the session's gates for most words; whatever is then called goes to the `Detour` instead.
"""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeAlias

from kv_protocol.errors import CommandError, InvalidArgument, TooLarge
from kv_protocol.limits import MIB
from kv_server.spec.checks import called, words_missing
from kv_server.spec.command import Command, Flag
from kv_server.spec.resp_kinds import Simple

__all__ = ["QUEUED", "Detour", "Hearing", "Place", "Transaction"]

QUEUED: Final = Simple(b"QUEUED")
MAX_QUEUED: Final = 1_048_576  # calls of one transaction
MAX_QUEUED_BYTES: Final = 64 * MIB  # what these may take
CALL_BYTES: Final = 130  # measured: what a call in the queue costs, and each of its words beyond its bytes
WORD_BYTES: Final = 48

Place: TypeAlias = tuple[bytes, bytes]
"""A namespace, and a key or a channel in it."""


class Detour(Protocol):
    """Where the calls of a session go that are not open to it now."""

    def take(self, command: Command, words: list[bytes]) -> object:
        """Answer a call in the place of its command."""

    def fail(self) -> None:
        """A line was no call at all."""


class Transaction:
    """What one connection watches, and what it has queued.

    *touched*: something it watches has changed. *spoiled*: a line could not be queued. *size*: about how many bytes the
    queue takes.
    """

    __slots__ = ("calls", "queueing", "size", "spoiled", "touched", "watched")

    def __init__(self) -> None:
        self.watched: dict[Place, bool] = {}  # whether there was something at the time
        self.calls: list[tuple[Command, list[bytes]]] = []
        self.size = 0
        self.queueing = False
        self.touched = False
        self.spoiled = False

    def take(self, command: Command, words: list[bytes]) -> object:
        """Queue a call, if it has as many words as it must have."""
        try:
            check_arity(command, words)
            if command.flags & Flag.ALONE:
                raise InvalidArgument("Command not allowed inside a transaction")
            if len(self.calls) >= MAX_QUEUED:
                raise InvalidArgument(f"a transaction of more than {MAX_QUEUED:,} commands")
            size = self.size + CALL_BYTES + sum(map(len, words)) + WORD_BYTES * len(words)
            if size > MAX_QUEUED_BYTES:
                raise TooLarge(
                    f"a transaction of more than {MAX_QUEUED_BYTES >> 20} MiB: run it in parts",
                    {"limit": MAX_QUEUED_BYTES},
                )
        except CommandError:
            self.spoiled = True
            raise
        self.size = size
        self.calls.append((command, words))
        return QUEUED

    def fail(self) -> None:
        self.spoiled = True


class Hearing:
    """The channels that one connection listens to, each with the namespace it is of, in the order of asking."""

    __slots__ = ("channels", "patterns", "shards")

    def __init__(self) -> None:
        self.channels: dict[Place, None] = {}
        self.patterns: dict[Place, None] = {}
        self.shards: dict[Place, None] = {}

    def __bool__(self) -> bool:
        return bool(self.channels or self.patterns or self.shards)

    def take(self, command: Command, words: list[bytes]) -> Any:
        check_arity(command, words)
        raise InvalidArgument(
            f"Can't execute '{_spelled(command, words)}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
            "are allowed in this context"
        )

    def fail(self) -> None:
        """What is no call is answered as always."""


def check_arity(command: Command, words: list[bytes]) -> None:
    """Refuse a line that has not as many words as *command* must have."""
    arity = command.arity
    if len(words) != arity if arity > 0 else len(words) < -arity:
        raise words_missing(_spelled(command, words))


def _spelled(command: Command, words: list[bytes]) -> str:
    """The word or words by which *command* was called."""
    return called(words, 1 + command.name.count(" "))
