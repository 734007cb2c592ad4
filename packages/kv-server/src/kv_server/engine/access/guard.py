"""What a user may call on which names, made of its rules once, so that a call costs a look at its own names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from attrs import frozen

from kv_protocol.errors import Forbidden
from kv_server.engine.access.rules import Book
from kv_server.engine.access.user import ALL, Selector, User
from kv_server.engine.session import EVERYTHING
from kv_server.model.glob import covers, matcher
from kv_server.spec.command import Command, Flag, Named

__all__ = ["NameGuard", "Refusal", "Rights", "Scope", "rights_of"]

_READ: Final = int(Flag.READ)
_MOST_REMEMBERED: Final = 1_024  # namespaces
_INSIDE: Final = ("key", "lock", "channel", "pattern", "prefix", "reach")
_ABOUT_NAMESPACE: Final = ("keys", "namespace", "lock", "pubsub")
"""Groups whose commands are about the namespace of the call also where they name nothing."""

Test = Callable[[bytes], object]


class Refusal(NamedTuple):
    """Why a call is refused: for its command, a key, a channel, or a namespace; and which that is."""

    reason: str
    object: bytes


class Scope:
    """By bits: the commands that are about the namespace of the call, and those that are about all of them."""

    def __init__(self, commands: Iterable[Command]) -> None:
        self.inside = self.spans = 0
        for command in commands:
            kinds = {kind for param in command.signature.params for kind in param.kinds}
            inside = bool(kinds.intersection(_INSIDE)) or (command.group in _ABOUT_NAMESPACE and not kinds)
            spans = command.flags & Flag.SPANS or (command.flags & Flag.ADMIN and not inside and not kinds)
            self.inside |= inside << command.bit
            self.spans |= bool(spans) << command.bit


@frozen
class Allowed:
    """One selector, ready to be asked. None stands for all names."""

    bits: int
    keys: tuple[tuple[Test, bytes, int], ...] | None
    channels: tuple[bytes, ...] | None
    namespaces: tuple[bytes, ...] | None

    @property
    def free(self) -> bool:
        return self.keys is None and self.channels is None and self.namespaces is None

    def refused(self, named: Named) -> Refusal | None:
        """Why *named* may not be used as it would be; None if it may."""
        kind, name, access = named
        if kind in ("key", "lock"):
            if self.keys is None:
                return None
            for test, _, own in self.keys:
                if own & access == access and test(name):
                    return None
            return Refusal("key", name)
        elif kind == "namespace":
            if not self.enters(name):
                return Refusal("namespace", name)
        elif kind == "prefix":
            patterns = self.keys or ()
            if self.keys is not None and not any(own & _READ and covers(each, name) for _, each, own in patterns):
                return Refusal("key", name)
        elif kind == "reach":
            reads_all = self.keys is None or any(each == ALL and own & _READ for _, each, own in self.keys)
            if b"*" in name and not reads_all:
                return Refusal("key", name)
        elif self.channels is not None:
            hears = name in self.channels if kind == "pattern" else any(matcher(each)(name) for each in self.channels)
            if not hears:
                return Refusal("channel", name)
        return None

    def enters(self, namespace: bytes) -> bool:
        return self.namespaces is None or any(matcher(each)(namespace) for each in self.namespaces)


class NameGuard:
    """Looks at the names in calls; *narrow* are the only namespaces that a token leaves."""

    __slots__ = ("_entered", "_narrow", "_scope", "selectors", "user")

    def __init__(self, user: str, selectors: list[Allowed], scope: Scope, narrow: tuple[bytes, ...]) -> None:
        self.user = user
        self.selectors = selectors
        self._scope = scope
        self._narrow = narrow
        self._entered: dict[bytes, bool] = {}

    def check(self, command: Command, args: Any, options: Any, namespace: bytes) -> None:
        """Raise `Forbidden` unless the call, made in *namespace*, may name what it names."""
        invocation = command.bind_text(args) if command.spoken else command.bind_typed(args, options)
        refusal = self.refusal(command.bit, invocation.command.names(invocation), namespace)
        if refusal is not None:
            raise self.error(refusal)

    def reads(self, namespace: bytes, key: bytes) -> bool:
        """Whether the user may read *key*."""
        asked = Named("key", key, Flag.READ)
        return self.enters(namespace) and not all(each.refused(asked) for each in self.selectors)

    def fence(self, namespace: bytes, fence: Any) -> None:
        """Raise `Forbidden` unless the user may use the lock that *fence* names in *namespace*."""
        if type(fence) is list and fence and type(fence[0]) is bytes:
            lock = Named("lock", fence[0], Flag.WRITE)
            if not self.enters(namespace) or all(each.refused(lock) for each in self.selectors):
                raise self.error(Refusal("key", fence[0]))

    def error(self, refusal: Refusal) -> Forbidden:
        """The error for a call that is refused."""
        what = {"key": "one of the keys", "channel": "one of the channels", "namespace": "one of the namespaces"}
        text = f"this user has no permissions to access {what[refusal.reason]} used as arguments"
        error = Forbidden(text, {"user": self.user})
        error.refusal = refusal  # type: ignore[attr-defined]
        return error

    def refusal(self, bit: int, names: list[Named], namespace: bytes) -> Refusal | None:
        """Why a call of the command with *bit* may not name *names* in *namespace*; None if it may."""
        worst: Refusal | None = None
        if self._narrow and (worst := self._beyond(bit, names, namespace)) is not None:
            return worst
        for selector in self.selectors:
            if selector.bits >> bit & 1:
                found = self._refusal(selector, bit, names, namespace)
                if found is None:
                    return None
                worst = worst or found
        return worst or Refusal("namespace", namespace)

    def _refusal(self, selector: Allowed, bit: int, names: list[Named], namespace: bytes) -> Refusal | None:
        if selector.namespaces is not None and (
            (self._scope.inside >> bit & 1 and not selector.enters(namespace)) or self._scope.spans >> bit & 1
        ):
            return Refusal("namespace", namespace)
        for named in names:
            found = selector.refused(named)
            if found is not None:
                return found
        return None

    def _beyond(self, bit: int, names: list[Named], namespace: bytes) -> Refusal | None:
        """Why the call leaves the namespaces of the token; None if it does not."""
        if self._scope.spans >> bit & 1 or (self._scope.inside >> bit & 1 and not self._left(namespace)):
            return Refusal("namespace", namespace)
        found = (name for kind, name, _ in names if kind == "namespace" and not self._left(name))
        outside = next(found, None)
        return None if outside is None else Refusal("namespace", outside)

    def _left(self, namespace: bytes) -> bool:
        return not self._narrow or any(matcher(each)(namespace) for each in self._narrow)

    def enters(self, namespace: bytes) -> bool:
        """Whether the user may do anything in *namespace*."""
        known = self._entered.get(namespace)
        if known is None:
            if len(self._entered) >= _MOST_REMEMBERED:
                self._entered.clear()
            known = self._left(namespace) and any(each.enters(namespace) for each in self.selectors)
            self._entered[namespace] = known
        return known


class Rights(NamedTuple):
    """What a session gets of its user."""

    bits: int
    guard: NameGuard | None


def rights_of(user: User, book: Book, scope: Scope, narrow: tuple[bytes, ...] = ()) -> Rights:
    """What *user* may call, and what looks at the names of its calls; nothing has to if all are free."""
    selectors = [_allowed(user.root, book, book.greeting), *(_allowed(each, book, 0) for each in user.selectors)]
    bits = free = 0
    for selector in selectors:
        bits |= selector.bits
        free |= selector.bits if selector.free else 0
    guard = None if bits == free and not narrow else NameGuard(user.name, selectors, scope, narrow)
    return Rights(EVERYTHING if bits == book.everything else bits, guard)


def _allowed(selector: Selector, book: Book, always: int) -> Allowed:
    return Allowed(
        book.bits(selector.commands) | always,
        None if selector.all_keys else tuple((matcher(pattern), pattern, int(own)) for pattern, own in selector.keys),
        None if ALL in selector.channels else selector.channels,
        None if ALL in selector.namespaces else selector.namespaces,
    )
