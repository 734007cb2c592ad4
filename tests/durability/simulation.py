"""A server on a disk that fails, without sockets and threads, on a clock of its own: all by chance, from one seed.

Everything between a command and the disk is the real thing: engine, gate, journal, keeper, snapshots, recovery.
The world around it decides when a sync ends, how far a snapshot has come, what fails, and when the power goes; it knows
what the store was after every round, and which answers have left. Run one again with

    python -m tests.durability.simulation SEED always
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace, coroutine
from typing import Any
from unittest.mock import patch

from kv_protocol.errors import KvError, NotKept
from kv_protocol.messages import NAMESPACE, SEEN, SEQ
from kv_server.app import storage
from kv_server.app.config import Config
from kv_server.app.storage import CannotStart, Storage
from kv_server.app.wiring import origin_of
from kv_server.commands import CATALOG
from kv_server.durability import journal as journals
from kv_server.durability import snapshot as snapshots
from kv_server.durability.journal import ALWAYS, FAILED, INTERVAL, WELL, Journal, Origin
from kv_server.durability.snapshot import Snapshot
from kv_server.durability.survey import Unreadable
from kv_server.engine.engine import PARKED, Engine, Limits, Start
from kv_server.engine.rows import SESSION_OPEN
from kv_server.engine.session import Lost, Session
from kv_server.net import keeper as keepers
from kv_server.net.clock import Clock
from kv_server.net.gate import Gate
from kv_server.net.keeper import Keeper
from kv_server.surfaces.hello import Limits as SurfaceLimits
from kv_server.surfaces.resp_door import RespDoor
from tests.durability.chance import LINES, NAMESPACES, Chance, about_locks
from tests.durability.disk import FaultyDisk
from tests.durability.rig import names, recovered
from tests.engine.rig import picture

NS = 1_000_000
SURFACE = SurfaceLimits(frame=1 << 26, batch=1 << 20, parked=10, output=1 << 26)
INTERVAL_MS = 100
GRACE_MS = 100
FAULTS = ("write", "sync", "reserve", "create", "rename", "remove", "sync_folder", "truncate", "close")
LATEST_WELL_S = 5


@coroutine
def pause() -> Iterator[None]:
    """Let the world go on."""
    yield


class Event:
    """As trio's; a wait may end without it."""

    def __init__(self) -> None:
        self.there = False

    def set(self) -> None:
        self.there = True

    def is_set(self) -> bool:
        return self.there

    async def wait(self) -> None:
        await pause()


@contextmanager
def unhurried(seconds: float) -> Iterator[None]:
    """As `trio.move_on_after`, of which nobody here waits for the end."""
    yield


async def sleep(seconds: float) -> None:
    await pause()


class Threads:
    """As `trio.to_thread`: what was begun ends, whoever is cancelled."""

    def __init__(self) -> None:
        self.busy = False

    async def run_sync(self, work: Callable[..., Any], *args: Any) -> Any:
        self.busy = True
        try:
            await pause()
            outcome = work(*args)
            await pause()
        finally:
            self.busy = False
        return outcome


class Committer:
    """Does what it was given when it is told to."""

    def __init__(self) -> None:
        self.fd = -1
        self.work: Callable[[], None] | None = None
        self.outcome: OSError | None = None
        self.done = False

    def start(self, work: Callable[[], None]) -> None:
        assert self.work is None
        self.work, self.outcome, self.done = work, None, False

    def run(self) -> None:
        assert self.work is not None
        if not self.done:
            self.done = True
            try:
                self.work()
            except OSError as error:
                self.outcome = error

    def take(self) -> OSError | None:
        self.run()
        self.work = None
        return self.outcome

    def close(self) -> None:
        """It has no thread."""


class Output(SimpleNamespace):
    """What a connection is to send: the last row there was when it was computed, and what kind of rows it tells of;
    *wrote* if it tells of more than a new session.
    """

    revision: int
    wrote: bool
    about_locks: bool
    told: Callable[[bool], None]


