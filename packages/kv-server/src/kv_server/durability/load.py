"""A store made of lines of JSON, as `dump` prints them: states, and logs that go on from them."""

from __future__ import annotations

import json
from collections.abc import Callable

from kv_server.durability.disk import Disk
from kv_server.durability.forms import Form, Malformed
from kv_server.durability.journal import Origin
from kv_server.durability.lines import Head, commit_of, end_of, read_head, thing_of
from kv_server.durability.recovery import Recovery
from kv_server.durability.snapshot import COLLECTIONS
from kv_server.durability.survey import Survey
from kv_server.engine.engine import Engine

__all__ = ["Load", "WrongLine"]


class WrongLine(Exception):
    """A line cannot be taken in; the text says which, and why."""


class Load:
    """Takes lines in, one by one; *make* an engine for the store of the first head that comes."""

    def __init__(self, disk: Disk, make: Callable[[Origin], Engine]) -> None:
        self.line = 0
        self._disk = disk
        self._make = make
        self._head: Head | None = None
        self._within = False
        self._count = 0
        self._recovery: Recovery | None = None
        self._counts = {"keys": 0, "locks": 0, "sessions": 0}

    def read(self, text: bytes) -> None:
        """Take a line in. Raises `WrongLine`."""
        self.line += 1
        if not text.strip():
            return
        try:
            form = json.loads(text)
            if type(form) is not dict:
                raise Malformed("a line must be a map")
            if self._within:
                self._take(form)
            else:
                self._begin(read_head(form))
        except KeyError as error:
            raise WrongLine(f"line {self.line}: {error} is missing, or unknown") from error
        except Exception as error:  # whatever comes of effects that do not fit the state
            raise WrongLine(f"line {self.line}: {error}") from error

    def finish(self) -> tuple[Engine, Origin]:
        """The engine with all that was read. Raises `WrongLine` if something is missing."""
        recovery, head = self._recovery, self._head
        if self._within or recovery is None or head is None:
            raise WrongLine(f"the lines end too soon, after line {self.line}")
        recovery.settle()
        return recovery.engine, head.origin

    def _begin(self, head: Head) -> None:
        """A part begins."""
        recovery = self._recovery
        if recovery is None:
            engine = self._make(head.origin)
            recovery = self._recovery = Recovery(self._disk, Survey([], [], [], head.origin, 0, 0), engine)
            recovery.revision = head.revision if head.part == "state" else 0
        elif head.part != "log" or (head.origin.epoch, head.origin.seed) != (
            recovery.engine.epoch,
            recovery.engine.store.seed,
        ):
            raise Malformed("only a log of the same store can go on from what came before")
        if head.revision > recovery.revision:
            raise Malformed(f"there is a gap: this log begins after revision {head.revision}, not {recovery.revision}")
        engine = recovery.engine
        engine.set_clocks(max(engine.now_ms, head.now_ms), max(engine.elapsed_ms, head.elapsed_ms))
        self._head, self._within, self._count = head, True, 0

    def _take(self, form: Form) -> None:
        """A line of the part, or its end."""
        recovery, head = self._recovery, self._head
        assert recovery is not None
        assert head is not None
        count = end_of(form)
        if count is not None:
            if count != self._count:
                raise Malformed(f"{count} lines were to come before the end, and {self._count} came")
            self._within = False
            return
        self._count += 1
        engine = recovery.engine
        if head.part == "log":
            recovery.apply(commit_of(form))
            engine.set_clocks(engine.tx.now_ms, engine.tx.elapsed_ms)
            return
        thing = thing_of(form)
        if thing[0] == COLLECTIONS:
            _, key, _, version, _ = thing[3][0]
            if not 0 < version <= head.revision:
                raise Malformed(f"a version must lie between 1 and the revision of the state, {head.revision}")
            if key in engine.tx.table_of(engine.store.namespace(thing[1]), key):
                raise Malformed("the key came before")
        recovery.put(thing, self._counts)
