"""What can go wrong, once for both sides: what the server raises is what the client catches.

KvError
    ProtocolError            PROTOCOL        the peer broke the wire; the connection ends
        UnsupportedVersion   VERSION
    CommandError             the caller's mistake: answered, the connection goes on
        UnknownCommand       UNKNOWN_COMMAND
        InvalidArgument      INVALID
        WrongType            WRONG_TYPE
        NotANumber           NOT_NUMBER
        CounterOverflow      OVERFLOW
        OutOfRange           RANGE
        TooLarge             TOO_LARGE
        NotFound             NOT_FOUND
        ConditionFailed      CONDITION
        LockHeld             LOCK_HELD
        LockLost             LOCK_LOST
        StaleFence           STALE_FENCE
        RateLimited          RATE_LIMITED
        TransactionConflict  TX_CONFLICT
    Refused                  the server's state: nothing was applied
        DeadlineExceeded     DEADLINE
        CallCancelled        CANCELLED
        Busy                 BUSY
        TooManyConnections   CONNECTIONS
        TooManyNamespaces    NAMESPACES
        Unauthenticated      UNAUTHENTICATED
        LoginFailed          LOGIN
        Forbidden            FORBIDDEN
        OutOfMemory          MEMORY
        QuotaExceeded        QUOTA
        ShuttingDown         SHUTTING_DOWN
        Loading              LOADING
        ReadOnly             READ_ONLY
    NotKept                  NOT_KEPT        applied, but perhaps not kept: the disk failed
    AnswerLost               ANSWER_LOST     applied before, the answer was not kept
    InternalError            INTERNAL        a bug of the server
    ConnectionLost           (client only)   says whether the call may have been applied
    CallTimeout              (client only)   the same, for a call whose time ran out
    ClientClosed             (client only)   the client is not open
    SchemaMismatch           (client only)   a value is not of the class that was asked for

Each class keeps its facts in `details` and, where a caller wants them, as attributes; the wire carries both.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

__all__ = [
    "AnswerLost", "Busy", "CallCancelled", "CallTimeout", "ClientClosed", "CommandError", "ConditionFailed",
    "ConnectionLost", "CounterOverflow", "DeadlineExceeded", "Forbidden", "InternalError", "InvalidArgument", "KvError",
    "Loading", "LockHeld", "LockLost", "LoginFailed", "NotANumber", "NotFound", "NotKept", "OutOfMemory", "OutOfRange",
    "ProtocolError", "QuotaExceeded", "RateLimited", "ReadOnly", "Refused", "SchemaMismatch", "ShuttingDown",
    "StaleFence", "TooLarge", "TooManyConnections", "TooManyNamespaces", "TransactionConflict", "Unauthenticated",
    "UnknownCommand", "UnsupportedVersion", "WrongType", "error_from_wire",
]  # fmt: skip


class KvError(Exception):
    """Anything that kv raises on purpose."""

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False
    resp: ClassVar[str] = "ERR"
    maybe_applied: bool = False

    def __init__(self, message: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details or {}

    def __str__(self) -> str:
        return self.message or self.code


class ProtocolError(KvError):
    """The peer broke the wire protocol; the connection ends."""

    code = "PROTOCOL"


class UnsupportedVersion(ProtocolError):
    code = "VERSION"


class CommandError(KvError):
    """The caller's mistake: the call is answered with it and has changed nothing."""


class UnknownCommand(CommandError):
    code = "UNKNOWN_COMMAND"


class InvalidArgument(CommandError):
    code = "INVALID"


class WrongType(CommandError):
    code = "WRONG_TYPE"
    resp = "WRONGTYPE"


class NotANumber(CommandError):
    code = "NOT_NUMBER"


class CounterOverflow(CommandError):
    code = "OVERFLOW"


class OutOfRange(CommandError):
    code = "RANGE"


class TooLarge(CommandError):
    code = "TOO_LARGE"


class NotFound(CommandError):
    code = "NOT_FOUND"


class ConditionFailed(CommandError):
    """A condition of the write does not hold; `current` is the entry as it is, or None where there is none."""

    code = "CONDITION"

    @property
    def current(self) -> Any:
        return self.details.get("current")


class LockHeld(CommandError):
    """Somebody else holds the lock, and the time to wait is over."""

    code = "LOCK_HELD"
    retryable = True

    @property
    def owner(self) -> str:
        return str(self.details.get("owner", ""))

    @property
    def remaining(self) -> float:
        """Seconds until the holder's lease ends unless it is renewed."""
        return int(self.details.get("remaining", 0)) / 1000


class LockLost(CommandError):
    """The lock is not held, or no longer held, under this token."""

    code = "LOCK_LOST"


