"""Locks: who holds them, and until when."""

from __future__ import annotations

from kv_server.engine.ground import Ground, effect
from kv_server.engine.rows import LAPSED, LOCK_DROP, LOCK_EXTEND, LOCK_GRANT, RELEASED
from kv_server.model.lock import Lock

__all__ = ["LockEffects"]


class LockEffects(Ground):
    """What commands read and change about locks."""

    def lock(self, name: bytes) -> Lock | None:
        """The lock called *name* if it is held now."""
        held = self.space.locks.get(name) if self.space is not None else None
        return held if held is not None and held.until_ms > self.elapsed_ms else None

    def locks(self) -> list[tuple[bytes, Lock]]:
        """Every held lock of the namespace."""
        if self.space is None:
            return []
        return [(name, held) for name, held in self.space.locks.items() if held.until_ms > self.elapsed_ms]

    @effect(LOCK_GRANT)
    def lock_grant(self, name: bytes, token: int, session: int, owner: str, lease_ms: int) -> None:
        """Give the lock *name* to *session* under *token* for *lease_ms* from now."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        self.effects.append((LOCK_GRANT, name, token, session, owner, lease_ms))
        until_ms = self.elapsed_ms + lease_ms
        space.locks[name] = Lock(token, session, owner, self.elapsed_ms, until_ms)
        self.store.leases.add(until_ms, (self.name, name))

    @effect(LOCK_EXTEND)
    def lock_extend(self, name: bytes, lease_ms: int) -> None:
        """Let the lease of *name* end *lease_ms* from now."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        self.effects.append((LOCK_EXTEND, name, lease_ms))
        held = space.locks[name]
        held.until_ms = self.elapsed_ms + lease_ms
        held.renewals += 1
        self.store.leases.add(held.until_ms, (self.name, name))

    @effect(LOCK_DROP)
    def lock_drop(self, name: bytes, cause: int) -> None:
        """Take the lock *name* from its holder, who is told unless it asked."""
        space = self.open_namespace()
        if self.before is not None:
            self.before.keep_lock(self.name, name)
        self.effects.append((LOCK_DROP, name, cause))
        held = space.locks.pop(name)
        if cause != RELEASED:
            why = "expired" if cause == LAPSED else "broken"
            self.notices.append((held.session, self.name, name, held.token, why))
