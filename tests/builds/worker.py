"""An engine with both doors, run by a script: what its connections got, what its log got, and what is in it at the end.

Scripts come on the standard input as msgpack, what became of them goes out the same way. Clocks, seed and dice are the
script's; nothing here depends on the build, on hashes of Python or on how fast the machine is.
"""

from __future__ import annotations

import os
import re
from itertools import groupby
from typing import Any, Final

from msgpack import Packer, Unpacker

import kv_server.engine.access.secrets as secrets
from kv_server.commands import CATALOG
from kv_server.durability.journal import NEVER, Journal, Origin
from kv_server.durability.snapshot import Snapshot
from kv_server.engine import executor
from kv_server.engine.commit import Commit
from kv_server.engine.engine import Engine
from kv_server.model.terms import Rules, Terms
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.native import NativeDoor
from kv_server.surfaces.resp_door import RespDoor
from tests.durability.disk import FaultyDisk
from tests.engine.rig import ELAPSED_MS, NOW_MS, SEED, content, recount, start

LIMITS: Final = Limits(frame=1 << 20, batch=4096, parked=10, output=1 << 20)
ROUNDS: Final = 10_000
SECRET: Final = re.compile(rb"secret-of-(\d{6})")


class World:
    """One script's engine."""

    def __init__(self, terms: dict[str, Any]) -> None:
        self.now_ms, self.elapsed_ms = NOW_MS, ELAPSED_MS
        self.engine = engine = Engine(CATALOG, start=start(), shards=terms["shards"])
        self.doors: dict[str, Any] = {
            "native": NativeDoor(engine, LIMITS, "kv-server", lambda: 0.0),
            "resp": RespDoor(engine, LIMITS, lambda: 0.0),
        }
        self.hurried = 0
        self.connections: dict[int, Any] = {}
        self.lost: set[int] = set()
        self.heard: list[Commit] = []
        self.snapshot: Snapshot | None = None
        self.log = b""
        self.journal: Journal | None = None
        if terms["journal"]:
            self.disk = FaultyDisk()
            self.journal = Journal(self.disk, Origin(1, SEED, terms["shards"]), NEVER, 100, 1 << 30)
            self.journal.open(0, 0, self.now_ms, self.elapsed_ms)
            engine.journal = self.journal.pending
        if terms["history"]:
            engine.keep_history(terms["history"])
        if terms["rules"]:
            listed = tuple((name, Terms(*given)) for name, given in terms["rules"])
            engine.room.apply(rules=Rules(listed, numbered=terms["numbered"]))

    # ---- what a script can do
    def open(self, number: int, door: str) -> None:
        """Somebody connects."""
        self.connections[number] = self.doors[door].connect(lambda: None, lambda: number in self.lost)

    def data(self, number: int, data: bytes) -> None:
        """Somebody sends *data*; in it, a word of sixteen octets stands for the secret of a session."""
        connection = self.connections.get(number)
        if connection is None:
            return
        native = type(connection).__name__ == "NativeConnection"
        swift = self.doors["native"].swift if native else self.doors["resp"].lanes
        before = (swift.calls, swift.taken) if swift is not None else None
        connection.receive_data(SECRET.sub(self._secret, data))
        if swift is not None and (swift.calls, swift.taken) != before:
            self.hurried += swift.calls

    def _secret(self, match: re.Match[bytes]) -> bytes:
        session = self.engine.sessions.get(int(match[1]))
        return session.secret if session is not None and session.secret else match[0]

    def leave(self, number: int) -> None:
        """Somebody's connection ends."""
        connection = self.connections.pop(number, None)
        if connection is not None:
            self.lost.discard(number)
            connection.leave()

    def lose(self, number: int) -> None:
        """Somebody is gone, and nobody has read that yet."""
        self.lost.add(number)

    def advance(self, ms: int) -> None:
        """Time passes, and what is due is done."""
        self.pass_unnoticed(ms)
        for _ in range(ROUNDS):
            if not self.engine.advance(self.now_ms, self.elapsed_ms):
                return

    def pass_unnoticed(self, ms: int) -> None:
        self.now_ms += ms
        self.elapsed_ms += ms
        self.engine.set_clocks(self.now_ms, self.elapsed_ms)

    def memory(self, limit: int) -> None:
        self.engine.room.apply(max_memory=limit)

    def sink(self, wanted: bool) -> None:
        """Somebody copies commits, or does no longer."""
        while self.heard.append in self.engine.sinks:
            self.engine.sinks.remove(self.heard.append)
        if wanted:
            self.engine.sinks.append(self.heard.append)

    def copy(self, steps: int) -> None:
        """A snapshot is taken, so many steps of it; with 0 to its end."""
        if self.snapshot is None:
            self.snapshot = Snapshot(self.engine, self.engine.revision)
        for _ in range(steps or ROUNDS):
            if self.snapshot.step() is None:
                self.snapshot.end()
                self.snapshot = None
                break

    # ---- what came of it
    def run(self, what: str, *arguments: Any) -> list[Any]:
        """Do one thing; what was sent by whom, written where, and what it made due."""
        raised = ""
        try:
            getattr(self, what)(*arguments)
            sent = self.drain()
        except Exception as error:
            raised, sent = f"{type(error).__name__}: {error}", {}
        engine = self.engine
        busy = engine.room.overfull or engine.room.full or engine.store.garbage  # with what is the build's own affair
        return [sent, self.written(), raised, engine.revision, -1 if busy else engine.next_due_ms()]

    def drain(self) -> dict[int, bytes]:
        """Send what is to be sent, and go on with what was held up."""
        sent: dict[int, bytes] = {}
        for _ in range(ROUNDS):
            busy = False
            for number, connection in list(self.connections.items()):
                data = connection.data_to_send()
                if connection.stalled:
                    connection.resume()
                    busy = True
                if data:
                    sent[number] = sent.get(number, b"") + data
                    busy = True
                elif connection.closing and not connection.held:
                    self.leave(number)
                    sent[number] = sent.get(number, b"") + b"<closed>"
                    busy = True
            if not busy:
                return sent
        raise RuntimeError("connections never come to rest")

    def written(self) -> bytes:
        """What the log got meanwhile: one round."""
        journal = self.journal
        if journal is None:
            return b""
        before = journal.bytes
        journal.write(self.now_ms, self.elapsed_ms, urgent=self.engine.tx.urgent)
        self.engine.tx.urgent = False
        [file] = self.disk.files.values()
        end = journal._at
        return bytes(file.now[end - (journal.bytes - before) : end])

    def whole(self) -> dict[str, Any]:
        """All that must be the same in both builds."""
        engine = self.engine
        recount(engine.store)
        figures = {
            "revision": engine.revision,
            "calls": engine.calls,
            "hits": engine.hits,
            "misses": engine.misses,
            "expired": engine.expired,
            "evicted": engine.room.evicted,
            "refused": (engine.room.out_of_memory, engine.room.over_quota),
            "locks": (engine.tx.locks_granted, engine.tx.locks_lost),
            "trouble": [door.trouble() for door in self.doors.values()],
            "tallies": {name: (each.calls, each.failed) for name, each in engine.observation.tallies.items()},
            "errors": (dict(engine.observation.errors), dict(engine.observation.codes)),
            "slow": [(slow.number, slow.time_ms, slow.words) for slow in engine.observation.slow],
            "dice": (engine.dice.getstate(), engine.tx.dice.getstate(), engine.store.habits.throws.getstate()),
            "calls of each connection": {number: each.calls for number, each in self.connections.items()},
        }
        for name, space in engine.store.namespaces.items():
            entries = {key: entry for table in space.live_tables() for key, entry in table.items()}
            figures[f"keys of {name!r}"] = [
                (key, entry.kind, content(entry), entry.version, entry.expires_ms)
                for key, entry in sorted(entries.items())
            ]
            held = {lock: [hold.facts() for hold in holds.values()] for lock, holds in sorted(space.locks.items())}
            figures[f"locks of {name!r}"] = held
            figures[f"tables of {name!r}"] = [(len(each), each.expiring, each.pending) for each in space.tables]
        figures["sessions"] = [
            (number, each.secret, each.namespace, each.client, sorted(each.waiting), each.seen, answers_of(each))
            for number, each in sorted(engine.sessions.items())
        ]
        kept = list(engine.history.kept)
        return {name: repr(figure) for name, figure in figures.items()} | {
            "history": repr(kept),
            "runs": repr(joined(engine.history.runs)),
            "sunk": repr([tuple(commit) for commit in self.heard]),
        }