class Connections:
    """What leaves, when the gate lets it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dirty: list[Output] = []
        self.sealed: list[Output] = []

    def flush(self) -> None:
        dirty, self.dirty = self.dirty, []
        for output in dirty:
            self.world.leaves(output)

    def seal(self) -> None:
        assert not self.sealed
        self.sealed, self.dirty = self.dirty, []

    def release(self) -> None:
        sealed, self.sealed = self.sealed, []
        for output in sealed:
            self.world.leaves(output)

    def retract(self, refusal: Callable[[], KvError]) -> int:
        held = self.sealed + self.dirty
        self.sealed, self.dirty = [], []
        for output in held:
            assert isinstance(refusal(), NotKept)
            output.told(False)
        return len(held)


class Client:
    """Somebody with a session who numbers calls; the outbox of its connection."""

    protocol = 0
    address = "127.0.0.1:1"

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.secret: bytes | None = None
        self.session: Session | None = None
        self.seq = 0
        self.open: dict[int, Any] = {}
        """Numbered calls whose answers have not come: what was asked."""

    def deliver(self, request_id: int, command: Any, reply: Any) -> None:
        self.world.put_out(list(self.world.engine.journal or [])[-1:], lambda kept: None)

    def fail(self, request_id: int, error: KvError) -> None:
        self.world.put_out([], lambda kept: None)

    def event(self, request_id: int, event: Any) -> None:
        self.world.put_out([], lambda kept: None)

    def push(self, kind: str, *fields: object) -> None:
        self.world.put_out([], lambda kept: None)

    def close(self, error: KvError) -> None:
        self.session = None

    def lost(self) -> bool:
        return False


class World:
    """One server and all that happens to it. *mode* is when it syncs."""

    def __init__(self, seed: int, mode: str) -> None:
        self.dice = dice = Random(f"{seed} {mode}")
        self.mode = mode
        self.disk = FaultyDisk(dice)
        self.chance = Chance(dice)
        self.wall_ns = 1_800_000_000_000 * NS
        self.up_ns = dice.choice((5, 1_000_000)) * NS
        self.took_s = 0.0
        self.trace: list[str] = []
        self.pictures: dict[int, list[Any]] = {0: [({}, {})]}
        """What the store was after a round, by its last revision; several if answers became doubtful."""
        self.written: list[tuple[int, int]] = []
        """When which revision was written."""
        self.kept = 0
        """The revision up to which all must survive."""
        self.highest = 0
        self.shown = 0
        self.counts: dict[str, int] = {}
        self.clients = [Client(self, f"client {number}") for number in range(3)]
        self.threads = Threads()
        self.fault_ends = 0
        self.step = 0

    # ---- beginning and ending
    def start(self) -> None:
        """Start a server on what there is; whoever fails because of the disk tries again."""
        if self.dice.random() < 0.2:
            self._start_from_older_snapshot()
        if self.dice.random() < 0.2:
            self.disk.fail = dict.fromkeys(("read", "open", "create", "write", "sync", "rename", "sync_folder"), 0.03)
        while True:
            try:
                return self._start()
            except CannotStart as error:
                assert isinstance(error.__cause__, OSError), f"the data cannot be read: {error}"
                self.say(f"cannot start: {error}")
                self.disk = self.disk.crashed() if self.dice.random() < 0.5 else self.disk.killed()

    def _start(self) -> None:
        dice = self.dice
        config = Config(
            shards=dice.choice((1, 16, 256)),
            data_dir="data",
            fsync=self.mode,
            fsync_interval=INTERVAL_MS,
            segment_size=dice.choice((600, 3_000, 20_000)),
            snapshot_interval=dice.choice((0, 2_000)),
            snapshot_commits=dice.choice((0, 30)),
            snapshot_log=dice.choice((0, 4_000)),
        )
        self.storage = Storage(config, lambda path: self.disk, Committer, self.threads.run_sync)  # type: ignore[arg-type]
        self.clock = Clock(lambda: self.wall_ns, lambda: self.up_ns, self.storage.floor)
        now_ms, elapsed_ms = self.clock.read()
        found = self.storage.found.origin or Origin(dice.randrange(1 << 53), dice.randbytes(16), 0)
        start = Start(now_ms, elapsed_ms, found.epoch, found.seed, Random(dice.random()))
        self.engine = Engine(CATALOG, start=start, shards=config.shards, limits=Limits(namespaces=20))
        self.storage.bar(self.engine)
        self.connections = Connections(self)
        self.server: Any = SimpleNamespace(engine=self.engine, connections=self.connections, loop=self)
        drive(self.storage.recover(self.server, origin_of(config, self.engine)))
        assert self.storage.keeper is not None
        assert self.storage.journal is not None
        self.keeper: Keeper = self.storage.keeper
        self.journal: Journal = self.storage.journal
        self.saving = self.keeper.run()
        self._check_recovered()
        told, self.journal.on_state = self.journal.on_state, lambda: self._turned(told)
        self.door = RespDoor(self.engine, SURFACE, lambda: 0.0)
        self.line = self.door.connect(lambda: None, lambda: False)
        self.disk.heal()
        self.fault_ends = 0

    def _start_from_older_snapshot(self) -> None:
        """Without its newest snapshot a store is read as a whole, or not at all."""
        disk = self.disk.copy()
        if not names(disk, "snapshot-"):
            return
        newest = names(disk, "snapshot-")[-1]
        disk.put(newest, disk.content(newest)[:-1])
        try:
            recovery = recovered(disk)
        except Unreadable:
            self.count("refused without the newest snapshot")
            return
        self.count("read without the newest snapshot")
        assert recovery.revision >= self.kept
        assert any(same(self.picture(recovery.engine), known) for known in self.pictures[recovery.revision])

    def _check_recovered(self) -> None:
        recovery = self.storage.recovery
        assert recovery is not None
        revision = recovery.revision
        self.say(f"read up to {revision}, {self.kept} were to be kept")
        assert revision >= self.kept, f"lost: {revision} is left of {self.kept}"
        assert revision in self.pictures, f"{revision} is no end of a round"
        found = self.picture()
        if not any(same(found, known) for known in self.pictures[revision]):
            raise AssertionError("; ".join(differences(found, self.pictures[revision][-1])))
        assert self.engine.revision >= self.highest or not revision, "revisions come again"
        self.pictures = {revision: [found], self.journal.written: [found]}
        self.kept = revision
        self.written = []
        for client in self.clients:
            client.session = None
            if client.secret not in self.engine.tx.secrets:
                client.secret, client.open = None, {}

    def crash(self) -> None:
        """The power goes, or the process alone."""
        self.kept = max(self.kept, self.journal.durable)
        off = self.dice.random() < 0.7
        self.say("crash" if off else "kill")
        self.count("crashes" if off else "kills")
        self.disk = self.disk.crashed() if off else self.disk.killed()
        self.saving.close()
        if off:
            self.up_ns = self.dice.choice((5, 1_000_000)) * NS
            self.wall_ns += self.dice.choice((-3_600_000, 5_000, 100_000)) * NS
        self.wall_ns += 1_000 * NS
        self.up_ns += 1_000 * NS

    def stop(self) -> None:
        """The server ends in order."""
        self.say("stop")
        while self.threads.busy:
            self.saving.send(None)
        self.saving.close()
        self.note()
        whole, syncing = self.journal.state != FAILED, self.journal.syncing
        self.storage.close(self.server)
        assert not self.disk.handles, "a handle is left"
        if syncing and self.journal.state == FAILED:
            whole = False  # the sync had failed before the disk was well again
        if whole and not self.disk.fail and not self.disk.full:
            assert self.journal.durable == self.journal.written
            assert not self.engine.journal
        self.kept = max(self.kept, self.journal.durable)
        self.disk = self.disk.crashed() if self.dice.random() < 0.5 else self.disk.killed()
        self.wall_ns += 1_000 * NS
        self.up_ns += 1_000 * NS

    # ---- the loop, as gate, keeper and storage know it
    def guard(self, gate: Gate) -> None:
        self.gate = gate
        gate._timer = self.take_time
        self.committer: Any = gate._committer

    def unguard(self) -> None:
        """There is no loop."""

    def take_time(self) -> float:
        """What the gate measures: some syncs are quick."""
        self.took_s += self.dice.choice((0.0, 0.0, 0.01))
        return self.took_s

    def send(self) -> None:
        self.let_out()

    def ring(self) -> None:
        self.send()

    def let_out(self, *, more: bool = False) -> None:
        self.note()
        self.gate.let_out(more=more)

    # ---- what is known
    def note(self) -> None:
        """Remember what the store is now, under the revision that a group would have."""
        rows = self.engine.journal
        if rows:
            last = rows.last
            assert last >= self.highest, "revisions come again"
            self.highest = last
            if last not in self.pictures:
                self.pictures[last] = [self.picture()]

    def noted(self, revision: int) -> None:
        """A snapshot is begun."""
        assert not self.engine.journal, "the snapshot holds what the log does not"
        self.count("snapshots")
        found = self.picture()
        known = self.pictures.setdefault(revision, [])
        if self.journal.state != FAILED:
            assert any(same(each, found) for each in known), "the snapshot is of another revision"
        known.append(found)

    def picture(self, engine: Engine | None = None) -> Any:
        engine = engine or self.engine
        sessions = {
            number: (session.secret, session.seen, {seq: reply for seq, (reply, _) in session.answers.items()})
            for number, session in engine.sessions.items()
            if session.lasting
        }
        return picture(engine.store), sessions

    def _turned(self, told: Callable[[], None]) -> None:
        self.say(f"the journal is {self.journal.state}")
        self.count(self.journal.state)
        if self.journal.state == FAILED:
            self.disk.left_alone.append(self.disk.handles[self.journal._handle])
        told()

    def put_out(self, rows: list[Any], told: Callable[[bool], None]) -> None:
        """A connection has something to send, computed now; *rows* are what it tells of."""
        pending = self.engine.journal
        revision = pending.last if pending else self.journal.written
        effects = [row for commit in rows for row in commit[4]]
        wrote = any(row[0] != SESSION_OPEN for row in effects)
        output = Output(revision=revision, wrote=wrote, about_locks=about_locks(effects), told=told)
        self.connections.dirty.append(output)

    def leaves(self, output: Output) -> None:
        """An answer goes to its client."""
        journal, elapsed_ms = self.journal, self.engine.elapsed_ms
        self.count("answers")
        if journal.state == FAILED:
            assert not output.wrote, "an answer left after the disk had failed"
        else:
            if self.mode == ALWAYS or output.about_locks:
                assert output.revision <= journal.durable, f"an answer left before {output.revision} was synced"
            if self.mode == INTERVAL:
                known = [(at, revision) for at, revision in self.written if revision <= output.revision]
                late = [revision for at, revision in known if at < elapsed_ms - INTERVAL_MS - GRACE_MS]
                assert not late or late[-1] <= journal.durable, f"{late[-1]} should have been synced by now"
            self.kept = max(self.kept, journal.durable)
        output.told(True)

    # ---- what happens
    def run(self, steps: int) -> None:
        self.start()
        deeds = [self.round] * 12 + [self.work] * 6 + [self.save] * 8 + [self.pass_time] * 2
        deeds += [self.come_or_go, self.trouble, self.mend, self.ask, self.gate_tends]
        for self.step in range(steps):
            self.dice.choice(deeds)()
            if self.step >= self.fault_ends > 0:
                self.fault_ends = 0
                self.disk.heal()
            if self.dice.random() < 0.02:
                (self.stop if self.dice.random() < 0.2 else self.crash)()
                self.start()
        self.get_well()
        self.stop()
        expected = self.picture()
        self.start()
        assert same(self.picture(), expected)
        self.saving.close()

    def round(self) -> None:
        """One round of the loop; a sync may be over in the middle of it."""
        self.tick(self.dice.choice((0, 0, 1, 30)))
        for _ in range(self.dice.randrange(4)):
            self.call()
        if self.committer.done and self.committer.work is not None:
            self.note()
            self.gate.synced()
            if self.dice.random() < 0.5:
                self.call()
        self.let_out(more=self.dice.random() < 0.5)

    def tick(self, ms: int) -> None:
        self.up_ns += ms * NS
        self.wall_ns += ms * NS
        while self.engine.advance(*self.clock.read()):
            pass

    def work(self) -> None:
        """The committer's thread runs; when the loop hears of it is another matter."""
        if self.committer.work is not None:
            self.committer.run()

    def save(self) -> None:
        """The keeper goes on."""
        self.saving.send(None)

    def pass_time(self) -> None:
        self.tick(self.dice.choice((5, 150, 1_000, 70_000)))
        self.let_out()

    def ask(self) -> None:
        self.keeper.ask(lambda outcome: self.put_out([], lambda kept: None))

    def gate_tends(self) -> None:
        self.gate.tend()

    def trouble(self) -> None:
        """The disk begins to fail for a while."""
        if self.dice.random() < 0.3:
            self.disk.full = True
            self.fault_ends = self.step + self.dice.randrange(1, 100)
        else:
            some = self.dice.sample(FAULTS, self.dice.randrange(1, 4))
            self.disk.fail = {call: self.dice.choice((0.02, 0.2, 1.0)) for call in some}
            self.fault_ends = self.step + self.dice.randrange(1, 40)
        self.say(f"trouble {self.disk.fail or 'full'}")

    def mend(self) -> None:
        self.disk.heal()

    def get_well(self) -> None:
        """Once the disk is well, so is the server, soon."""
        self.disk.heal()
        for _ in range(LATEST_WELL_S):
            for _ in range(60):
                self.work()
                self.round()
                self.save()
            self.gate.tend()
            self.tick(1_000)
        assert self.journal.state == WELL, "the server does not recover from the trouble with the disk"
        assert self.engine.writable

    # ---- clients
    def come_or_go(self) -> None:
        client = self.dice.choice(self.clients)
        if client.session is not None:
            self.engine.detach(client.session, client)
            client.session = None

    def call(self) -> None:
        if self.dice.random() < 0.15:
            self._say_line()
            return
        client = self.dice.choice(self.clients)
        if client.session is None:
            self._open(client)
            return
        if client.open and self.dice.random() < 0.2:
            self._repeat(client)
            return
        command, args, options = self.chance.call()
        meta: dict[int, Any] = {NAMESPACE: self.dice.choice(NAMESPACES)}
        if self.dice.random() < 0.7:
            client.seq += 1
            meta |= {SEQ: client.seq, SEEN: min(client.open, default=client.seq)}
            client.open[client.seq] = command, args, options, meta
        self._execute(client, command, args, options, meta)

    def _repeat(self, client: Client) -> None:
        """Ask once more what was not answered: it must not run again if it has run."""
        assert client.session is not None
        seq = self.dice.choice(list(client.open))
        ran = seq in client.session.answers
        rows = self._execute(client, *client.open[seq])
        assert not (ran and rows), "a call ran twice"
        self.count("repeats")

    def _execute(self, client: Client, command: Any, args: Any, options: Any, meta: dict[int, Any]) -> list[Any]:
        assert client.session is not None
        pending = self.engine.journal
        assert pending is not None
        before, seq = len(pending), meta.get(SEQ)
        self.shown += 1
        try:
            reply = self.engine.execute(client.session, self.shown, command, args, options, meta)
        except KvError as error:
            reply = error
        rows = list(pending)[before:]
        self.count("commits" if rows else "calls without effect")
        if reply is PARKED:
            return rows
        if command.name == "XADD" and type(reply) is str:
            self.chance.ids = [reply.encode(), *self.chance.ids[:4]]
        if command.name == "LOCK" and type(reply) is not KvError and hasattr(reply, "token"):
            self.chance.tokens = [reply.token, *self.chance.tokens[:2]]

        def told(kept: bool) -> None:
            if kept and seq is not None:
                client.open.pop(seq, None)

        self.put_out(rows, told)
        return rows

    def _open(self, client: Client) -> None:
        pending = self.engine.journal
        assert pending is not None
        before = len(pending)
        session, resumed = self.engine.open_session(client, client.name, b"0", client.secret)
        if not resumed:
            client.open = {}
        client.session, client.secret = session, session.secret
        self.put_out(list(pending)[before:], lambda kept: None)

    def _say_line(self) -> None:
        pending = self.engine.journal
        assert pending is not None
        before = len(pending)
        words = self.dice.choice(LINES).split()
        line = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in words)
        self.line.receive_data(line)
        while self.line.data_to_send():
            pass
        self.put_out(list(pending)[before:], lambda kept: None)

    # ---- for whoever looks into a failure
    def say(self, what: str) -> None:
        self.trace.append(f"{self.step:4} {what}")

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def same(found: Any, known: Any) -> bool:
    """Whether a store that was read is what was *known*."""
    return next(differences(found, known), None) is None


