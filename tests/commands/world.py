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
    """A lock in somebody's hands. *session* is the number of the holder's session; *most* 0 is any number."""

    def __init__(self, token: int, session: int, owner: str, granted: int, until: int, most: int) -> None:
        self.token = token
        self.session = session
        self.owner = owner
        self.granted = granted
        self.until = until
        self.most = most
        self.renewals = 0
        self.tick = 0
        self.keys: dict[bytes, int] = {}


class Waiting(NamedTuple):
    """A call that waits for a lock."""

    request_id: int
    session: int
    ttl: int
    ends: int | None
    most: int


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
        self.held: dict[tuple[bytes, bytes], list[Held]] = {}
        self.ticks = 0
        self.leaving: dict[int, tuple[int, int]] = {}
        """When sessions without a connection end, and after which call they lost it."""
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
        ends = [(held.until, held.tick, place, held) for place, holds in self.held.items() for held in holds]
        for until, _, place, held in sorted(ends, key=lambda end: end[:2]):
            if until <= self.elapsed:
                self.revision += 1
                self.lose(place, held, "expired")
                self.serve(place)
        waits = [call for line in self.lines.values() for call in line if call.ends is not None]
        due = [((call.ends or 0, call.request_id, 0), call) for call in waits]
        due += [((*when, 1), None) for when in self.leaving.values()]
        for (ends, _, _), call in sorted(due, key=lambda each: each[0]):
            if ends > self.elapsed:
                break
            if call is None:
                self.revision += 1
            elif self.is_waiting(call):
                self.said.append(Said(call.session, "fail", call.request_id, "LOCK_HELD"))
                self.withdraw(lambda other, call=call: other is call)
        self.leaving = {session: when for session, when in self.leaving.items() if when[0] > self.elapsed}

    # ---- locks
    def fits(self, place: tuple[bytes, bytes], most: int) -> bool:
        """Whether one more may hold the lock, if there are *most* of them then."""
        holds = self.held.get(place, [])
        return all(not limit or len(holds) < limit for limit in [most, *(held.most for held in holds)])

    def grant(self, place: tuple[bytes, bytes], session: int, ttl: int, most: int) -> tuple[int, int]:
        self.change(self.space(place[0]))
        held = Held(self.revision, session, self.owners[session], self.elapsed, self.elapsed + ttl, most)
        self.held.setdefault(place, []).append(held)
        self.touch(held)
        return self.revision, ttl

    def touch(self, held: Held) -> None:
        self.ticks += 1
        held.tick = self.ticks

    def find(self, place: tuple[bytes, bytes], token: int) -> Held | None:
        return next((held for held in self.held.get(place, []) if held.token == token), None)

    def lose(self, place: tuple[bytes, bytes], held: Held, why: str | None) -> None:
        space = self.space(place[0])
        for key in self.bound(place, held):
            del space.records[key]
        self.held[place].remove(held)
        if not self.held[place]:
            del self.held[place]
        self.changed = True
        if why:
            self.said.append(Said(held.session, "push", place, (held.token, why)))

    def bound(self, place: tuple[bytes, bytes], held: Held) -> list[bytes]:
        """The keys that go with a hold, and are as they were when they were bound."""
        records = self.space(place[0]).records
        return [key for key, version in held.keys.items() if key in records and records[key].version == version]

    def serve(self, place: tuple[bytes, bytes]) -> None:
        line = self.lines.get(place)
        if self.postponed is not None:
            self.postponed.append(place)
            return
        while line and self.fits(place, line[0].most):
            call = line.pop(0)
            self.revision += 1
            self.said.append(Said(call.session, "deliver", call.request_id, place))
            self.grant(place, call.session, call.ttl, call.most)

    def lock(
        self,
        place: tuple[bytes, bytes],
        session: int,
        request_id: int,
        ttl: int = 15_000,
        wait: Any = None,
        shared: bool = False,
        limit: int | None = None,
    ) -> Any:
        if ttl > DAY or (shared and limit is not None):
            raise Fails("INVALID")
        most = 0 if shared else limit or 1
        if place not in self.held or (not self.waiting(place) and self.fits(place, most)):
            if self.find(place, self.revision):
                raise Fails("INVALID")
            return self.grant(place, session, ttl, most)
        if wait == 0:
            first = self.held[place][0]
            raise Fails("LOCK_HELD", owner=first.owner, remaining=first.until - self.elapsed)
        ends = None if wait is None else self.elapsed + wait
        self.lines.setdefault(place, []).append(Waiting(request_id, session, ttl, ends, most))
        return PARKS

    def unlock(self, place: tuple[bytes, bytes], token: int) -> None:
        held = self.find(place, token)
        if held is None:
            raise Fails("LOCK_LOST")
        self.lose(place, held, None)
        self.serve(place)

    def extend(self, space: bytes, ttl: int, leases: Iterable[tuple[bytes, int]]) -> list[int | None]:
        if ttl > DAY:
            raise Fails("INVALID")
        answers: list[int | None] = []
        for name, token in leases:
            held = self.find((space, name), token)
            if held is None:
                answers.append(None)
                continue
            if self.elapsed + ttl > held.until:
                self.changed = True
                held.until = self.elapsed + ttl
                held.renewals += 1
                self.touch(held)
            answers.append(held.until - self.elapsed)
        return answers

    def break_(self, place: tuple[bytes, bytes], token: int | None) -> bool:
        holds = [held for held in self.held.get(place, []) if token in (None, held.token)]
        for held in holds:
            self.lose(place, held, "broken")
        if holds:
            self.serve(place)
        return bool(holds)

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
                h.most or None,
            )
            for there, holds in self.held.items()
            for h in holds
            for home, name in [there]
            if home == space
        ]

    def leases(self, space: bytes) -> list[tuple[Any, ...]]:
        holds = [(place, held) for place, holds in self.held.items() if place[0] == space for held in holds]
        found = [(place[1], held, self.bound(place, held)) for place, held in holds]
        return [(name, h.token, h.owner, h.until - self.elapsed, keys) for name, h, keys in found if keys]

    def waiting(self, place: tuple[bytes, bytes]) -> list[Waiting]:
        return self.lines.get(place, [])

    def is_waiting(self, call: Waiting) -> bool:
        return any(call in line for line in self.lines.values())

    def withdraw(self, wanted: Callable[[Waiting], bool]) -> bool:
        """Take the waiting calls that are *wanted* out of their lines; whether there were any. Then those have their
        turn who were behind the first of a line.
        """
        gone = [(call, place) for place, line in self.lines.items() for call in line if wanted(call)]
        freed = []
        for call, place in sorted(gone, key=lambda each: each[0].request_id):
            line = self.lines[place]
            if line[0] is call and len(line) > 1:
                freed.append(place)
            line.remove(call)
        for place in freed:
            self.serve(place)
        return bool(gone)

    # ---- namespaces
    def drop(self, name: bytes) -> bool:
        if self.spaces.pop(name, None) is None:
            return False
        self.changed = True
        places = [place for place in self.held if place[0] == name]
        for place in places:
            for held in list(self.held[place]):
                self.lose(place, held, "broken")
        for place in [place for place in self.lines if place[0] == name]:
            self.serve(place)
        return True
