"""Records both ends speak. On the wire each is an array of its fields in this order."""

from typing import Generic, NamedTuple, TypeVar

__all__ = [
    "Change", "ClientInfo", "DenialInfo", "Entry", "Fence", "Grant", "Lease", "LeaseInfo", "LockInfo", "Message",
    "NamespaceInfo", "ScanPage", "Seen", "TokenInfo", "UserInfo",
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
    user: str


class UserInfo(NamedTuple):
    """A user: how it logs in, and the rules that say what it may do."""

    name: str
    on: bool
    nopass: bool
    passwords: int
    rules: list[str]


class TokenInfo(NamedTuple):
    """A token, without its secret."""

    id: str
    user: str
    namespaces: list[str]
    """Patterns; none: all those of its user."""
    expires: int | None
    """When it ends, in milliseconds since 1970; None if it does not."""
    label: str


class DenialInfo(NamedTuple):
    """Something that was refused, and how often within a minute each; `age` in milliseconds."""

    reason: str
    object: str
    user: str
    client: str
    times: int
    age: int


class NamespaceInfo(NamedTuple):
    """What a namespace holds, and may hold where a limit is not 0."""

    namespace: str
    keys: int
    expiring: int
    locks: int
    bytes: int
    policy: str
    evicted: int
    max_bytes: int
    max_keys: int
    max_connections: int
    max_ops: int


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


class Seen(NamedTuple):
    """One event of a MONITOR; see protocol.md section 8. Of a gap only `missed` tells something."""

    kind: str
    time: int
    namespace: str
    session: int
    address: str
    client: str
    words: list[str]
    missed: int
