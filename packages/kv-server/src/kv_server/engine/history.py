"""What last changed a key, and who: a bounded memory of changes, without values, for as long as the process lives.

A key carries the revision of its last change, and `runs` tell whose calls had which revisions: so a plain write costs
nothing here. What a version cannot tell is remembered one by one, in `kept`: that a key went, and why; that it got
another name or expiry; what was changed by calls that were part of others, or came when nobody called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kv_server.engine import rows
from kv_server.engine.commit import Effect
from kv_server.engine.past import Changes, Runs
from kv_server.engine.session import Session
from kv_server.model.steps import STEP, Steps
from kv_server.spec.command import Command

__all__ = ["Change", "History", "Run", "Who"]

_MOST_PARTED: Final = 4_096
_MOST_TRACES: Final = 4_096
_LONGEST_TRACE: Final = 64

_EXPIRY: Final = rows.KEY_EXPIRY
_DROPS: Final = {rows.DELETED: "deleted", rows.EXPIRED: "expired", rows.EVICTED: "evicted"}
_LEASES: Final = {rows.RELEASED: "lease released", rows.LAPSED: "lease expired", rows.BROKEN: "lease broken"}
_WHOLE: Final = {
    rows.NAMESPACE_FLUSH: "flushed", rows.NAMESPACE_DROP: "dropped", rows.NAMESPACE_SWAP: "swapped"
}  # fmt: skip


class Who(NamedTuple):
    """A caller, as far as it was known when it was last seen."""

    client: str = ""
    address: str = ""
    user: str = ""


class Run(NamedTuple):
    """Calls of one command that had the revisions from *first* up to, but not with, *end*."""

    first: int
    end: int
    now_ms: int
    session: int
    command: str


class Change(NamedTuple):
    """What happened to one key, or to all of a namespace: then *key* is None. *other* is the namespace and the name of
    what else had a part in it, *version* that of what went.
    """

    revision: int
    now_ms: int
    namespace: bytes
    key: bytes | None
    what: str
    command: str | None
    session: int | None
    other: tuple[bytes, bytes] | None
    version: int


class History:
    """The last changes, as many as `keep` says."""

    def __init__(self) -> None:
        self.on = False
        self.since_ms = 0
        self.runs = Runs()
        self.kept = Changes()
        self._traces: dict[int, str] = {}
        self._parted: dict[int, Who] = {}

    def keep(self, most: int, now_ms: int) -> None:
        """Remember so many runs and changes of each kind from here on; none with 0."""
        if not self.on or not most:
            self.since_ms = now_ms
        self.on = most > 0
        self.runs, self.kept = self.runs.last(most), self.kept.last(most)
        if not self.on:
            self._traces.clear()
            self._parted.clear()

    @property
    def most(self) -> int:
        """How much is remembered at most."""
        return self.kept.most

    # ---- what happens
    def hear(
        self,
        revision: int,
        now_ms: int,
        namespace: bytes,
        session: Session | None,
        effects: list[Effect],
        authors: list[tuple[int, Command]],
        whole: Command | None,
        gone: dict[bytes, int],
    ) -> None:
        """Remember what the rows of a commit did. The command of *authors* wrote them that begins last before them;
        where there are none, that of the *whole*.
        """
        caller = session.id if session is not None else None
        command = None if whole is None or authors else whole.name
        first = effects[0]
        if first[0] == _EXPIRY and len(effects) == 1 and command is not None:  # the commonest, in one stroke
            self.kept.add(revision, now_ms, namespace, first[1], "expiry", command, caller, None, 0)
            return
        kept = self.kept
        left = 0  # so many of the rows before may go with a lease
        begins = {start: author.name for start, author in authors}
        for at, row in enumerate(effects):
            if at in begins:
                command, left = begins[at], 0
            opcode = row[0]
            if opcode == rows.KEY_DROP:
                what, version = _DROPS[row[2]], gone.get(row[1], 0)
                kept.add(revision, now_ms, namespace, row[1], what, command, caller, None, version)
                left += 1
            elif opcode == rows.LOCK_DROP:
                kept.rename(left, _LEASES[row[3]], (namespace, row[1]))
                left = 0
            elif opcode in (rows.KEY_MOVE, rows.KEY_COPY):
                for space, key, what, other in _moved(row, namespace):
                    kept.add(revision, now_ms, space, key, what, command, caller, other, 0)
            elif opcode < rows.LOCKS:
                what = "expiry" if opcode == rows.KEY_EXPIRY else "emptied" if row[1] in gone else "changed"
                kept.add(revision, now_ms, namespace, row[1], what, command, caller, None, 0)
            elif opcode in _WHOLE:
                swapped = (row[2], b"") if opcode == rows.NAMESPACE_SWAP else None
                kept.add(revision, now_ms, row[1], None, _WHOLE[opcode], command, caller, swapped, 0)

    def trace(self, revision: int, trace: object) -> None:
        """Remember what the call of that revision is part of, as its caller says."""
        if self.on and type(trace) is bytes:
            if len(self._traces) >= _MOST_TRACES:
                del self._traces[next(iter(self._traces))]
            self._traces[revision] = trace[:_LONGEST_TRACE].decode("ascii", "backslashreplace")

    def part(self, session: int, who: Who) -> None:
        """*session* has no connection any more: remember who it was."""
        if self.on:
            self._parted.pop(session, None)
            if len(self._parted) >= _MOST_PARTED:
                del self._parted[next(iter(self._parted))]
            self._parted[session] = who

    # ---- what is asked
    def parted(self, session: int) -> Who:
        """Who that was, of whom there is no connection."""
        return self._parted.get(session, Who())

    def trace_of(self, revision: int) -> str | None:
        """What the call of that revision was part of."""
        return self._traces.get(revision)

    def run_of(self, revision: int) -> Run | None:
        """Whose call had that revision."""
        runs = self.runs
        low, high = 0, len(runs)
        while low < high:
            middle = (low + high) // 2
            if runs[middle][1] <= revision:
                low = middle + 1
            else:
                high = middle
        return Run._make(runs[low]) if low < len(runs) and runs[low][0] <= revision else None

    def about(self, namespace: bytes, key: bytes, most: int) -> Steps[list[Change]]:
        """The last changes that concern *key*, at *most* so many, the latest first."""
        found: list[Change] = []
        kept = self.kept
        for end in range(kept.end, kept.end - len(kept), -STEP):
            for entry in map(Change._make, kept.about(key, end, STEP)):
                swapped = entry.other[0] if entry.key is None and entry.other is not None else None
                if namespace in (entry.namespace, swapped):
                    found.append(entry)
                    if swapped is not None:
                        namespace = swapped if entry.namespace == namespace else entry.namespace
            if len(found) >= most:
                break
            yield
        return found[:most]

    def whole_since(self) -> int:
        """Since when, in milliseconds of the wall clock, nothing has been forgotten."""
        runs, kept = self.runs, self.kept
        full = [past[0][at] for past, at in ((runs, 2), (kept, 1)) if 0 < len(past) == past.most]
        return max(full, default=self.since_ms)


def _moved(row: Effect, namespace: bytes) -> Iterator[tuple[bytes, bytes, str, tuple[bytes, bytes]]]:
    """What a move or a copy is for each of its keys: namespace, key, what happened, the other one."""
    opcode, key, home, target = row
    if opcode == rows.KEY_COPY:
        yield home, target, "copied from", (namespace, key)
    else:
        word = "renamed" if home == namespace else "moved"
        yield namespace, key, f"{word} to", (home, target)
        yield home, target, f"{word} from", (namespace, key)
