"""An engine in a test's hands: clocks that only the test moves, clients whose outboxes remember, calls in wire form."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any, Final, NamedTuple

from msgpack import packb, unpackb

from kv_protocol.values import decode, encode
from kv_server.commands import CATALOG
from kv_server.engine.commit import Commit
from kv_server.engine.engine import PARKED, Engine, Limits, Start
from kv_server.engine.rows import SESSION_END, SESSION_OPEN
from kv_server.engine.session import Session
from kv_server.engine.tx import Tx
from kv_server.model.container import CONTAINERS
from kv_server.model.entry import CACHED_BYTES, COLLECTION_BYTES, DEADLINE_BYTES, ENTRY_BYTES, SCALAR, Cached, Entry
from kv_server.model.space import NAMESPACE_BYTES, TABLE_BYTES, Namespace
from kv_server.model.store import Store
from kv_server.spec.catalog import Catalog
from kv_server.spec.command import Command, Flag
from kv_server.spec.reply import Form, FormKind
from kv_server.spec.signature import Block, Element, Param

NOW_MS = 1_800_000_000_000
ELAPSED_MS = 1_000_000
SHARDS = 8
SEED = b"seed of the tests"


class Outbox:
    """Remembers what the engine said to one connection, and what commands asked of it, in order."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.gone = False

    def deliver(self, request_id: int, command: Command, reply: object) -> None:
        self.heard.append(("deliver", request_id, reply))

    def fail(self, request_id: int, error: Exception) -> None:
        self.heard.append(("fail", request_id, error))

    def event(self, request_id: int, event: Any) -> None:
        self.heard.append(("event", request_id, event))

    def push(self, kind: str, *fields: object) -> None:
        self.heard.append(("push", kind, fields))

    def close(self, error: Exception) -> None:
        self.heard.append(("close", error))

    def lost(self) -> bool:
        return self.gone

    # ---- what only a connection of the text door can
    protocol = 2
    address = "test"
    certified = None
    command: Command | None = None
    library = ("", "")

    def speak(self, version: int) -> None:
        self.protocol = version

    def answer(self, mode: str) -> None:
        self.heard.append(("answer", mode))

    def say(self, text: bytes) -> None:
        self.heard.append(("say", text))

    def hang_up(self) -> None:
        self.heard.append(("hang_up",))

    def pause(self, wait_ms: int, everything: bool) -> None:
        self.heard.append(("pause", wait_ms, everything))

    def unpause(self) -> None:
        self.heard.append(("unpause",))

    def take(self, kind: str) -> list[tuple[Any, ...]]:
        """What was heard of *kind*, forgotten from here on."""
        found = [said for said in self.heard if said[0] == kind]
        self.heard = [said for said in self.heard if said[0] != kind]
        return found

    def events(self) -> list[Any]:
        return [event for _, _, event in self.take("event")]

    def errors(self) -> dict[int, str]:
        """Request id -> code of the error it ended with."""
        return {request_id: error.code for _, request_id, error in self.take("fail")}


class Client:
    """A session with its connection."""

    def __init__(self, rig: Rig, session: Session, outbox: Outbox, resumed: bool) -> None:
        self.rig = rig
        self.session = session
        self.outbox = outbox
        self.resumed = resumed

    def call(self, word: str, *args: Any, **options: Any) -> Any:
        """Call *word* with Python values; the reply in Python values, or PARKED."""
        return self.send(word, args, options)

    def send(self, word: str, args: Iterable[Any] = (), options: dict[str, Any] | None = None, meta: Any = None) -> Any:
        """As `call`, with *meta*; a parked call's id is `rig.last_id`."""
        command = self.rig.catalog[word]
        plain, named = wire_form(command, args, options or {})
        return self.raw(word, plain, named, meta)

    def raw(self, word: str, args: Any, options: Any = None, meta: Any = None) -> Any:
        """Execute with arguments that are in wire form already."""
        rig = self.rig
        command = rig.catalog[word]
        rig.last_id += 1
        reply = rig.engine.execute(self.session, rig.last_id, rig.guarded(command), args, options, meta)
        return reply if reply is PARKED else readable(command.reply, reply)

    def cancel(self, request_id: int) -> bool:
        return self.rig.engine.cancel(self.session, request_id)

    def credit(self, request_id: int, count: int) -> None:
        self.rig.engine.credit(self.session, request_id, count)

    def detach(self) -> None:
        self.rig.engine.detach(self.session, self.outbox)