def differences(found: Any, known: Any) -> Iterator[str]:
    """Where they differ. A store that was read may keep answers of which the client had said that they arrived. An
    answer that had become doubtful may be anything; and one that was written as lost since may be in the log as it was.
    """
    for name in found[0].keys() ^ known[0].keys():
        yield f"only one has the namespace {name!r}"
    for name in found[0].keys() & known[0].keys():
        for what, now, then in zip(("key", "lock"), found[0][name], known[0][name], strict=True):
            for each in now.keys() | then.keys():
                if now.get(each) != then.get(each):
                    yield f"{what} {each!r} of {name!r} is {now.get(each)}, was {then.get(each)}"
    for number in found[1].keys() ^ known[1].keys():
        yield f"only one has the session {number}"
    for number in found[1].keys() & known[1].keys():
        secret, _, answers = found[1][number]
        secret_then, seen, answers_then = known[1][number]
        if secret != secret_then:
            yield f"session {number} has another secret"
        for seq in sorted(answers.keys() - answers_then.keys()):
            if seq >= seen:
                yield f"session {number} has an answer to {seq}"
        for seq, reply in answers_then.items():
            if seq not in answers or not same_answer(answers[seq], reply):
                yield f"session {number} has answered {answers.get(seq)!r} to {seq}, not {reply!r}"


