"""A session: who calls, exactly once. It outlives its connections; an outbox is the connection it has now."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, Protocol

from kv_protocol.errors import Forbidden, KvError, Unauthenticated
from kv_protocol.types import Change, Message, Seen
from kv_server.engine.conversation import Detour, Hearing, Transaction
from kv_server.spec.command import Command

__all__ = ["EVERYBODY", "EVERYTHING", "Guard", "Line", "Login", "Lost", "Outbox", "Session", "Waiting"]

EVERYTHING = -1  # every bit of a gate map is set


class Login(NamedTuple):
    """As whom somebody was let in, and with what: the hash of a password, `known` for what is as good as one, or
    nothing where nothing was asked for; *token* is the id of one.
    """

    user: str
    credential: str
    token: str


EVERYBODY: Final = Login("default", "", "")
"""Who has not said who it is, where nobody has to."""


class Outbox(Protocol):
    """What the engine can say to a connection. Nothing here waits."""

    address: str
    """Where its other end is."""

    @property
    def protocol(self) -> int:
        """The version of RESP that it speaks, 2 or 3; 0 if it is of the native door."""

    def deliver(self, request_id: int, command: Command, reply: object) -> None:
        """A call that waited has its reply."""

    def fail(self, request_id: int, error: KvError) -> None:
        """A call that waited, or a subscription, ended with *error*."""

    def event(self, request_id: int, event: Change[bytes] | Message[bytes] | Seen) -> None:
        """One granted event of a subscription."""

    def push(self, kind: str, *fields: object) -> None:
        """Something about the connection itself (id 0)."""

    def close(self, error: KvError) -> None:
        """Say why, and end the connection."""

    def lost(self) -> bool:
        """Whether the other end is known to be gone, although nobody has read that yet."""


class Line(Outbox, Protocol):
    """What commands of the text door may ask of the connection they came over."""

    command: Command | None
    """The last that was called."""
    held: int
    """Bytes of output that were not taken yet."""
    certified: str | None
    """Whom the certificate of the other end names."""
    library: tuple[str, str]
    """What the client says it is written with: a name and a version."""

    def speak(self, version: int) -> None:
        """Write in another version from here on."""

    def answer(self, mode: Literal["ON", "OFF", "SKIP"]) -> None:
        """Send replies, none, or none to this call and the next."""

    def say(self, text: bytes) -> None:
        """Send a line that answers no call."""

    def hang_up(self) -> None:
        """End when the answer to this call was sent."""

    def pause(self, wait_ms: int, everything: bool) -> None:
        """Let the calls of all connections of this door wait: those that write, or everything."""

    def unpause(self) -> None:
        """Let them go on."""


class Waiting(Protocol):
    """A call whose id is still open: one that waits, or a subscription."""

    session: Session
    request_id: int
    outbox: Outbox


class Guard(Protocol):
    """What looks at the names in a session's calls, where its user may not use all of them."""

    def check(self, command: Command, args: Any, options: Any, namespace: bytes) -> None:
        """Raise `Forbidden` unless the call, made in *namespace*, may name what it names."""

    def enters(self, namespace: bytes) -> bool:
        """Whether the user may do anything in *namespace*."""

    def reads(self, namespace: bytes, key: bytes) -> bool:
        """Whether the user may read *key*."""

    def fence(self, namespace: bytes, fence: Any) -> None:
        """Raise `Forbidden` unless the user may use the lock that *fence* names in *namespace*."""


class Lost:
    """Stands for an answer that was too large to keep; or, *doubtful*, for one that a restart may make untrue."""

    __slots__ = ("doubtful", "revision")

    def __init__(self, revision: int, doubtful: bool = False) -> None:
        self.revision = revision
        self.doubtful = doubtful


class Session:
    """One caller: its name and namespace, its kept answers by seq, and its open calls by request id."""

    __slots__ = (
        "amid", "answer_bytes", "answers", "client", "detour", "ends_ms", "guard", "hearing", "id", "lasting", "login",
        "namespace", "open", "outbox", "patient", "rights", "secret", "seen", "transaction", "user", "waiting",
    )  # fmt: skip

    def __init__(self, number: int, secret: bytes, client: str, namespace: bytes, user: str = EVERYBODY.user) -> None:
        self.id = number
        self.secret = secret
        self.client = client
        self.namespace = namespace
        self.user = user
        """Who may resume it."""
        self.login: Login | None = EVERYBODY
        """Who calls now; None: nobody has logged in."""
        self.lasting = True
        self.patient = False
        """Its connection goes on with a call that is `Unfinished`."""
        self.open = EVERYTHING
        """The gate of this session: what its user may call, and what it is in the middle of allows."""
        self.rights = EVERYTHING
        self.guard: Guard | None = None
        """None where the user may use all names: then nothing but the gate is asked."""
        self.amid = EVERYTHING
        self.detour: Detour | None = None
        self.transaction: Transaction | None = None
        self.hearing: Hearing | None = None
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

    def gate(self) -> None:
        """Open what the rights, and what it is in the middle of, leave open; with a guard, nothing unseen."""
        self.open = self.rights & self.amid if self.guard is None else 0

    def refusal(self, command: Command) -> KvError:
        """Why *command* is not among the rights."""
        if self.login is None:
            return Unauthenticated("Authentication required.")
        word = command.name.lower().replace(" ", "|")
        return Forbidden(f"this user has no permissions to run the '{word}' command", {"user": self.login.user})

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
