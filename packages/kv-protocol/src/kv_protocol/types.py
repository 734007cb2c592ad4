"""Records both ends speak. On the wire each is an array of its fields in this order."""

from typing import Generic, NamedTuple, TypeVar

__all__ = [
    "Change", "ClientInfo", "Entry", "Fence", "Grant", "Lease", "LeaseInfo", "LockInfo", "Message", "NamespaceInfo",
    "ScanPage",
]  # fmt: skip

V = TypeVar("V")


class Entry(NamedTuple, Generic[V]):
    """A value with what the store knows of it."""

    value: V
    version: int
    ttl: int | None
    """Milliseconds until the entry expires; None if it does not."""


class Fence(NamedTuple):
    """Proof of a lock, sent along with a write."""

    lock: str
    token: int


class Grant(NamedTuple):
    """A lock, granted: its fencing token and its lease in milliseconds from the moment of the grant."""

    token: int
    lease: int


class Lease(NamedTuple):
    """A lock that its holder wants to keep."""

    lock: str
    token: int


class LockInfo(NamedTuple):
    """One hold of a lock as an operator sees it; times in milliseconds."""

    lock: str
    token: int
    owner: str
    session: int
    age: int
    remaining: int
    renewals: int
    waiters: int
    limit: int | None
    """How many holds there may be for the sake of this one; None: any number, it is shared."""


class LeaseInfo(NamedTuple):
    """A hold that keys are bound to, as an operator sees it; `remaining` in milliseconds."""

    lock: str
    token: int
    owner: str
    remaining: int
    keys: list[str]


class ScanPage(NamedTuple):
    """One page of a scan; `cursor` 0 says that the scan is complete."""

    cursor: int
    keys: list[str]


class ClientInfo(NamedTuple):
    """A connection as an operator sees it; times in milliseconds."""

    id: int
    client: str
    address: str
    namespace: str
    age: int
    idle: int
    calls: int
    parked: int
    unsent: int


class NamespaceInfo(NamedTuple):
    """What a namespace holds."""

    namespace: str
    keys: int
    expiring: int
    locks: int
    bytes: int


class Message(NamedTuple, Generic[V]):
    """One event of a subscription to channels; see protocol.md section 8."""

    kind: str
    channel: str | None
    value: V | None
    pattern: str | None
    """What the channel fits, if it was not asked for by its name."""


class Change(NamedTuple, Generic[V]):
    """One event of a watch; see protocol.md section 8."""

    kind: str
    revision: int
    key: str | None
    value: V | None
