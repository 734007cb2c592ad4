"""What a namespace may take, and what gives way when it is full: terms, and the rules by which names have them."""

from __future__ import annotations

from typing import Final

from attrs import evolve, field, frozen

from kv_server.model.glob import matches

__all__ = ["NO_TERMS", "NUMBERS", "POLICIES", "Rules", "Terms"]

NUMBERS: Final = frozenset(b"%d" % number for number in range(16))

POLICIES: Final = (
    "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
)  # fmt: skip


@frozen
class Terms:
    """Limits are 0 where there is none. A namespace whose policy is not `noeviction` is a cache."""

    policy: str = "noeviction"
    bytes: int = 0
    keys: int = 0
    connections: int = 0
    ops: int = 0


NO_TERMS: Final = Terms()


@frozen
class Rules:
    """Terms by name or pattern of names: an exact name counts before patterns, and those in their order.

    *numbered* is the policy of the numbered namespaces of which no rule speaks.
    """

    listed: tuple[tuple[bytes, Terms], ...] = ()
    numbered: str = "noeviction"
    _exact: dict[bytes, Terms] = field(init=False, eq=False, repr=False)

    @_exact.default
    def _by_name(self) -> dict[bytes, Terms]:
        return dict(reversed(self.listed))

    def of(self, name: bytes) -> Terms:
        """The terms of the namespace called *name*."""
        found = self._exact.get(name)
        if found is None:
            found = next((terms for pattern, terms in self.listed if matches(pattern, name)), None)
        if found is not None:
            return found
        return evolve(NO_TERMS, policy=self.numbered) if name in NUMBERS else NO_TERMS

    @property
    def metered(self) -> bool:
        """Whether calls are counted anywhere."""
        return any(terms.ops for _, terms in self.listed)