class StaleFence(CommandError):
    """The write was refused: its lock is not held under its token now."""

    code = "STALE_FENCE"


class RateLimited(CommandError):
    """The limit would have been exceeded, and the time to wait is over; nothing was taken from it."""

    code = "RATE_LIMITED"
    retryable = True

    @property
    def retry_after(self) -> float:
        """Seconds after which the same may be allowed, if nobody else comes."""
        return int(self.details.get("retry_after", 0)) / 1000


class TransactionConflict(CommandError):
    """The transaction was not run: `keys` have other versions than it requires, those that are given here."""

    code = "TX_CONFLICT"

    @property
    def keys(self) -> dict[str, int]:
        return dict(self.details.get("keys", ()))


class Refused(KvError):
    """The server's state forbids the call now; nothing was applied."""


class DeadlineExceeded(Refused):
    code = "DEADLINE"
    retryable = True


class CallCancelled(Refused):
    code = "CANCELLED"
    retryable = True


class Busy(Refused):
    code = "BUSY"
    retryable = True


class TooManyConnections(Refused):
    code = "CONNECTIONS"
    retryable = True


class TooManyNamespaces(Refused):
    code = "NAMESPACES"


class Unauthenticated(Refused):
    """Nobody has logged in on this connection."""

    code = "UNAUTHENTICATED"
    resp = "NOAUTH"


class LoginFailed(Refused):
    """The name, password or token is wrong, or the user is disabled: which of these is not said."""

    code = "LOGIN"
    resp = "WRONGPASS"


class Forbidden(Refused):
    """The user may not do this."""

    code = "FORBIDDEN"
    resp = "NOPERM"


class OutOfMemory(Refused):
    """The server has as much data as it may have, and nothing that it may evict."""

    code = "MEMORY"
    resp = "OOM"
    retryable = True


class QuotaExceeded(Refused):
    """The namespace has as much of something as it may have."""

    code = "QUOTA"
    resp = "QUOTA"
    retryable = True

    @property
    def retry_after(self) -> float:
        """Seconds after which the same may be allowed; 0 if only a change of the data or of the quota helps."""
        return int(self.details.get("retry_after", 0)) / 1000


class ShuttingDown(Refused):
    code = "SHUTTING_DOWN"
    retryable = True


class Loading(Refused):
    """The server is reading its data and will answer when it is done."""

    code = "LOADING"
    resp = "LOADING"
    retryable = True


class ReadOnly(Refused):
    """The server cannot write to its disk now: what only reads goes on."""

    code = "READ_ONLY"
    resp = "MISCONF"
    retryable = True


class NotKept(KvError):
    """The call was run, but writing it to the disk failed: it may be gone after a restart."""

    code = "NOT_KEPT"
    resp = "MISCONF"
    maybe_applied = True


class AnswerLost(KvError):
    """The call was applied at `revision`, once, but its answer was too large to be kept for a repeat."""

    code = "ANSWER_LOST"

    @property
    def revision(self) -> int:
        return int(self.details.get("revision", 0))


class InternalError(KvError):
    """A bug of the server; whether the call was applied is not known."""

    code = "INTERNAL"
    maybe_applied = True


class ConnectionLost(KvError):
    """The connection is gone and the call could not be repeated safely."""

    code = "CONNECTION_LOST"
    retryable = True

    def __init__(
        self, message: str = "", details: Mapping[str, Any] | None = None, *, maybe_applied: bool = False
    ) -> None:
        super().__init__(message, details)
        self.maybe_applied = maybe_applied


class CallTimeout(KvError):
    """The call's time ran out at the client."""

    code = "TIMEOUT"
    retryable = True

    def __init__(
        self, message: str = "", details: Mapping[str, Any] | None = None, *, maybe_applied: bool = False
    ) -> None:
        super().__init__(message, details)
        self.maybe_applied = maybe_applied


class ClientClosed(KvError):
    """The client is not open: use it inside `async with connect(...)`."""

    code = "CLOSED"


class SchemaMismatch(KvError):
    """A value is not of the class that a typed view is of, or of a version that the view does not know."""

    code = "SCHEMA"


def _tree(root: type[KvError]) -> list[type[KvError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


_BY_CODE: dict[str, type[KvError]] = {kind.code: kind for kind in _tree(KvError) if "code" in vars(kind)}


class Failure(NamedTuple):
    """An error as it travels."""

    code: str
    message: str
    details: Mapping[str, Any]


def error_from_wire(failure: Failure) -> KvError:
    """The error that *failure* stands for; an unknown code is an `InternalError` that keeps its text."""
    kind = _BY_CODE.get(failure.code)
    if kind is None or kind is KvError:
        return InternalError(f"{failure.code}: {failure.message}", failure.details)
    return kind(failure.message, failure.details)
