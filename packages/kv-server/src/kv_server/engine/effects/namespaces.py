"""Effects on whole namespaces: emptying one, and dropping it with its locks."""

from __future__ import annotations

from kv_server.engine.ground import Ground, effect
from kv_server.engine.rows import NAMESPACE_DROP, NAMESPACE_FLUSH

__all__ = ["NamespaceEffects"]


class NamespaceEffects(Ground):
    """What commands change about a namespace at once."""

    @effect(NAMESPACE_FLUSH)
    def namespace_flush(self, name: bytes) -> None:
        """Take every key of the namespace *name* away; its locks stay."""
        self.effects.append((NAMESPACE_FLUSH, name))
        self.store.flush(self.store.namespaces[name])
        self.last_key = None

    @effect(NAMESPACE_DROP)
    def namespace_drop(self, name: bytes) -> None:
        """Take the namespace *name* away with keys and locks."""
        space = self.store.namespaces[name]
        for lock in list(space.locks):
            held = space.locks[lock]
            self.notices.append((held.session, name, lock, held.token, "broken"))
        self.effects.append((NAMESPACE_DROP, name))
        self.store.drop(name)
        if name == self.name:
            self.space = None
        self.last_key = None
