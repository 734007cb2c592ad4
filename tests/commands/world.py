"""All namespaces, the locks, and who waits for them: the part of the plain model that knows more than one key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.commands.keyspace import Keyspace
from tests.commands.plain import Fails
from tests.engine.rig import ELAPSED_MS, NOW_MS

DAY = 24 * 3_600_000
LINGER = 60_000


class Held:
    """A lock in somebody's hands. *session* is the number of the holder's session."""

    def __init__(self, token: int, session: int, owner: str, granted: int, until: int) -> None:
        self.token = token
        self.session = session
        self.owner = owner
        self.granted = granted
        self.until = until
        self.renewals = 0


class Waiting(NamedTuple):
    """A call that waits for a lock."""

    request_id: int
    session: int
    ttl: int
    ends: int | None


class Said(NamedTuple):
    """What a session must hear: a kind, the call or lock it is about, and what more is known."""

    session: int
    kind: str
    about: Any
    more: Any


PARKS = object()
"""What a call that waits answers at first."""


class World:
    """Everything a server holds. `said` is what its clients must have heard since it was last emptied."""

    def __init__(self) -> None:
        self.now = NOW_MS
        self.elapsed = ELAPSED_MS
        self.revision = 0
        self.changed = False
        self.spaces: dict[bytes, Keyspace] = {}
        self.held: dict[tuple[bytes, bytes], Held] = {}
        self.lines: dict[tuple[bytes, bytes], list[Waiting]] = {}
        self.said: list[Said] = []
        self.owners: dict[int, str] = {}
        self.postponed: list[tuple[bytes, bytes]] | None = None

    def space(self, name: bytes) -> Keyspace:
        return self.spaces.get(name) or Keyspace(self, name)

    def change(self, space: Keyspace) -> None:
        self.changed = True
        self.spaces.setdefault(space.name, space)

    # ---- time
    def advance(self, ms: int) -> None:
        """Leases end before waits do, both as late as this step."""
        self.now += ms
        self.elapsed += ms
        for place, held in sorted(self.held.items(), key=lambda item: item[1].until):
            if held.until <= self.elapsed:
                self.revision += 1
                self.lose(place, "expired")
                self.serve(place)
        for place, line in self.lines.items():
            over = [call for call in line if call.ends is not None and call.ends <= self.elapsed]
            for call in over:
                line.remove(call)
                self.said.append(Said(call.session, "fail", call.request_id, "LOCK_HELD"))
            assert not over or place in self.held

    # ---- locks
    def grant(self, place: tuple[bytes, bytes], session: int, ttl: int) -> tuple[int, int]:
        self.change(self.space(place[0]))
        self.held[place] = Held(self.revision, session, self.owners[session], self.elapsed, self.elapsed + ttl)
        return self.revision, ttl

    def lose(self, place: tuple[bytes, bytes], why: str | None) -> None:
        held = self.held.pop(place)
        self.changed = True
        if why:
            self.said.append(Said(held.session, "push", place, (held.token, why)))

    def serve(self, place: tuple[bytes, bytes]) -> None:
        line = self.lines.get(place)
        if self.postponed is not None:
            self.postponed.append(place)
        elif line and place not in self.held:
            call = line.pop(0)
            self.revision += 1
            self.said.append(Said(call.session, "deliver", call.request_id, place))
            self.grant(place, call.session, call.ttl)

    def lock(
        self, place: tuple[bytes, bytes], session: int, request_id: int, ttl: int = 15_000, wait: Any = None
    ) -> Any:
        if ttl > DAY:
            raise Fails("INVALID")
        held = self.held.get(place)
        if held is None:
            return self.grant(place, session, ttl)
        if wait == 0:
            raise Fails("LOCK_HELD", owner=held.owner, remaining=held.until - self.elapsed)
        ends = None if wait is None else self.elapsed + wait
        self.lines.setdefault(place, []).append(Waiting(request_id, session, ttl, ends))
        return PARKS

    def unlock(self, place: tuple[bytes, bytes], token: int) -> None:
        held = self.held.get(place)
        if held is None or held.token != token:
            raise Fails("LOCK_LOST")
        self.lose(place, None)
        self.serve(place)

    def extend(self, space: bytes, ttl: int, leases: Iterable[tuple[bytes, int]]) -> list[int | None]:
        if ttl > DAY:
            raise Fails("INVALID")
        answers: list[int | None] = []
        for name, token in leases:
            held = self.held.get((space, name))
            if held is None or held.token != token:
                answers.append(None)
                continue
            if self.elapsed + ttl > held.until:
                self.changed = True
                held.until = self.elapsed + ttl
                held.renewals += 1
            answers.append(held.until - self.elapsed)
        return answers

    def break_(self, place: tuple[bytes, bytes]) -> bool:
        if place not in self.held:
            return False
        self.lose(place, "broken")
        self.serve(place)
        return True

    def locks(self, space: bytes) -> list[tuple[Any, ...]]:
        return [
            (
                name,
                h.token,
                h.owner,
                h.session,
                self.elapsed - h.granted,
                h.until - self.elapsed,
                h.renewals,
                len(self.waiting(there)),
            )
            for there, h in self.held.items()
            for home, name in [there]
            if home == space
        ]

    def waiting(self, place: tuple[bytes, bytes]) -> list[Waiting]:
        return self.lines.get(place, [])

    def withdraw(self, wanted: Callable[[Waiting], bool]) -> bool:
        """Take the waiting calls that are *wanted* out of their lines; whether there were any."""
        found = False
        for line in self.lines.values():
            kept = [call for call in line if not wanted(call)]
            found = found or len(kept) < len(line)
            line[:] = kept
        return found

    # ---- namespaces
    def drop(self, name: bytes) -> bool:
        if self.spaces.pop(name, None) is None:
            return False
        self.changed = True
        places = [place for place in self.held if place[0] == name]
        for place in places:
            self.lose(place, "broken")
        for place in places:
            self.serve(place)
        return True