class Rig:
    """An engine, its commits, and the clocks. *strict* holds every command to what it declares."""

    def __init__(
        self, *, shards: int = SHARDS, limits: Limits | None = None, strict: bool = False, catalog: Catalog = CATALOG
    ) -> None:
        self.catalog = catalog
        self.now_ms = NOW_MS
        self.elapsed_ms = ELAPSED_MS
        self.engine = StrictEngine(catalog, start=start(), shards=shards, limits=limits)
        self.commits: list[Commit] = []
        self.engine.sinks.append(self.note)
        self.strict = strict
        self.last_id = 0

    def harden(self) -> None:
        """Hold commands to what they declare, from here on."""
        self.strict = True

    @property
    def store(self) -> Store:
        return self.engine.store

    def connect(self, client: str = "", namespace: bytes = b"0", secret: bytes | None = None) -> Client:
        outbox = Outbox()
        session, resumed = self.engine.open_session(outbox, client, namespace, secret)
        return Client(self, session, outbox, resumed)

    def note(self, commit: Commit) -> None:
        """Keep *commit*. That somebody came or went for good is not what tests ask about."""
        if commit.effects[0][0] not in (SESSION_OPEN, SESSION_END):
            self.commits.append(commit)

    def guarded(self, command: Command) -> Any:
        return StrictCommand(command) if self.strict else command

    def advance(self, ms: int) -> bool:
        """Let *ms* pass, then do one slice of what is due."""
        self.now_ms += ms
        self.elapsed_ms += ms
        return self.engine.advance(self.now_ms, self.elapsed_ms)

    def pass_unnoticed(self, ms: int) -> None:
        """Let *ms* pass without doing anything that is due."""
        self.now_ms += ms
        self.elapsed_ms += ms
        self.engine.set_clocks(self.now_ms, self.elapsed_ms)

    def settle(self, ms: int = 0) -> int:
        """Let *ms* pass and do all that is due; the number of slices it took."""
        slices = 1
        more = self.advance(ms)
        while more:
            more = self.advance(0)
            slices += 1
        return slices

    def rows(self) -> list[tuple[Any, ...]]:
        """The effects so far, in order."""
        return [tuple(row) for commit in self.commits for row in commit.effects]


def start() -> Start:
    return Start(now_ms=NOW_MS, elapsed_ms=ELAPSED_MS, epoch=1, seed=SEED, dice=Random(7))


# ---- wire form
def through_the_wire(body: Any) -> Any:
    """What the server unpacks of what a client packs."""
    return unpackb(packb(body, unicode_errors="surrogateescape"), raw=True, strict_map_key=False)


def wire_form(command: Command, args: Iterable[Any], options: dict[str, Any]) -> tuple[Any, Any]:
    """Arguments as the server unpacks them; values and numbers are given as Python values, names as str or bytes.

    An option that is None is left out.
    """
    given = list(args)
    params = list(command.signature.positional)
    tail = command.signature.tail
    if tail is not None:
        params += [tail] * (len(given) - len(params))
    packed = [_element(param.element, arg) for param, arg in zip(params, given, strict=False)]
    by_name = {param.name: param for param in command.signature.options}
    named = {word: _option(by_name[word], arg) for word, arg in options.items() if arg is not None}
    plain, named = through_the_wire([packed + given[len(params) :], named])
    return plain, named or None


def _option(param: Param, given: Any) -> Any:
    return [_element(param.element, each) for each in given] if param.several else _element(param.element, given)