def same_answer(found: Any, known: Any) -> bool:
    if isinstance(known, Lost):
        return known.doubtful or not isinstance(found, Lost) or found.revision == known.revision
    return plain(found) == plain(known)


def plain(reply: Any) -> Any:
    """Records and tuples as lists: that is how they are read back."""
    if isinstance(reply, dict):
        return {key: plain(each) for key, each in reply.items()}
    return [plain(each) for each in reply] if isinstance(reply, list | tuple) else reply


def drive(program: Coroutine[Any, Any, None]) -> None:
    """Run *program* to its end."""
    try:
        while True:
            program.send(None)
    except StopIteration:
        return


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Put the world in the place of threads, time and files."""

    class Noted(Snapshot):
        def __init__(self, engine: Engine, revision: int) -> None:
            world.noted(revision)
            super().__init__(engine, revision)

    class NotedJournal(Journal):
        def open(self, after: int, revision: int, now_ms: int, elapsed_ms: int) -> None:
            world.pictures.setdefault(revision, world.pictures[after])
            super().open(after, revision, now_ms, elapsed_ms)

        def write(self, now_ms: int, elapsed_ms: int, *, urgent: bool) -> None:
            before = self.written
            super().write(now_ms, elapsed_ms, urgent=urgent)
            if self.written != before:
                world.written.append((elapsed_ms, self.written))

    trio = SimpleNamespace(
        Event=Event,
        move_on_after=unhurried,
        current_time=lambda: 0.0,
        sleep=sleep,
        lowlevel=SimpleNamespace(checkpoint=pause),
    )
    with (
        patch.object(storage, "Journal", NotedJournal),
        patch.object(keepers, "trio", trio),
        patch.object(storage, "trio", trio),
        patch.object(keepers, "Snapshot", Noted),
        patch.object(journals, "_STEP", 1_024),
        patch.object(journals, "_LOW", 500),
        patch.object(journals, "_ZEROS", bytes(200)),
        patch.object(keepers, "_BLOCK", 400),
        patch.object(snapshots, "_SLICE_KEYS", 3),
        patch.object(snapshots, "_ENOUGH", 200),
    ):
        yield


def simulate(seed: int, mode: str, steps: int = 200, *, loud: bool = False) -> World:
    """Run one world. Raises `AssertionError` that says how to run it again."""
    world = World(seed, mode)
    try:
        with simulated(world):
            world.run(steps)
    except (Exception, Unreadable) as error:
        story = "\n".join(world.trace if loud else world.trace[-30:])
        again = f"python -m tests.durability.simulation {seed} {mode} {steps}"
        raise AssertionError(f"{type(error).__name__}: {error}\n{story}\nagain: {again}") from error
    return world


if __name__ == "__main__":
    shown = simulate(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if sys.argv[3:] else 200, loud=True)
    print("\n".join(shown.trace))
    print(shown.counts)
