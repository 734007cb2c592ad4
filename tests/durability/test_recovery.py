"""What a start makes of a folder: the first one, files that hold nothing, torn ends over several files, clocks."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
from msgpack import packb

from kv_server.commands import CATALOG
from kv_server.durability import journal as journals
from kv_server.durability.frames import BLOCK, END, HEAD, HEAD_BYTES, Stamp, pack, read_frames
from kv_server.durability.journal import FORMAT, INTERVAL, NEVER, Origin, log_name
from kv_server.durability.recovery import Recovery
from kv_server.durability.snapshot import SCALARS, snapshot_name
from kv_server.durability.survey import Unreadable, survey
from kv_server.engine.engine import Engine, Limits
from tests.durability.disk import FaultyDisk
from tests.durability.rig import Kept, names, recovered, whole
from tests.engine.rig import ELAPSED_MS, NOW_MS, SEED, start


@pytest.fixture(autouse=True)
def small_steps() -> Iterator[None]:
    with patch.object(journals, "_STEP", 1_024), patch.object(journals, "_LOW", 256):
        yield


def store(mode: str = NEVER, **settings: Any) -> Kept:
    kept = Kept(FaultyDisk(Random(1)), mode, **settings)
    kept.client = kept.connect("one")  # type: ignore[attr-defined]
    kept.keep()
    return kept


def put(kept: Kept, count: int, size: int = 100) -> None:
    for number in range(count):
        kept.client.call("SET", b"k", f"{number} " + "x" * size)  # type: ignore[attr-defined]
        kept.write()


# ---- a beginning
def test_an_empty_folder_is_an_empty_store() -> None:
    disk = FaultyDisk()
    found = survey(disk)
    assert found.origin is None
    recovery = recovered(disk)
    assert (recovery.revision, recovery.commits, recovery.engine.store.namespaces) == (0, 0, {})
    recovery.secure()
    assert disk.files == {}


@pytest.mark.parametrize("content", [b"", bytes(4_096)])
def test_a_log_that_was_hardly_begun_is_an_empty_one(content: bytes) -> None:
    disk = FaultyDisk()
    disk.put(log_name(0), content)
    recovery = recovered(disk)
    assert recovery.revision == 0
    recovery.secure()
    assert disk.files == {}


def test_foreign_files_and_those_that_were_never_completed_are_left_alone() -> None:
    kept = store()
    put(kept, 2)
    for name in ("notes.new", "log-1.kvlog", "owner.lock", "snapshot-x.kvsnap", "log-0000000000000000.kvlog.dropped"):
        kept.disk.put(name, b"something")
    kept.disk.put(snapshot_name(9) + ".new", b"half")
    kept.disk.put(log_name(9) + ".new", b"half")
    found = survey(kept.disk)
    assert found.unfinished == [log_name(9) + ".new", snapshot_name(9) + ".new"]
    assert whole(recovered(kept.disk).engine) == whole(kept.engine)


def test_starts_without_commits_leave_nothing_behind_that_a_later_one_trips_over() -> None:
    kept = store()
    put(kept, 1)
    kept.sync()
    disk, revision = kept.disk, kept.journal.written
    for _ in range(4):
        recovery = recovered(disk.copy())
        assert whole(recovery.engine) == whole(kept.engine)
        assert recovery.revision >= revision
        disk = disk.crashed()
        recovery = recovered(disk)
        recovery.secure()
        revision = recovery.revision + (1 << 22)
        journal = journals.Journal(disk, Origin(1, SEED, 8), NEVER, 100, 1 << 20)
        journal.open(recovery.revision, revision, kept.now_ms, kept.elapsed_ms)
    assert recovered(disk.crashed()).revision == revision


# ---- what was synced stays, what was not may go
def test_a_torn_end_may_reach_over_whole_segments() -> None:
    kept = store(segment_bytes=300)
    put(kept, 1)
    kept.sync()
    durable = kept.journal.durable
    put(kept, 5)
    logs = names(kept.disk, "log-")
    assert len(logs) > 3
    lost = kept.disk.copy()
    lost.put(logs[1], b"")
    recovery = recovered(lost)
    assert recovery.revision >= durable
    assert whole(recovery.engine) == kept.history[recovery.revision]
    assert recovery.cut is not None
    assert [file.name for file in recovery.beyond] == logs[2:]
    recovery.secure()
    assert set(lost.files) == set(logs[:1])
    again = recovered(lost)
    assert (again.revision, again.cut) == (recovery.revision, None)


def test_a_segment_that_is_missing_is_no_torn_end_once_a_later_one_was_synced() -> None:
    kept = store(segment_bytes=300)
    put(kept, 6)
    kept.sync()
    put(kept, 1)
    logs = names(kept.disk, "log-")
    for name in logs[1:-1]:
        lost = kept.disk.copy()
        lost.remove(name)
        with pytest.raises(Unreadable, match=rf"gap in the log: {logs[logs.index(name) + 1]} .* byte [\d,]+"):
            recovered(lost)


def test_what_can_be_read_only_from_memory_is_written_again_before_anything_follows_it() -> None:
    """A sync failed, the process was killed: the next one reads what is not on the medium, and a sync does not help."""
    kept = store(INTERVAL)
    put(kept, 3)
    kept.disk.fail = {"sync": 1.0}
    kept.sync()
    kept.disk.heal()
    file = kept.disk.files[log_name(0)]
    synced = [frame for frame in read_frames(kept.disk, log_name(0)) if frame.stamp.revision <= kept.journal.durable]
    file.medium = file.medium[: synced[-1].end]  # nothing else had reached the medium
    recovery = recovered(kept.disk)
    assert recovery.revision == kept.journal.written
    recovery.secure()
    assert bytes(file.medium) == bytes(file.now)
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


def test_what_the_log_proves_to_be_on_the_medium_is_not_written_again() -> None:
    kept = store()
    put(kept, 3)
    kept.sync()
    put(kept, 1)
    frames = list(read_frames(kept.disk, log_name(0)))
    recovery = recovered(kept.disk)
    kept.disk.files[log_name(0)].unsynced.clear()
    recovery.secure()
    assert not [write for write in kept.disk.files[log_name(0)].unsynced if write.data is not None]
    assert kept.disk.size(log_name(0)) == frames[-1].end, "and what was reserved is given back"
    kept.close()
    kept.disk.calls.clear()
    closed = recovered(kept.disk)
    closed.secure()
    assert not [call for call, _ in kept.disk.calls if call in ("write", "sync", "truncate")]


def test_damage_of_a_head_takes_nothing_along_that_was_synced() -> None:
    kept = store()
    put(kept, 2)
    kept.sync()
    put(kept, 1)
    spoilt = kept.disk.copy()
    content = bytearray(spoilt.content(log_name(0)))
    content[HEAD_BYTES + 3] ^= 1
    spoilt.put(log_name(0), bytes(content))
    with pytest.raises(Unreadable, match="at byte 0, after revision 0"):
        recovered(spoilt)


# ---- what is refused
def head(file: str, **facts: Any) -> bytes:
    told = {"kv": FORMAT, "file": file, "revision": 0, "epoch": 1, "seed": SEED, "shards": 8} | facts
    return pack(HEAD, Stamp(0, 0, 1, 1), packb(told), 0)


def test_a_newer_format_is_refused_with_a_word_about_it() -> None:
    disk = FaultyDisk()
    disk.put(log_name(0), head("log", kv=FORMAT + 1))
    with pytest.raises(Unreadable, match=rf"format {FORMAT + 1}; this version reads formats up to {FORMAT}"):
        recovered(disk)


@pytest.mark.parametrize(
    "content", [head("log", kv="1"), pack(HEAD, Stamp(0, 0, 1, 1), b"\xc1", 0), pack(HEAD, Stamp(0, 0, 1, 1), b"", 0)]
)
def test_a_head_that_says_nothing_is_of_no_file_of_kv(content: bytes) -> None:
    disk = FaultyDisk()
    disk.put(log_name(0), content)
    with pytest.raises(Unreadable, match="no file of kv"):
        recovered(disk)


def test_rows_that_fit_nothing_are_refused_with_file_and_revision() -> None:
    kept = store()
    put(kept, 1)
    disk = FaultyDisk()
    disk.put(log_name(0), kept.disk.content(log_name(0)))
    journal = kept.journal
    kept.pending.append((journal.written + 1, kept.now_ms, kept.elapsed_ms, b"0", [(0x22, b"no hash", b"field")]))
    kept.write()
    with pytest.raises(Unreadable, match=rf"{log_name(0)}: what follows revision \d+ cannot be applied \(KeyError\)"):
        recovered(kept.disk)


@pytest.mark.parametrize("shards", [8, 4])
@pytest.mark.parametrize(
    "columns, refusal",
    [
        ([[b"k", b"k"], [b"\x01"] * 2, [1, 1], [0, 0]], "ValueError"),
        ([[b"k"], [b"\x01"] * 2, [1], [0]], "ValueError"),
        ([["text"], [b"\x01"], [1], [0]], "ValueError|TypeError"),
        ([[b"k"], [b"\x01"], [1]], "TypeError"),
    ],
)
def test_a_snapshot_that_tells_of_no_scalars_is_refused(columns: list[Any], refusal: str, shards: int) -> None:
    disk = FaultyDisk()
    content = head("snapshot")
    for kind, thing in ((BLOCK, [SCALARS, b"0", 0, *columns]), (END, {"keys": 1, "locks": 0, "sessions": 0})):
        content += pack(kind, Stamp(0, 0, 1, 1), packb(thing), len(content))
    disk.put(snapshot_name(0), content)
    with pytest.raises(Unreadable, match=rf"{snapshot_name(0)}: .* cannot be applied \(({refusal})\)"):
        recovered(disk, shards)


# ---- what goes on
def test_clocks_go_on_from_the_last_record_even_if_the_last_segment_is_empty() -> None:
    kept = store(segment_bytes=300)
    kept.advance(5_000)
    put(kept, 6)
    kept.sync()
    logs = names(kept.disk, "log-")
    for content in (b"", bytes(500)):
        disk = kept.disk.copy()
        *_, last = read_frames(disk, logs[-2])
        disk.put(logs[-1], content)
        found = survey(disk)
        assert (found.now_ms, found.elapsed_ms) == (last.stamp.now_ms, last.stamp.elapsed_ms)
        assert found.elapsed_ms == ELAPSED_MS + 5_000
        assert found.revision == last.stamp.revision


def test_a_limit_on_namespaces_does_not_stop_those_that_there_were() -> None:
    kept = store()
    for number in range(5):
        kept.client.send("SET", [b"k", 1], {}, {4: b"n%d" % number})  # type: ignore[attr-defined]
        kept.write()
    engine = Engine(CATALOG, start=start(), shards=8, limits=Limits(namespaces=2))
    for _ in Recovery(kept.disk, survey(kept.disk), engine).steps():
        pass
    assert len(engine.store.namespaces) == 5
    assert engine.tx.max_namespaces == 2


def test_sessions_have_a_minute_from_the_start_on_to_come_back() -> None:
    kept = store()
    put(kept, 1)
    recovery = recovered(kept.disk)
    engine = recovery.engine
    [session] = engine.sessions.values()
    engine.advance(NOW_MS + 59_999, ELAPSED_MS + 59_999)
    assert session.id in engine.sessions
    engine.advance(NOW_MS + 60_000, ELAPSED_MS + 60_000)
    assert session.id not in engine.sessions


def test_a_store_that_was_saved_with_another_number_of_shards_comes_back() -> None:
    kept = store(shards=8)
    put(kept, 3)
    kept.client.call("MSET", *((b"many %d" % number, number) for number in range(50)))  # type: ignore[attr-defined]
    kept.take_snapshot()
    kept.close()
    recovery = recovered(kept.disk, 256)
    recovery.secure()
    journal = journals.Journal(kept.disk, Origin(1, SEED, 256), NEVER, 100, 1 << 20)
    journal.open(recovery.revision, recovery.revision + 5, kept.now_ms, kept.elapsed_ms)
    for shards in (8, 256, 1):
        engine = recovered(kept.disk.copy(), shards).engine
        assert whole(engine) == whole(kept.engine)
        caller = engine.store.namespaces[b"0"]
        assert all(engine.tx.table_of(caller, key).get(key) for table in caller.live_tables() for key in table)