def _element(element: Element, given: Any) -> Any:
    if isinstance(element, Block):
        return [_element(part, each) for part, each in zip(element.fields.values(), given, strict=True)]
    name = getattr(element, "name", "")
    return encode(given) if name in ("value", "number") else given


def readable(form: Form, reply: Any) -> Any:
    """A reply of *form* in Python values: blobs decoded, records as tuples, names as bytes."""
    match form.kind:
        case FormKind.OPTIONAL:
            return None if reply is None else readable_present(form.part, reply)
        case FormKind.LIST:
            return [readable(form.part, each) for each in reply]
        case FormKind.MAP:
            return {key: readable(form.part, each) for key, each in reply.items()}
        case FormKind.RECORD | FormKind.TUPLE:
            return tuple(readable(part, each) for part, each in zip(form.parts, reply, strict=True))
        case FormKind.ROW if form.row is not None and form.row.name in ("value", "number"):
            return decode(reply)
        case _:
            return reply


class Present(NamedTuple):
    """A reply that may be nothing, and is not: keeps a stored None apart from no value."""

    value: Any


def readable_present(form: Form, reply: Any) -> Any:
    plain = readable(form, reply)
    return Present(plain) if form.row is not None and form.row.name == "value" else plain


# ---- what is in a store
def picture(store: Store) -> dict[bytes, Any]:
    """Everything that a store holds, for comparison: entries by key, and locks."""
    return {
        name: (
            {
                key: (entry.kind, content(entry), entry.version, entry.expires_ms)
                for table in space.live_tables()
                for key, entry in table.items()
            },
            {lock: [hold.facts() for hold in held.values()] for lock, held in space.locks.items()},
        )
        for name, space in store.namespaces.items()
    }


def content(entry: Entry) -> Any:
    """What *entry* holds now, whatever becomes of it."""
    return entry.value if entry.kind == SCALAR else entry.value.dump()


def kept_answers(sessions: dict[int, Session]) -> dict[int, Any]:
    """The answers of every session, those that were too large as the revision they were applied at."""
    return {
        number: {seq: (getattr(reply, "revision", reply), size) for seq, (reply, size) in session.answers.items()}
        for number, session in sessions.items()
    }


def counted(entry: Entry) -> int:
    """What the value of *entry* takes, counted anew."""
    if entry.kind == SCALAR:
        return len(entry.value)
    # Loaded anew it might be packed again.
    if getattr(entry.value, "outgrown", False):
        return entry.bytes
    return COLLECTION_BYTES[entry.kind] + CONTAINERS[entry.kind].load(entry.value.dump()).bytes


def recount(store: Store) -> None:
    """Count the accounts of every table anew and compare; every deadline must be on its table's heap, and scheduled."""
    assert store.bytes - store.callers == sum(space.bytes for space in store.namespaces.values())
    for name, space in store.namespaces.items():
        assert space.name == name and space.keys == sum(map(len, space.tables)), name
        assert space.lock_bytes == sum(held.weigh(lock) for lock, held in space.locks.items()), name
        tables = [table for table in space.tables if table is not store.empty]
        apart = NAMESPACE_BYTES + len(name) + TABLE_BYTES * len(tables) + space.lock_bytes
        assert space.bytes == sum(table.bytes for table in tables) + apart, name
        recount_cache(space)
        for table in tables:
            accounted = table.bytes - table.pending * DEADLINE_BYTES
            more = 0 if table.cache is None else CACHED_BYTES
            assert accounted == sum(len(k) + counted(e) + ENTRY_BYTES + more for k, e in table.items()), name
            deadlines = {(e.expires_ms, k) for k, e in table.items() if e.expires_ms}
            assert table.expiring == len(deadlines), name
            assert table.pending <= 2 * table.expiring + 65, name
            if deadlines:
                first = table.first_due()
                assert 0 < table.due_ms <= first <= min(deadlines)[0], name
                assert any(due == table.due_ms and where[0] is table for due, _, where in store.due.heap), name
        for lock, held in space.locks.items():
            assert held, f"{lock!r} is held by nobody"
            assert held.least == min((hold.most for hold in held.values() if hold.most), default=0), lock
            assert len(held) <= (held.least or len(held)), lock
            places = {(due, place) for due, _, place in store.leases.heap}
            assert all((hold.until_ms, (name, lock, token)) in places for token, hold in held.items()), lock