def answers_of(session: Any) -> list[Any]:
    return [(seq, getattr(reply, "revision", reply), size) for seq, (reply, size) in session.answers.items()]


def joined(runs: Any) -> list[tuple[Any, ...]]:
    """Runs without where one was cut in two: a run that goes on at the next revision is the same."""
    found: list[tuple[Any, ...]] = []
    for (_, *about), same in groupby(runs, key=lambda run: (0, *run[2:])):
        for first, end, *_ in same:
            if found and found[-1][1] == first and [*found[-1][2:]] == about:
                found[-1] = (found[-1][0], end, *about)
            else:
                found.append((first, end, *about))
    return found


def main() -> None:
    secrets._COST = 2  # type: ignore[misc]
    pack = Packer(unicode_errors="surrogateescape").pack
    reader = Unpacker(raw=False, strict_map_key=False, max_buffer_size=1 << 30)
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is not for who reads what came of scripts
    out.write(pack({"compiled": not str(executor.__file__).endswith(".py")}))
    out.flush()
    while data := os.read(0, 1 << 20):
        reader.feed(data)
        for script in reader:
            world = World(script["terms"])
            steps = [world.run(*step) for step in script["steps"]]
            try:
                whole = world.whole()
            except Exception as error:
                whole = {"failed": f"{type(error).__name__}: {error}"}
            out.write(pack({"steps": steps, "whole": whole, "calls": world.engine.calls, "hurried": world.hurried}))
            out.flush()


if __name__ == "__main__":
    main()
