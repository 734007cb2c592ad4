r"""One call: what was asked, where it stands, what came back.

    QUEUED --> SENT --> DONE
       \________________/^

A face derives from `Call` and overrides `wake`, which the session calls once, when the call is done. A call whose
owner left after it was sent is DONE at once; its id stays taken until the late reply has come.
"""

from math import inf
from typing import Any, Final, Protocol

from kv_protocol.errors import KvError

__all__ = [
    "CHANGES",
    "DONE",
    "NOTE",
    "QUEUED",
    "READ",
    "SENT",
    "TAKES",
    "WAITS",
    "WRITE",
    "Call",
    "Group",
    "Fencing",
    "Wire",
]

READ: Final = 0
WRITE: Final = 1
TAKES: Final = 2  # a write whose cancellation must be answered
WAITS: Final = 4  # a bit: has no time-out unless its caller gives one
NOTE: Final = 8  # a bit: about this connection only, never repeated on another one
CHANGES: Final = WRITE | TAKES

QUEUED: Final = 0
SENT: Final = 1
DONE: Final = 2

Wire = str | bytes
"""A name as it travels."""


class Fencing(Protocol):
    """What a write can be fenced with: a held lock, or a `Fence` made from one."""

    @property
    def lock(self) -> str: ...

    @property
    def token(self) -> int: ...


class Waking(Protocol):
    """Where somebody may wait."""

    def wake(self) -> None: ...


class Group:
    """Calls that one owner waits for together."""

    __slots__ = ("awaited", "waiter")

    def __init__(self, waiter: Waking) -> None:
        self.waiter = waiter
        self.awaited = 0

    def answered(self) -> None:
        """One more of them is done."""
        self.awaited -= 1
        if not self.awaited:
            self.waiter.wake()


class Call:
    """A call and its outcome: *body*, or *error*. Moments are seconds on the client's own clock.

    *deadline* is when the client gives up, *latest* is when the server is to refuse it, never later than *deadline*.
    """

    __slots__ = (
        "args",
        "body",
        "deadline",
        "ending",
        "error",
        "fence",
        "frame",
        "group",
        "id",
        "kind",
        "latest",
        "namespace",
        "options",
        "order",
        "repeated",
        "seq",
        "size",
        "state",
        "strikes",
        "trace",
        "word",
    )

    def __init__(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        namespace: Wire | None = None,
        fence: Fencing | None = None,
        deadline: float = inf,
        latest: float = inf,
    ) -> None:
        self.ask(word, args, options, kind, namespace, fence, deadline, latest)

    def ask(
        self,
        word: str,
        args: tuple[object, ...],
        options: dict[str, object] | None,
        kind: int,
        namespace: Wire | None,
        fence: Fencing | None,
        deadline: float,
        latest: float,
    ) -> None:
        """Be a new call: what `__init__` does, for who makes many."""
        self.word = word
        self.args = args
        self.options = options
        self.kind = kind
        self.namespace = namespace
        self.fence = fence
        self.deadline = deadline
        self.latest = latest
        self.state = QUEUED
        self.seq = 0
        self.strikes = 0
        self.ending = 0
        self.repeated = False  # it was sent on an earlier connection too: QUEUED says nothing then
        self.group: Group | None = None
        self.error: KvError | None = None
        self.body: Any = None

    id: int
    order: int
    size: int
    frame: bytes
    trace: str | None

    @property
    def awaited(self) -> bool:
        """Whether it is not done."""
        return self.state != DONE

    def wake(self) -> None:
        """Tell the owner that the call is done."""
        if self.group is not None:
            self.group.answered()

    def repeat(self) -> None:
        """Get ready to be sent once more."""

    def event(self, body: Any) -> None:
        """Take one of many replies; only subscriptions have any."""
        raise AssertionError(f"{self.word} got an event")

    def __repr__(self) -> str:
        state = ("queued", "sent", "done")[self.state]
        return f"<{type(self).__name__} {self.word} {state}>"
