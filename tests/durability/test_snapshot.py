"""A snapshot is of one moment, whatever happens while it is written; and a file of it is whole, or is none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from kv_protocol.errors import KvError
from kv_protocol.messages import NAMESPACE, SEQ
from kv_protocol.values import encode
from kv_server.commands import CATALOG
from kv_server.durability import snapshot as snapshots
from kv_server.durability.journal import TEMPORARY
from kv_server.durability.snapshot import Snapshot, Writer, snapshot_name
from tests.durability.rig import Kept, names, recovered, whole
from tests.engine.rig import Client, recount
from tests.engine.text_line import TextLine

OTHER = {NAMESPACE: b"other"}


@pytest.fixture(autouse=True)
def small_pieces() -> Iterator[None]:
    with patch.object(snapshots, "_SLICE_KEYS", 2), patch.object(snapshots, "_ENOUGH", 60):
        yield


class Scene:
    """A store with keys of all kinds in two namespaces, locks, an answer, and a namespace that holds nothing."""

    def __init__(self, *, shards: int = 4) -> None:
        self.kept = Kept(shards=shards)
        self.one: Client = self.kept.connect("one")
        self.line = TextLine(self.kept)
        for meta in ({}, OTHER):
            for number in range(6):
                self.one.send("SET", [b"k%d" % number, number], {"ttl": 1_000 if number == 3 else None}, meta)
            self.one.send("HSET", [b"h", (b"f", 1), (b"g", 2)], {}, meta)
            self.one.send("RPUSH", [b"l", 1, 2, 3], {}, meta)
            self.one.send("SADD", [b"s", b"x", b"y"], {}, meta)
            self.one.send("ZADD", [b"z", (1, b"x"), (2, b"y")], {}, meta)
            self.one.send("XADD", [b"st", (b"f", 1)], {}, meta)
            self.one.send("XGROUP CREATE", [b"st", b"n", "0"], {}, meta)
        self.token = self.one.call("LOCK", b"lock", ttl=60_000)[0]
        self.one.call("EXTEND", 90_000, (b"lock", self.token))
        self.one.send("INCR", [b"k1"], {}, {SEQ: 1})
        self.one.send("SET", [b"x", 1], {}, {NAMESPACE: b"empty"})
        self.one.send("DEL", [b"x"], {}, {NAMESPACE: b"empty"})

    def atomic(self, *calls: list[Any]) -> None:
        self.kept.last_id += 1
        try:
            self.kept.engine.execute(self.one.session, self.kept.last_id, CATALOG["ATOMIC"], list(calls), None, None)
        except KvError:
            return


Deed = Callable[[Scene], object]
ONE = encode(1)
DEEDS: dict[str, Deed] = {
    "set": lambda scene: scene.one.call("SET", b"k0", "other"),
    "set anew": lambda scene: scene.one.call("SET", b"new", "other"),
    "delete": lambda scene: scene.one.call("DEL", b"k0", b"k1", b"h", b"st"),
    "delete and set again": lambda scene: [scene.one.call("DEL", b"k0"), scene.one.call("SET", b"k0", 7)],
    "change a hash": lambda scene: [scene.one.call("HSET", b"h", (b"f", 9)), scene.one.call("HDEL", b"h", b"g")],
    "change a list": lambda scene: [scene.one.call("LPOP", b"l"), scene.one.call("RPUSH", b"l", 9)],
    "change a set": lambda scene: [scene.one.call("SPOP", b"s"), scene.one.call("SADD", b"s", b"new")],
    "change a zset": lambda scene: scene.one.call("ZADD", b"z", (9, b"x")),
    "change a stream": lambda scene: scene.one.call("XREADGROUP", b"n", b"who", (b"st", ">")),
    "set the expiry": lambda scene: scene.one.call("EXPIRE", b"k0", 5),
    "take the expiry away": lambda scene: scene.one.call("PERSIST", b"k3"),
    "expire": lambda scene: scene.kept.settle(2_000),
    "load": lambda scene: [scene.line("SORT l STORE k0"), scene.line("ZUNIONSTORE h 1 z")],
    "rename": lambda scene: scene.one.call("RENAME", b"k0", b"k1"),
    "rename to what is new": lambda scene: scene.one.call("RENAME", b"h", b"new"),
    "move": lambda scene: [scene.one.call("DEL", b"l"), scene.one.send("MOVE", [b"l", b"0"], {}, OTHER)],
    "copy": lambda scene: scene.one.call("COPY", b"h", b"k2", replace=True),
    "copy elsewhere": lambda scene: scene.one.call("COPY", b"h", b"s", namespace=b"other", replace=True),
    "flush": lambda scene: scene.one.call("FLUSHDB"),
    "flush and set again": lambda scene: [scene.one.call("FLUSHDB"), scene.one.call("SET", b"k0", 9)],
    "flush all": lambda scene: scene.line("FLUSHALL"),
    "drop": lambda scene: scene.one.call("NAMESPACE DROP", b"other"),
    "drop and make again": lambda scene: [
        scene.one.call("NAMESPACE DROP", b"other"), scene.one.send("SET", [b"k0", 9], {}, OTHER)
    ],
    "swap": lambda scene: [scene.line("SWAPDB 0 1"), scene.one.call("SET", b"k0", 9), scene.line("SWAPDB 0 1")],
    "swap and flush": lambda scene: [scene.line("SWAPDB 0 1"), scene.one.send("FLUSHDB", [], {}, {NAMESPACE: b"1"})],
    "unlock": lambda scene: scene.one.call("UNLOCK", b"lock", scene.token),
    "lock": lambda scene: scene.one.call("LOCK", b"another"),
    "answer": lambda scene: scene.one.send("SET", [b"k0", 9], {}, {SEQ: 2}),
    "come and go": lambda scene: [scene.kept.connect("two").detach(), scene.kept.settle(70_000)],
    "a block": lambda scene: scene.atomic([b"SET", [b"k0", ONE], None], [b"DEL", [b"h"], None]),
    "a block that fails": lambda scene: scene.atomic(
        [b"SET", [b"k0", ONE], None], [b"DEL", [b"h"], None], [b"RENAME", [b"k2", b"n"], None], [b"INCR", [b"l"], None]
    ),
    "a block that fails after a change": lambda scene: [
        scene.one.call("SET", b"k0", 9), scene.atomic([b"SET", [b"k0", ONE], None], [b"INCR", [b"l"], None])
    ],
}  # fmt: skip


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("steps", [0, 2, 7])
def test_what_happens_meanwhile_is_not_in_it(deed: Deed, steps: int) -> None:
    scene = Scene()
    taking = scene.kept.begin_snapshot()
    then = whole(scene.kept.engine)
    for _ in range(steps):
        taking.step()
    deed(scene)
    taking.step()
    with contextlib.suppress(KvError):  # not everything can be done twice
        deed(scene)
    scene.kept.keep()
    taking.finish()
    now = whole(scene.kept.engine)
    for shards in (1, 4):
        both = recovered(scene.kept.disk.copy(), shards).engine
        assert whole(both) == now
        recount(both.store)
        alone = scene.kept.disk.copy()
        for name in names(alone, "log-"):
            alone.remove(name)
        engine = recovered(alone, shards).engine
        assert whole(engine) == then
        recount(engine.store)


def test_what_was_dropped_is_freed_once_it_was_copied() -> None:
    scene = Scene()
    taking = scene.kept.begin_snapshot()
    scene.one.call("FLUSHDB")
    scene.kept.settle()
    assert scene.kept.store.garbage
    taking.finish()
    scene.kept.settle()
    assert not scene.kept.store.garbage
    assert scene.kept.engine.tx.before is None


def test_a_key_that_was_changed_often_is_copied_once() -> None:
    scene = Scene()
    taking = scene.kept.begin_snapshot()
    for number in range(50):
        scene.one.call("SET", b"k0", number)
    taking.finish()
    assert taking.snapshot.keys == sum(map(len, then_keys(scene)))


def then_keys(scene: Scene) -> list[Any]:
    return [space[0] for space in whole(recovered(scene.kept.disk.copy()).engine)[0].values()]


def test_a_large_collection_comes_back() -> None:
    kept = Kept()
    client = kept.connect()
    for number in range(30):
        client.call("RPUSH", b"l", *(f"{number} {each} " + "x" * 200 for each in range(500)))
    kept.take_snapshot()
    assert whole(recovered(kept.disk).engine) == whole(kept.engine)


# ---- the file
def test_a_file_has_its_name_once_all_of_it_is_on_the_medium() -> None:
    scene = Scene()
    revision = scene.kept.begin_snapshot().finish()
    name = snapshot_name(revision)
    file = scene.kept.disk.files[name]
    calls = [(call, what) for call, what in scene.kept.disk.calls if what in (name + TEMPORARY, file, None)]
    last = [call for call, _ in calls][-4:]
    assert last == ["write", "sync", "rename", "sync_folder"]
    scene.kept.disk.fail = {}
    assert whole(recovered(scene.kept.disk.crashed()).engine) == whole(scene.kept.engine)


@pytest.mark.parametrize("compressible", [True, False])
def test_a_file_is_compressed_if_that_makes_it_half_as_long(compressible: bool) -> None:
    kept = Kept()
    client, dice = kept.connect(), Random(1)
    for number in range(100):
        client.call("SET", b"%d" % number, bytes(1_000) if compressible else dice.randbytes(1_000))
    revision = kept.take_snapshot()
    assert (kept.disk.size(snapshot_name(revision)) < 50_000) is compressible
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


def test_a_long_file_is_synced_while_it_is_written() -> None:
    kept = Kept()
    client = kept.connect()
    for number in range(100):
        client.call("SET", b"%d" % number, Random(number).randbytes(500))
    kept.disk.calls.clear()
    with patch.object(snapshots, "_SYNCED", 1_000):
        revision = kept.take_snapshot()
    file = kept.disk.files[snapshot_name(revision)]
    assert [call for call, what in kept.disk.calls if what is file].count("sync") > 5


FAULTS = ["create", "write", "sync", "close", "rename", "sync_folder"]


@pytest.mark.parametrize("call", FAULTS)
def test_one_that_fails_leaves_nothing_behind_and_another_can_be_taken(call: str) -> None:
    scene = Scene()
    kept = scene.kept
    kept.keep()
    snapshot = Snapshot(kept.engine, kept.journal.written)
    handles = set(kept.disk.handles)
    kept.disk.fail = {call: 1.0}
    with pytest.raises(OSError, match="Input/output error"):
        writing(kept, snapshot)
    snapshot.end()
    kept.disk.heal()
    assert set(kept.disk.handles) == handles
    assert not [name for name in kept.disk.names() if name.endswith(TEMPORARY)]
    kept.take_snapshot()
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


def writing(kept: Kept, snapshot: Snapshot) -> None:
    """As the keeper does it."""
    writer = Writer(kept.disk, kept.journal.origin, snapshot)
    try:
        while (piece := snapshot.step()) is not None:
            writer.add(piece)
        writer.finish(snapshot)
    except OSError:
        writer.give_up()
        raise


def test_a_file_says_how_much_is_in_it() -> None:
    scene = Scene()
    taking = scene.kept.begin_snapshot()
    taking.finish()
    keys = sum(len(space[0]) for space in whole(scene.kept.engine)[0].values())
    assert (taking.snapshot.keys, taking.snapshot.locks, taking.snapshot.sessions) == (keys, 1, 1)
