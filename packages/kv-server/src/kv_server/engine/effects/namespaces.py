"""Effects on whole namespaces: emptying one, dropping it with its locks, exchanging two."""

from __future__ import annotations

from kv_server.engine.effects.answers import AnswerEffects
from kv_server.engine.rows import NAMESPACE_DROP, NAMESPACE_FLUSH, NAMESPACE_SWAP

__all__ = ["NamespaceEffects"]


class NamespaceEffects(AnswerEffects):
    """What commands change about a namespace at once."""

    def namespace_flush(self, name: bytes) -> None:
        """Take every key of the namespace *name* away; its locks stay."""
        self.effects.append((NAMESPACE_FLUSH, name))
        self.mark()
        self.store.flush(self.store.namespaces[name])
        self.last_key = None

    def namespace_drop(self, name: bytes) -> None:
        """Take the namespace *name* away with keys and locks."""
        space = self.store.namespaces[name]
        self.urgent = self.urgent or bool(space.locks)
        for lock, held in space.locks.items():
            self.notices += [(hold.session, name, lock, hold.token, "broken") for hold in held.values()]
        self.effects.append((NAMESPACE_DROP, name))
        self.mark()
        self.store.drop(name)
        if name == self.name:
            self.space = None
        self.last_key = None

    def namespace_swap(self, name: bytes, other: bytes) -> None:
        """Exchange the keys of two namespaces; their locks stay."""
        one, two = self.namespace(name), self.namespace(other)
        self.effects.append((NAMESPACE_SWAP, name, other))
        self.mark()
        self.store.swap(one, two)
        self.space = self.store.namespaces.get(self.name)
        self.last_key = None
