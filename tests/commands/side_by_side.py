"""One client of a strict engine beside a plain model of some keys: every call is made on both, to the same effect."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from kv_protocol.errors import KvError
from kv_protocol.values import decode
from kv_server.commands import CATALOG
from kv_server.model.entry import HASH, LIST, SCALAR
from kv_server.spec.command import Flag
from tests.commands.answers import same
from tests.commands.plain import Fails, fingerprint
from tests.engine.rig import Rig, picture, recount, replayed

Step = tuple[str, tuple[tuple[Any, ...], dict[str, Any]]]


def steps(calls: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[Step]]:
    """Calls in any order, each word as often as any other."""
    words = st.sampled_from(sorted(calls))
    return st.lists(words.flatmap(lambda word: calls[word].map(lambda call: (word, call))), max_size=25)


METHODS = {"DEL": "delete"}


class SideBySide:
    """*model* has `keys`, and a method for each word, which takes and returns Python values, or raises `Fails`."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rig = Rig(strict=True)
        self.client = self.rig.connect()

    def run(self, calls: Iterable[Step]) -> None:
        for word, (args, options) in calls:
            self.step(word, args, options)
            assert self.contents() == {key: fingerprint(value) for key, value in self.model.keys.items()}
        recount(self.rig.store)
        tx, rows = replayed(self.rig.commits, self.rig.engine)
        assert picture(tx.store) == picture(self.rig.store)
        assert rows == [commit.effects for commit in self.rig.commits]

    def step(self, word: str, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        """One call on both sides; what fails, and what only reads, changes nothing."""
        said = f"{word}{args}{options}"
        before, commits = picture(self.rig.store), len(self.rig.commits)
        failure, expected = None, None
        try:
            expected = getattr(self.model, METHODS.get(word, word.lower()))(*args, **options)
        except Fails as refusal:
            failure = refusal
        try:
            actual = self.client.send(word, args, options)
        except KvError as error:
            assert failure is not None and error.code == failure.code, f"{said} failed with {error.code}: {error}"
        else:
            assert failure is None, f"{said}: {actual!r}, not {failure}"
            assert same(expected, actual), f"{said}: {actual!r}, not {expected!r}"
        if failure is not None or CATALOG[word].flags & Flag.READ:
            assert picture(self.rig.store) == before
            assert len(self.rig.commits) == commits

    def contents(self) -> dict[bytes, Any]:
        """What each key of the engine holds: a list as a list, a hash as a dict."""
        found: dict[bytes, Any] = {}
        for entries, _ in picture(self.rig.store).values():
            for key, (kind, value, _, _) in entries.items():
                if kind == SCALAR:
                    found[key] = fingerprint(decode(value))
                elif kind == LIST:
                    found[key] = fingerprint(list(map(decode, value)))
                elif kind == HASH:
                    found[key] = fingerprint(dict(zip(value[::2], map(decode, value[1::2]), strict=True)))
        return found