def recount_cache(space: Namespace) -> None:
    """The ring of a cache holds what may be evicted, each once and in its place."""
    cache = space.cache
    if cache is None:
        return
    ring = [entry for table in space.tables if table.cache is cache for _, entry in table.items() if cache.fits(entry)]
    assert sorted(map(id, ring)) == sorted(map(id, cache.ring)), space.name
    assert all(cache.ring[entry.place] is entry for entry in cache.ring), space.name
    for table in space.tables:
        if table.cache is cache:
            assert all(type(entry) is Cached and entry.key == key for key, entry in table.items()), space.name


def replayed(commits: Iterable[Commit], like: Engine) -> tuple[Tx, list[list[tuple[Any, ...]]]]:
    """*commits* replayed into an empty store, with the sessions that *like* knows; the transaction, and its rows."""
    sessions = {
        number: Session(number, session.secret, session.client, session.namespace)
        for number, session in like.sessions.items()
    }
    tx = Tx(Store(like.store.shards, SEED), sessions, Random(0), like.limits.namespaces)
    rows = []
    for commit in commits:
        tx.replay(commit)
        rows.append(tx.effects)
        tx.effects = []
        tx.notices = []
    return tx, rows


# ---- a transaction that holds commands to what they declared
WRITES: Final = Flag.WRITE.value


class StrictTx(Tx):
    """Refuses keys that the call did not declare, and changes of those that it declared only to read."""

    granted: dict[bytes, int] | None = None
    walked: frozenset[bytes] = frozenset()

    def need(self, key: bytes, *, write: bool) -> None:
        if self.granted is None or (not write and key in self.walked):
            return
        assert key in self.granted, f"{key!r} was not declared"
        assert not write or self.granted[key] & WRITES, f"{key!r} was declared to be read only"

    def find(self, key: bytes) -> Any:
        self.need(key, write=False)
        return super().find(key)

    def exists_in(self, namespace: bytes, key: bytes) -> bool:
        self.need(key, write=False)
        return super().exists_in(namespace, key)

    def scan(self, cursor: int, wanted: int) -> tuple[int, list[bytes]]:
        following, keys = super().scan(cursor, wanted)
        self.walked = frozenset(keys)
        return following, keys

    def touch(self, key: bytes) -> Any:
        self.need(key, write=True)
        return super().touch(key)

    def key_drop(self, key: bytes, cause: int) -> None:
        self.need(key, write=True)
        super().key_drop(key, cause)

    def lock_end(self, name: bytes, token: int, cause: int) -> None:
        """What goes with a lock nobody declares."""
        granted, self.granted = self.granted, None
        super().lock_end(name, token, cause)
        self.granted = granted

    def key_move(self, key: bytes, namespace: bytes, target: bytes) -> None:
        self.need(target, write=True)
        super().key_move(key, namespace, target)


class StrictEngine(Engine):
    """An engine whose transactions can be strict."""

    tx_class = StrictTx


class StrictCommand:
    """A command that tells the strict transaction what its call declares; otherwise as it was."""

    def __init__(self, command: Command) -> None:
        self.command = command

    def __getattr__(self, name: str) -> Any:
        return getattr(self.command, name)

    def call(self, place: Any, args: Any, options: Any) -> Any:
        if not isinstance(place, StrictTx):
            return self.command.call(place, args, options)
        declared: dict[bytes, int] = {}
        for key, access in self.command.keys(self.command.bind_typed(args, options)):
            declared[key] = declared.get(key, 0) | access.value
        place.granted, place.walked = declared, frozenset()
        writes = self.command.flags.value & WRITES
        before = len(place.effects)
        try:
            return self.command.call(place, args, options)
        finally:
            place.granted = None
            assert writes or len(place.effects) == before, f"{self.command.name} is READ and changed something"
