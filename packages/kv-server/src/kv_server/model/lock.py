"""Locks that are held, by one session or by several at once. A lock that nobody holds does not exist."""

from collections.abc import Mapping
from typing import Final

from kv_server.model.collector import spare

__all__ = ["BOUND_BYTES", "HOLD_BYTES", "LOCK_BYTES", "Hold", "Lock"]

LOCK_BYTES: Final = 300  # measured: what one costs beyond the bytes of its name
HOLD_BYTES: Final = 500
BOUND_BYTES: Final = 40

_FLOOR: Final = 64  # so few keys are not worth a look


class Hold:
    """What one session has of a lock: under which token, until when on the server's own monotonic clock, and how many
    holds there may be of it, this one included, for its sake: *most*, 0 for any number. The *keys* that go with it are
    kept with the versions they were bound at: one that has another version by then is no longer bound.
    """

    __slots__ = ("granted_ms", "keys", "most", "owner", "renewals", "session", "sweep_at", "token", "until_ms")

    def __init__(
        self,
        token: int,
        session: int,
        owner: str,
        granted_ms: int,
        until_ms: int,
        renewals: int,
        most: int,
        keys: Mapping[bytes, int],
    ) -> None:
        self.token = token
        self.session = session
        self.owner = owner
        self.granted_ms = granted_ms
        self.until_ms = until_ms
        self.renewals = renewals
        self.most = most
        self.keep(keys)
        spare(self)

    def keep(self, keys: Mapping[bytes, int]) -> None:
        """Let these be its keys. When there are twice as many, it is time to see which are still bound."""
        self.keys = dict(keys)
        spare(self.keys)
        self.sweep_at = 2 * len(self.keys) + _FLOOR

    @property
    def weight(self) -> int:
        """What it is accounted for."""
        return HOLD_BYTES + len(self.owner) + sum(map(len, self.keys)) + BOUND_BYTES * len(self.keys)

    def facts(self) -> tuple[int, int, str, int, int, int, int, dict[bytes, int]]:
        """All there is to say, in the order in which it is told to make one."""
        return (
            self.token, self.session, self.owner, self.granted_ms, self.until_ms, self.renewals, self.most,
            self.keys.copy(),
        )  # fmt: skip


class Lock(dict[int, Hold]):
    """Its holds by their tokens, in the order of their grants. One rule makes it exclusive, shared or a semaphore:
    there are never more holds than each of them allows.
    """

    __slots__ = ("least",)

    def __init__(self) -> None:
        super().__init__()
        self.least = 0  # the smallest number that a hold allows, 0 if all allow any

    def admits(self, most: int) -> bool:
        """Whether there may be one more hold, which allows *most*."""
        count = len(self) + 1
        return (not most or count <= most) and (not self.least or count <= self.least)

    def add(self, hold: Hold) -> None:
        self[hold.token] = hold
        spare(self)
        if hold.most:
            self.least = min(self.least or hold.most, hold.most)

    def remove(self, token: int) -> Hold:
        hold = self.pop(token)
        if hold.most and hold.most == self.least:
            self.least = min((other.most for other in self.values() if other.most), default=0)
        return hold

    def weigh(self, name: bytes) -> int:
        """What it is accounted for with all its holds, under *name*."""
        return LOCK_BYTES + len(name) + sum(hold.weight for hold in self.values())

    def twin(self) -> "Lock":
        """The same, to be changed apart."""
        twin = Lock()
        for hold in self.values():
            twin.add(Hold(*hold.facts()))
        return twin
