"""What the plain model answers to each command, and what stands for the things that a call must look up first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from tests.commands.calls import Ref
from tests.commands.plain import fingerprint
from tests.commands.world import World
from tests.engine.rig import Present

PATTERNS: Final = {
    "*": rb".*", "a*": rb"a.*", "?": rb".", "{t}*": rb"\{t\}.*", "[ab]": rb"[ab]", "\\{*": rb"\{.*",
}  # fmt: skip


class Fits:
    """A reply of which only some things are certain."""

    def __init__(self, holds: Callable[[Any], bool]) -> None:
        self.holds = holds


class Call:
    """Who calls, where, under which id."""

    def __init__(self, world: World, session: int, request_id: int, space: bytes) -> None:
        self.world = world
        self.session = session
        self.request_id = request_id
        self.space = space

    def answer(self, word: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        own: Callable[..., Any] | None = getattr(self, "do_" + word.lower().replace(" ", "_"), None)
        if own is not None:
            return own(*args, **options)
        space = self.world.space(self.space)
        return getattr(space, {"DEL": "del_"}.get(word, word.lower()))(*args, **options)

    # ---- what is looked up
    def resolve(self, given: Any, key: Any) -> Any:
        if isinstance(given, tuple) and not isinstance(given, Ref):
            return tuple(self.resolve(part, given[0]) for part in given)
        if not isinstance(given, Ref):
            return given
        if given.kind == "now":
            return self.world.now + given.offset
        if given.kind == "token":
            holds = self.world.held.get((self.space, key))
            return holds[-1].token - given.offset if holds else 77
        record = self.world.space(self.space).live(key)
        if given.kind == "version":
            return record.version - given.offset if record else given.offset
        return record.value if record and record.value is not None else "nothing like it"

    # ---- walks
    def do_randomkey(self) -> Any:
        keys = self.world.space(self.space).names()
        return Fits(lambda reply: reply in keys if keys else reply is None)

    def do_keys(self, match: str) -> Any:
        names = self.world.space(self.space).names()
        chosen = sorted(key for key in names if re.fullmatch(PATTERNS[match], key, re.DOTALL))
        return Fits(lambda reply: sorted(reply) == chosen)

    def do_scan(self, cursor: int, count: int = 100, match: str = "*", type: str | None = None) -> Any:
        space = self.world.space(self.space)
        chosen = {
            key
            for key in space.names()
            if re.fullmatch(PATTERNS[match], key, re.DOTALL) and (type is None or space.type(key) == type)
        }

        def holds(reply: Any) -> bool:
            following, page = reply
            keys = [key.encode("utf-8", "surrogateescape") for key in page]
            complete = following or set(keys) == chosen
            return bool(len(set(keys)) == len(keys) and chosen.issuperset(keys) and complete)

        return Fits(holds)

    # ---- namespaces
    def do_namespace_list(self) -> Any:
        return sorted(name.decode("utf-8", "surrogateescape") for name in self.world.spaces)

    def do_namespace_stats(self, name: bytes) -> Any:
        space = self.world.spaces.get(name)
        if space is None:
            return None
        keys = [key for key in space.records if space.live(key)]
        expiring = [key for key in keys if space.records[key].expires is not None]
        locks = sum(place[0] == name for place in self.world.held)
        expected = (name.decode("utf-8", "surrogateescape"), len(keys), len(expiring), locks)
        return Fits(lambda reply: reply[:4] == expected and reply[4] > 0 and reply[5:] == ("noeviction", 0, 0, 0, 0, 0))

    def do_namespace_drop(self, name: bytes) -> Any:
        return self.world.drop(name)

    # ---- locks
    def do_lock(self, name: bytes, **options: Any) -> Any:
        return self.world.lock((self.space, name), self.session, self.request_id, **options)

    def do_unlock(self, name: bytes, token: int) -> Any:
        return self.world.unlock((self.space, name), token)

    def do_extend(self, ttl: int, *leases: tuple[bytes, int]) -> Any:
        return self.world.extend(self.space, ttl, leases)

    def do_break(self, name: bytes, token: int | None = None) -> Any:
        return self.world.break_((self.space, name), token)

    def do_leases(self) -> Any:
        expected = {
            (name.decode("utf-8", "surrogateescape"), *rest, frozenset(map(surrogates, keys)))
            for name, *rest, keys in self.world.leases(self.space)
        }
        return Fits(lambda reply: {(*lease[:4], frozenset(lease[4])) for lease in reply} == expected)

    def do_locks(self) -> Any:
        expected = {(name.decode("utf-8", "surrogateescape"), *rest) for name, *rest in self.world.locks(self.space)}
        return Fits(lambda reply: set(reply) == expected and len(reply) == len(expected))


def surrogates(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def same(expected: Any, actual: Any) -> bool:
    """Whether a reply is the one that was expected, down to the class of every value in it."""
    if isinstance(expected, Fits):
        return expected.holds(actual)
    return bool(_shape(expected) == _shape(actual))


def _shape(reply: Any) -> Any:
    if isinstance(reply, Present):
        return "present", fingerprint(reply.value)
    if isinstance(reply, tuple):
        return tuple(map(_shape, reply))
    if type(reply) is list:
        return [_shape(each) for each in reply]
    return fingerprint(reply)
