"""Files that were damaged, byte by byte: what is read is a beginning of what was written, or nothing is, with the place
and the reason. Never a wrong value, and never an error that nobody expects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from kv_protocol.messages import SEQ
from kv_server.durability import journal as journals
from kv_server.durability.frames import Damage, read_frames
from kv_server.durability.survey import Unreadable
from tests.durability.disk import FaultyDisk
from tests.durability.rig import Kept, names, recovered, whole
from tests.engine.rig import Client, recount

Change = Callable[[bytes], bytes]


def live(kept: Kept, caller: Client, numbers: range) -> None:
    """Some rounds of calls of all kinds, each synced."""
    for number in numbers:
        caller.send("SET", [b"a", number], {"ttl": 10**6 + number}, {SEQ: number + 1})
        if number % 3 == 0:
            caller.call("HSET", b"h", (b"f%d" % number, number))
        if number % 3 == 1:
            caller.call("LOCK", b"l%d" % number)
        if number % 3 == 2:
            caller.call("XADD", b"s", (b"n", number))
        kept.keep()


@pytest.fixture(scope="module")
def small_steps() -> Any:
    with (
        patch.object(journals, "_STEP", 256),
        patch.object(journals, "_LOW", 64),
        patch.object(journals, "_ZEROS", bytes(32)),
    ):
        yield


@pytest.fixture(scope="module")
def kept(small_steps: Any) -> Kept:
    """A log that was not closed."""
    kept = Kept()
    live(kept, kept.connect(), range(5))
    return kept


@pytest.fixture(scope="module")
def closed(small_steps: Any) -> Kept:
    """A log that was closed, in two segments."""
    kept = Kept(segment_bytes=450)
    live(kept, kept.connect(), range(5))
    kept.close()
    assert len(names(kept.disk, "log-")) >= 2
    return kept


@pytest.fixture(scope="module")
def saved(small_steps: Any) -> Kept:
    """Two snapshots, and a log that goes back to the first alone."""
    kept = Kept(segment_bytes=450)
    caller = kept.connect()
    live(kept, caller, range(3))
    first = kept.take_snapshot()
    live(kept, caller, range(3, 6))
    kept.take_snapshot()
    live(kept, caller, range(6, 7))
    kept.close()
    logs = names(kept.disk, "log-")
    covering = [name for name in logs if int(name[4:20], 16) <= first]
    for name in covering[:-1]:
        kept.disk.remove(name)
    assert len(names(kept.disk, "snapshot-")) == 2
    return kept


def spoilt(kept: Kept, name: str, change: Change) -> FaultyDisk:
    disk = kept.disk.copy()
    disk.put(name, change(kept.disk.content(name)))
    return disk


def outcome(kept: Kept, disk: FaultyDisk, name: str) -> int | str:
    """The revision that was reached, at which the store was as it was then; or why nothing was read."""
    try:
        recovery = recovered(disk)
    except Unreadable as error:
        assert name in str(error), error
        assert re.search(r"at byte [\d,]+|gap|ends at revision", str(error)), error
        return str(error)
    assert whole(recovery.engine) == kept.history[recovery.revision]
    recount(recovery.engine.store)
    return recovery.revision


def flips(content: bytes) -> list[Change]:
    """Three ways to spoil every byte, one at a time."""

    def flip(at: int, bits: int) -> Change:
        return lambda content: content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]

    return [flip(at, bits) for at in range(len(content)) for bits in (0x01, 0x80, 0xFF)]


def cuts(content: bytes) -> list[Change]:
    def cut(at: int) -> Change:
        return lambda content: content[:at]

    return [cut(at) for at in range(len(content))]


def frames_of(disk: FaultyDisk, name: str) -> list[Any]:
    return list(read_frames(disk, name))


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_in_a_log_is_found_or_was_never_known_to_be_synced(kept: Kept, part: int) -> None:
    [name] = names(kept.disk, "log-")
    frames = frames_of(kept.disk, name)
    content = kept.disk.content(name)
    proven = frames[-1].stamp.synced
    assert proven == frames[-2].stamp.revision, "all but the last was synced when that was written"
    for at, change in list(enumerate(flips(content)))[part::4]:
        found = outcome(kept, spoilt(kept, name, change), name)
        if at // 3 >= frames[-1].end:  # not zeros any more, but nothing that was written either
            assert found == kept.journal.written
        elif at // 3 >= frames[-1].at:
            assert found == proven, "the last frame may be a torn one"
        else:
            assert isinstance(found, str), "a hole in what was synced"


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_in_a_log_that_was_closed_is_found(closed: Kept, part: int) -> None:
    for name in names(closed.disk, "log-"):
        frames = frames_of(closed.disk, name)
        last = frames[-1]
        for at, change in list(enumerate(flips(closed.disk.content(name))))[part::4]:
            found = outcome(closed, spoilt(closed, name, change), name)
            if name == names(closed.disk, "log-")[-1] and at // 3 >= last.at:
                assert found == closed.journal.written, "only the end of the log is gone, and what it ends is there"
            else:
                assert isinstance(found, str)


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_in_the_newest_snapshot_lets_the_older_stand_in(saved: Kept, part: int) -> None:
    name = names(saved.disk, "snapshot-")[-1]
    for change in flips(saved.disk.content(name))[part::4]:
        assert outcome(saved, spoilt(saved, name, change), name) == saved.journal.written
        disk = spoilt(saved, name, change)
        older, *_ = names(disk, "snapshot-")
        disk.remove(older)
        assert isinstance(outcome(saved, disk, name), str), "nothing leads to the log"


def test_an_older_snapshot_that_is_damaged_is_not_looked_at(saved: Kept) -> None:
    name = names(saved.disk, "snapshot-")[0]
    for change in flips(saved.disk.content(name))[::40]:
        assert outcome(saved, spoilt(saved, name, change), name) == saved.journal.written


@pytest.mark.parametrize("part", range(2))
def test_a_file_that_was_cut_ends_earlier_or_is_refused(kept: Kept, closed: Kept, saved: Kept, part: int) -> None:
    for store in (kept, closed, saved):
        newest = names(store.disk, "log-")[-1]
        for name in sorted(store.disk.files):
            content = store.disk.content(name)
            revision = store.journal.written
            for change in cuts(content)[part::2]:
                found = outcome(store, spoilt(store, name, change), name)
                if name.startswith("snapshot-"):
                    assert found == revision
                elif isinstance(found, int):
                    assert name == newest or found == revision


def test_zeros_behind_the_last_record_do_no_harm(kept: Kept) -> None:
    [name] = names(kept.disk, "log-")
    for count in (1, 7, 4096, 5 << 20):
        assert (
            outcome(kept, spoilt(kept, name, lambda content, n=count: content + bytes(n)), name) == kept.journal.written
        )


def test_garbage_behind_the_last_record_is_cut_off(kept: Kept) -> None:
    [name] = names(kept.disk, "log-")
    end = frames_of(kept.disk, name)[-1].end
    frame = kept.disk.content(name)[:end]
    for garbage in (b"x", b"kv\xf0\x0a", bytes(600) + b"x", frame, frame[200:], b"\xff" * 5000):
        disk = spoilt(kept, name, lambda content, more=garbage: content[:end] + more)
        assert outcome(kept, disk, name) == kept.journal.written
        recovery = recovered(disk)
        assert recovery.cut is not None
        assert recovery.cut.at == end
        recovery.secure()
        assert disk.content(name) == frame
        assert recovered(disk).cut is None


def test_a_missing_segment_is_a_gap(closed: Kept, saved: Kept) -> None:
    for store in (closed, saved):
        logs = names(store.disk, "log-")
        for name in logs[:-1]:
            disk = store.disk.copy()
            disk.remove(name)
            with_snapshots = bool(names(disk, "snapshot-"))
            newest = int(names(disk, "snapshot-")[-1][9:25], 16) if with_snapshots else 0
            following = int(logs[logs.index(name) + 1][4:20], 16)
            if following <= newest:
                assert outcome(store, disk, "") == store.journal.written, "the snapshot stands in for it"
            else:
                assert "gap" in str(outcome(store, disk, "log-"))


def test_a_missing_snapshot_is_replaced_by_the_log_if_that_is_whole(saved: Kept) -> None:
    older, newer = names(saved.disk, "snapshot-")
    disk = saved.disk.copy()
    disk.remove(newer)
    assert outcome(saved, disk, "") == saved.journal.written
    disk.remove(older)
    assert "gap" in str(outcome(saved, disk, "log-"))


def test_a_damaged_snapshot_without_a_log_is_not_an_empty_store(saved: Kept) -> None:
    for count in (1, 2):
        disk = saved.disk.copy()
        for name in names(disk, "log-"):
            disk.remove(name)
        for name in names(disk, "snapshot-")[-count:]:
            disk.put(name, disk.content(name)[:-1])
        with pytest.raises(Unreadable, match="ends at revision"):
            recovered(disk)


def test_two_stores_in_one_folder_are_refused(kept: Kept, small_steps: Any) -> None:
    other = Kept(epoch=2)
    live(other, other.connect(), range(2))
    other.take_snapshot()
    [snapshot] = names(other.disk, "snapshot-")
    disk = kept.disk.copy()
    disk.put(snapshot, other.disk.content(snapshot))
    with pytest.raises(Unreadable, match="belongs to another store"):
        recovered(disk)


def test_a_file_under_another_name_is_refused(kept: Kept) -> None:
    [name] = names(kept.disk, "log-")
    disk = FaultyDisk()
    disk.put("log-0000000000000001.kvlog", kept.disk.content(name))
    with pytest.raises(Unreadable, match="another name"):
        recovered(disk)
    snapshot = "snapshot-0000000000000000.kvsnap"
    disk = FaultyDisk()
    disk.put(snapshot, kept.disk.content(name))
    with pytest.raises(Unreadable, match="another name"):
        recovered(disk)


def test_what_is_no_frame_is_no_exception_of_another_kind(kept: Kept) -> None:
    [name] = names(kept.disk, "log-")
    for damage in (b"", b"\0" * 100, b"garbage", b"kv\xf0\x0a" * 30):
        for called in (name, "snapshot-0000000000000007.kvsnap"):
            disk = FaultyDisk()
            disk.put(called, damage)
            try:
                assert recovered(disk).commits == 0
            except Unreadable as error:
                assert isinstance(error, Unreadable)
                assert called in str(error)


def test_damage_says_where() -> None:
    damage = Damage("log", 1_234, "a checksum is wrong", torn=False)
    assert str(damage) == "log: a checksum is wrong at byte 1,234"
