"""A session: who calls, exactly once. It outlives its connections; an outbox is the connection it has now."""

from __future__ import annotations

from typing import Protocol

from kv_protocol.errors import KvError
from kv_protocol.types import Change
from kv_server.spec.command import Command

__all__ = ["EVERYTHING", "Lost", "Outbox", "Session", "Waiting"]

EVERYTHING = -1  # every bit of a gate map is set


class Outbox(Protocol):
    """What the engine can say to a connection. Nothing here waits."""

    def deliver(self, request_id: int, command: Command, reply: object) -> None:
        """A call that waited has its reply."""

    def fail(self, request_id: int, error: KvError) -> None:
        """A call that waited, or a subscription, ended with *error*."""

    def event(self, request_id: int, event: Change[bytes]) -> None:
        """One granted event of a subscription."""

    def push(self, kind: str, *fields: object) -> None:
        """Something about the connection itself (id 0)."""

    def close(self, error: KvError) -> None:
        """Say why, and end the connection."""


class Waiting(Protocol):
    """A call whose id is still open: one that waits, or a subscription."""

    session: Session
    request_id: int
    outbox: Outbox


class Lost:
    """Stands for an answer that was too large to be kept."""

    __slots__ = ("revision",)

    def __init__(self, revision: int) -> None:
        self.revision = revision


class Session:
    """One caller: its name and namespace, its kept answers by seq, and its open calls by request id."""

    __slots__ = (
        "answer_bytes", "answers", "client", "ends_ms", "id", "namespace", "open", "outbox", "secret", "seen",
        "waiting",
    )  # fmt: skip

    def __init__(self, number: int, secret: bytes, client: str, namespace: bytes) -> None:
        self.id = number
        self.secret = secret
        self.client = client
        self.namespace = namespace
        self.open = EVERYTHING
        self.outbox: Outbox | None = None
        self.answers: dict[int, tuple[object, int]] = {}
        self.answer_bytes = 0
        self.seen = 0
        self.ends_ms = 0
        self.waiting: dict[int, Waiting] = {}

    @property
    def owner(self) -> str:
        """The name by which people know this session."""
        return self.client or f"session {self.id}"

    def keep(self, seq: int, reply: object, size: int) -> None:
        """Remember *reply* as the answer to *seq*."""
        self.answers[seq] = reply, size
        self.answer_bytes += size

    def forget(self, seen: int) -> None:
        """Drop the answers below *seen*: they have arrived."""
        self.seen = seen
        answers = self.answers
        gone = []
        for seq in answers:
            if seq >= seen:
                break
            gone.append(seq)
        for seq in gone:
            self.answer_bytes -= answers.pop(seq)[1]
