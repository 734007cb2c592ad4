"""How much there may be: budgets of the store and of namespaces, what gives way, what is refused, calls per second.

While everything is within its budget nobody asks here. Whoever passes one makes the store call `press`: from then on
the calls that may grow come by `admit`, until there is room again. What is evicted goes in commits of its own.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final

from kv_protocol.errors import OutOfMemory, QuotaExceeded
from kv_protocol.limits import MIB
from kv_protocol.names import text
from kv_server.engine.before import Before
from kv_server.engine.gates import CLOSED
from kv_server.engine.rows import EVICTED
from kv_server.engine.session import EVERYTHING, Session
from kv_server.model.account import NEVER
from kv_server.model.space import Namespace
from kv_server.model.terms import Rules
from kv_server.spec.command import Command, Flag

if TYPE_CHECKING:
    from kv_server.engine.engine import Engine

__all__ = ["Room"]

SESSION_BYTES: Final = 1_100  # measured: what a session costs, and what each of the following costs in it
ANSWER_BYTES: Final = 200
WAITING_BYTES: Final = 800
QUEUED_BYTES: Final = 250

MAX_LEFT: Final = 10_000  # sessions without a connection
MAX_LEFT_BYTES: Final = 256 * MIB  # what is kept for them

_FEW: Final = 128  # keys that one call evicts at most, unless far too much is there
_MANY: Final = 2_048
_SLICE: Final = 512
_SPARE: Final = 64 * 1024  # so much more is made room for than is needed, so that not every call has to
_WEIGHED_MS: Final = 1_000
_METERS: Final = 4_096  # so many are kept although they may be idle
_UNMETERED: Final = Flag.ADMIN | Flag.STEERS
_UNMETERED_GROUPS: Final = frozenset(("connection", "lock"))


class Room:
    """The budgets of one engine. *max_memory* is that of the store, 0 for none."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.store = engine.store
        self.store.press = self.press
        self.max_memory = 0
        self.rules = self.store.rules
        self.growing = engine.catalog.bits(Flag.GROWS)
        self.metered = EVERYTHING
        for command in (*engine.catalog.commands.values(), *engine.catalog.spoken.values()):
            if command.flags & _UNMETERED or command.group in _UNMETERED_GROUPS:
                self.metered &= ~(1 << command.bit)
        self.meters: dict[bytes, float] = {}
        """By namespace, when nothing of the calls that are allowed in a second will be used up."""
        self.full: dict[Namespace, None] = {}
        """Namespaces that have passed a limit of theirs."""
        self.overfull = False
        """The store has passed its limit."""
        self.due = False
        """There may be something to evict although nobody calls."""
        self.evicted = self.out_of_memory = self.over_quota = self.ended_early = 0
        self._evicting = False
        self._weighed_ms = 0

    # ---- settings
    def apply(self, *, max_memory: int | None = None, samples: int | None = None, rules: Rules | None = None) -> None:
        """Live by other settings from here on; those that are None stay."""
        if samples is not None:
            self.store.habits.samples = samples
        if max_memory is not None:
            self.max_memory = max_memory
        if rules is not None:
            self.rules = rules
            self.store.govern(rules)
        self.store.most_bytes = self.max_memory or NEVER
        self.overfull = self.due = self.store.bytes > self.store.most_bytes
        self.full = {space: None for space in self.store.namespaces.values() if is_over(space)}
        self.due = self.due or any(space.cache for space in self.full)
        self.gate()

    def setting(self, name: str) -> Any:
        """`max_memory`, `max_memory_samples` or `namespaces` as it is now."""
        if name == "namespaces":
            return self.rules.listed
        return self.max_memory if name == "max_memory" else self.store.habits.samples

    def change(self, name: str, value: Any) -> None:
        """Give one of these another value."""
        if name == "namespaces":
            self.apply(rules=Rules(value, self.rules.numbered))
        elif name == "max_memory":
            self.apply(max_memory=value)
        else:
            self.apply(samples=value)

    def gate(self) -> None:
        """See to it that the right calls ask."""
        careful = self.growing if self.full or self.overfull else CLOSED
        if self.rules.metered:
            careful |= self.metered
        if careful != self.engine.careful:
            self.engine.careful = careful
            self.engine.gate()

    def press(self, space: Namespace) -> None:
        """*space* has grown, and it or the store has passed a limit."""
        store = self.store
        if store.bytes > store.most_bytes:
            store.most_bytes = NEVER
            self.overfull = self.due = True
        if is_over(space):
            space.disarm()
            self.full[space] = None
            self.due = self.due or space.cache is not None
        self.gate()

    # ---- calls
    def admit(self, command: Command, args: Any, options: Any, namespace: bytes, again: bool) -> None:
        """Let a call run, or say why there is no room for it. One that is tried *again* was counted before."""
        tx = self.engine.tx
        queued = tx.within and not isinstance(tx.before, Before)
        if self.rules.metered and not again and not queued and self.metered >> command.bit & 1:
            self.count(namespace)
        if (self.full or self.overfull) and command.flags & Flag.GROWS:
            if not tx.within:
                self.make_room()
            if command.place == "tx" and (self.full or self.overfull):
                self.check(command, args, options, namespace)

    def make_room(self) -> None:
        """Evict what a call has to wait for, and take back what was said of those that have room again."""
        if self._evicting or self.engine.tx.within:
            return
        for space in list(self.full):
            if self.store.namespaces.get(space.name) is not space:
                del self.full[space]
            else:
                self.relieve(space, most(space.bytes, space.terms.bytes))
        if self.overfull:
            self.relieve_store(most(self.store.bytes, self.max_memory))
        self.gate()

    def check(self, command: Command, args: Any, options: Any, namespace: bytes) -> None:
        """Raise if what the call wants to add has no room."""
        spaces = {namespace: self.store.namespaces.get(namespace)}
        names = []
        if self.full:
            names = command.names(command.bind_text(args) if command.spoken else command.bind_typed(args, options))
            spaces |= {one.name: self.store.namespaces.get(one.name) for one in names if one.kind == "namespace"}
        for name, space in spaces.items():
            if space is None or space not in self.full:
                continue
            terms = space.terms
            if space.over > (terms.bytes >> 4 if space.cache is not None and space.cache.ring else 0):
                self.over_quota += 1
                raise quota(name, "bytes", terms.bytes, space.bytes)
            if terms.keys and space.keys >= terms.keys:
                fresh = sum(
                    1
                    for one in names
                    if one.kind == "key" and one.access & Flag.WRITE and not self.engine.tx.exists_in(name, one.name)
                )
                if fresh and space.keys + fresh > terms.keys:
                    self.over_quota += 1
                    raise quota(name, "keys", terms.keys, space.keys)
        if self.overfull:
            over = self.store.bytes - self.max_memory
            if over > (self.max_memory >> 4 if any(space.cache and space.cache.ring for space in self.caches()) else 0):
                self.out_of_memory += 1
                raise OutOfMemory(
                    f"the server has {self.store.bytes:,} bytes and may have {self.max_memory:,}: delete keys, let "
                    "them expire, declare a namespace a cache, or raise max_memory",
                    {"limit": self.max_memory, "used": self.store.bytes},
                )

    def afford(self, size: int, namespace: bytes | None = None) -> None:
        """Raise if *size* bytes are more than this namespace, or the server, may have at all; or if there is no room
        in another *namespace* for one key more of that size.
        """
        name = self.engine.tx.name if namespace is None else namespace
        space, terms = self.store.namespaces.get(name), self.rules.of(name)
        keys, used = (space.keys, space.bytes) if space is not None and namespace is not None else (0, 0)
        cache = terms.policy != "noeviction"
        if terms.bytes and size + (0 if cache else used) > terms.bytes:
            self.over_quota += 1
            raise quota(name, "bytes", terms.bytes, used or size)
        if terms.keys and keys >= terms.keys and not cache:
            self.over_quota += 1
            raise quota(name, "keys", terms.keys, keys)
        if self.max_memory and size > self.max_memory:
            self.out_of_memory += 1
            raise OutOfMemory(
                f"one value of {size:,} bytes, where the server may have {self.max_memory:,}",
                {"limit": self.max_memory, "used": self.store.bytes},
            )

    def count(self, namespace: bytes) -> None:
        """Count a call in *namespace*. Raises if there were as many in this second as there may be."""
        ops = self.rules.of(namespace).ops
        if not ops:
            return
        now_ms, step_ms, meters = self.engine.elapsed_ms, 1000 / ops, self.meters
        until_ms = max(meters.get(namespace, 0.0), now_ms) + step_ms
        if until_ms - now_ms > 1000.001:
            self.over_quota += 1
            raise quota(namespace, "ops", ops, ops, ceil(until_ms - now_ms - 1000))
        meters[namespace] = until_ms
        if len(meters) > _METERS:
            self.meters = {name: until for name, until in meters.items() if until > now_ms}

    def check_connection(self, namespace: bytes, beside: Session | None = None) -> None:
        """Raise if as many connections are in *namespace* as may be, *beside* not counted."""
        limit = self.rules.of(namespace).connections
        if limit:
            sessions = self.engine.sessions.values()
            there = len([
                one for one in sessions
                if one.namespace == namespace and one.outbox is not None and one is not beside
            ])  # fmt: skip
            if there >= limit:
                self.over_quota += 1
                raise quota(namespace, "connections", limit, there)

    # ---- eviction
    def caches(self) -> list[Namespace]:
        return [space for space in self.store.namespaces.values() if space.cache is not None]

    def relieve(self, space: Namespace, count: int) -> None:
        """Evict up to *count* keys of *space*, if it is a cache, while it has too much."""
        terms = space.terms
        if is_over(space) and space.cache is not None:
            least_bytes = spared(terms.bytes)
            least_keys = terms.keys - max(1, min(terms.keys >> 7, 64)) if terms.keys else NEVER
            self.evict(space, count, lambda: space.bytes > least_bytes or space.keys > least_keys)
        if not is_over(space):
            self.full.pop(space, None)
            space.arm()

    def relieve_store(self, count: int) -> None:
        """Evict up to *count* keys of all caches while the store has too much, each as likely as it has keys."""
        store, goal = self.store, spared(self.max_memory)
        while count > 0 and store.bytes > (goal if self.overfull else self.max_memory):
            caches = [space for space in self.caches() if space.cache is not None and space.cache.ring]
            if not caches:
                break
            sizes = [len(space.cache.ring) for space in caches if space.cache is not None]
            for space in store.habits.throws.choices(caches, sizes, k=4):
                done = self.evict(space, min(count, 16), lambda: store.bytes > goal)
                count -= max(done, 1)
        if store.bytes <= self.max_memory:
            self.overfull = False
            store.most_bytes = self.max_memory

    def evict(self, space: Namespace, count: int, too_much: Any) -> int:
        """Drop up to *count* keys of a cache in a commit of their own, while there is *too_much*; how many it were."""
        engine, tx, cache = self.engine, self.engine.tx, space.cache
        assert cache is not None
        done = 0
        bound = {
            (key, version)
            for held in space.locks.values()
            for hold in held.values()
            for key, version in hold.keys.items()
        }
        self._evicting = True
        tx.start(space.name, None)
        while done < count and too_much():
            entry = cache.choose(bound)
            if entry is None:
                break
            tx.key_drop(entry.key, EVICTED)
            done += 1
        engine.seal()
        self._evicting = False
        space.evicted += done
        self.evicted += done
        if done:
            engine.serve()
        return done

    # ---- what goes on without calls
    def advance(self) -> bool:
        """Do a slice of what is left to evict or to change; True while there is more."""
        engine, store = self.engine, self.store
        if engine.elapsed_ms - self._weighed_ms >= _WEIGHED_MS + len(engine.sessions) // 4:
            self.weigh_callers()
            if engine.writable:
                self.end_sessions()
        more = bool(store.turning) and store.turn_some()
        if self.due and engine.writable:
            before = self.evicted
            for space in list(self.full):
                self.relieve(space, _SLICE)
            if self.overfull:
                self.relieve_store(_SLICE)
            self.due = self.evicted > before and (self.overfull or any(space.cache for space in self.full))
            self.gate()
            more = self.due or more
        return more

    @property
    def waiting(self) -> bool:
        """There is something to do at once."""
        return bool(self.store.turning) or (self.due and self.engine.writable)

    def end_sessions(self) -> None:
        """End the sessions that have been without a connection for longest, where there are too many of them, or too
        much is kept for them.
        """
        left = [one for one in self.engine.sessions.values() if one.outbox is None and one.lasting]
        count, size = len(left), sum(one.answer_bytes for one in left)
        if count > MAX_LEFT or size > MAX_LEFT_BYTES:
            for session in sorted(left, key=lambda one: one.ends_ms):
                if count <= MAX_LEFT and size <= MAX_LEFT_BYTES:
                    break
                count -= 1
                size -= session.answer_bytes
                self.ended_early += 1
                self.engine.end_session(session)

    def statistics(self) -> dict[str, int]:
        """Figures for INFO."""
        self.weigh_callers()
        return {
            "bytes": self.store.bytes,
            "bytes_limit": self.max_memory,
            "bytes_of_sessions": self.store.callers,
            "evicted_keys": self.evicted,
            "refused_for_memory": self.out_of_memory,
            "refused_for_quota": self.over_quota,
            "sessions_ended_early": self.ended_early,
        }

    def weigh_callers(self) -> int:
        """Account anew for sessions, with what is kept and waits in them."""
        self._weighed_ms = self.engine.elapsed_ms
        size = 0
        for session in self.engine.sessions.values():
            size += SESSION_BYTES + session.answer_bytes + ANSWER_BYTES * len(session.answers)
            for call in session.waiting.values():
                size += WAITING_BYTES + getattr(call, "size", 0)
            if session.transaction is not None:
                size += session.transaction.size
        store = self.store
        store.charge_callers(size)
        if store.bytes > store.most_bytes:
            store.most_bytes = NEVER
            self.overfull = self.due = True
            self.gate()
        return size


def is_over(space: Namespace) -> bool:
    """Whether *space* has more bytes than it may have, or no room for another key."""
    terms = space.terms
    return bool((terms.bytes and space.bytes > terms.bytes) or (terms.keys and space.keys >= terms.keys))


def spared(limit: int) -> int:
    """What is left of *limit* when there is room for a while."""
    return limit - min(limit >> 7, _SPARE) if limit else NEVER


def most(used: int, limit: int) -> int:
    """How many keys a call evicts at most."""
    return _MANY if limit and used - limit > limit >> 5 else _FEW


def quota(namespace: bytes, what: str, limit: int, used: int, retry_after_ms: int = 0) -> QuotaExceeded:
    facts = {"namespace": text(namespace), "quota": what, "limit": limit, "used": used, "retry_after": retry_after_ms}
    if what == "ops":
        told = f"namespace {text(namespace)!r} may have {limit:,} calls a second: try again in {retry_after_ms} ms"
    else:
        told = (
            f"namespace {text(namespace)!r} has {used:,} {what} and may have {limit:,}: "
            f"{'close some' if what == 'connections' else 'delete keys, let them expire'}, or raise its quota"
        )
    return QuotaExceeded(told, facts)
