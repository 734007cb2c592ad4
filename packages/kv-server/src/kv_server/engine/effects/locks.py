"""Locks: who holds them, and until when."""

from __future__ import annotations

from kv_protocol.names import slot
from kv_server.engine.effects.lists import ListEffects
from kv_server.engine.rows import DELETED, EXPIRED, LAPSED, LOCK_BIND, LOCK_DROP, LOCK_EXTEND, LOCK_GRANT, RELEASED
from kv_server.model.lock import BOUND_BYTES, LOCK_BYTES, Hold, Lock
from kv_server.model.space import Namespace

__all__ = ["LockEffects"]


class LockEffects(ListEffects):
    """What commands read and change about locks."""

    def lock(self, name: bytes) -> Lock | None:
        """All holds of the lock called *name*, None if there are none."""
        return self.space.locks.get(name) if self.space is not None else None

    def hold(self, name: bytes, token: int) -> Hold | None:
        """The hold of the lock *name* under *token*, if it is held now."""
        held = self.lock(name)
        hold = held.get(token) if held is not None else None
        return hold if hold is not None and hold.until_ms > self.elapsed_ms else None

    def holds(self) -> list[tuple[bytes, Hold]]:
        """Every hold of every lock of the namespace."""
        locks = self.space.locks.items() if self.space is not None else ()
        return [(name, hold) for name, held in locks for hold in held.values() if hold.until_ms > self.elapsed_ms]

    def bound(self, hold: Hold) -> list[bytes]:
        """The keys that go with *hold*: those that have not been changed since they were bound."""
        assert self.space is not None
        tables, shift, found = self.space.tables, self.store.shift, []
        for key, version in hold.keys.items():
            entry = tables[slot(key) >> shift].get(key)
            if entry is not None and entry.version == version:
                found.append(key)
        return found

    def lock_end(self, name: bytes, token: int, cause: int) -> None:
        """End the hold under *token*, and drop the keys that go with it."""
        held = self.lock(name)
        assert held is not None
        for key in self.bound(held[token]):
            self.key_drop(key, EXPIRED if cause == LAPSED else DELETED)
        self.lock_drop(name, token, cause)

    def lock_grant(self, name: bytes, token: int, session: int, owner: str, lease_ms: int, most: int) -> None:
        """Give the lock *name* to *session* under *token* for *lease_ms* from now, if need be with others: there are
        *most* holds then (0: any number).
        """
        space = self.open_lock(name)
        self.urgent = True
        self.effects.append((LOCK_GRANT, name, token, session, owner, lease_ms, most))
        self.locks_granted += 1
        until_ms = self.elapsed_ms + lease_ms
        held = space.locks.get(name)
        if held is None:
            held = Lock()
            space.put_lock(name, held)
        hold = Hold(token, session, owner, self.elapsed_ms, until_ms, 0, most, {})
        held.add(hold)
        space.grow_locks(hold.weight)
        self.store.leases.add(until_ms, (self.name, name, token))

    def lock_extend(self, name: bytes, token: int, lease_ms: int) -> None:
        """Let the lease under *token* end *lease_ms* from now."""
        space = self.open_lock(name)
        self.urgent = True
        self.effects.append((LOCK_EXTEND, name, token, lease_ms))
        hold = space.locks[name][token]
        hold.until_ms = self.elapsed_ms + lease_ms
        hold.renewals += 1
        self.store.leases.add(hold.until_ms, (self.name, name, token))

    def lock_bind(self, name: bytes, token: int, key: bytes) -> None:
        """Let *key*, as this transaction has made it, go with the hold under *token*."""
        space = self.open_lock(name)
        self.effects.append((LOCK_BIND, name, token, key))
        hold = space.locks[name][token]
        if key not in hold.keys:
            space.grow_locks(BOUND_BYTES + len(key))
        hold.keys[key] = self.revision
        if len(hold.keys) > hold.sweep_at:
            before = hold.weight
            hold.keep({key: hold.keys[key] for key in self.bound(hold)})
            space.grow_locks(hold.weight - before)

    def lock_drop(self, name: bytes, token: int, cause: int) -> None:
        """End the hold under *token*, whose keys were dropped before. Its session is told unless it asked."""
        space = self.open_lock(name)
        self.urgent = True
        self.effects.append((LOCK_DROP, name, token, cause))
        held = space.locks[name]
        hold = held.remove(token)
        space.grow_locks(-hold.weight)
        if not held:
            del space.locks[name]
            space.grow_locks(-LOCK_BYTES - len(name))
        if cause != RELEASED:
            self.locks_lost += 1
            why = "expired" if cause == LAPSED else "broken"
            self.notices.append((hold.session, self.name, name, token, why))

    def open_lock(self, name: bytes) -> Namespace:
        """Make ready to change the lock *name*: keep what a block must be able to put back."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        return space
