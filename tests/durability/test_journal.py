"""The journal on a disk that fails at one chosen place: what is written where, in which order, what is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from kv_protocol.messages import SEQ
from kv_server.durability import journal as journals
from kv_server.durability.frames import END, GROUP, HEAD, read_frames
from kv_server.durability.journal import ALWAYS, FAILED, FULL, INTERVAL, NEVER, TEMPORARY, WELL, log_name
from kv_server.engine.session import Lost
from tests.durability.disk import FaultyDisk
from tests.durability.rig import Kept, names, recovered, whole


@pytest.fixture(autouse=True)
def small_steps() -> Iterator[None]:
    with (
        patch.object(journals, "_STEP", 1_024),
        patch.object(journals, "_LOW", 256),
        patch.object(journals, "_ZEROS", bytes(400)),
    ):
        yield


class Watched(Kept):
    """A kept rig that remembers how its journal turned."""

    def __init__(self, mode: str = ALWAYS, **settings: Any) -> None:
        super().__init__(FaultyDisk(), mode, **settings)
        self.client = self.connect()
        self.keep()
        self.turns: list[str] = []
        self.journal.on_state = lambda: self.turns.append(self.journal.state)

    def set(self, value: Any = 1) -> None:
        self.client.call("SET", b"a", value)
        self.write()

    def lock(self) -> None:
        self.client.call("LOCK", b"l", wait=None)
        self.write()


def kinds(disk: FaultyDisk, name: str) -> list[int]:
    return [frame.kind for frame in read_frames(disk, name)]


# ---- what is written
def test_a_round_is_one_group_and_an_empty_one_none() -> None:
    kept = Watched()
    kept.client.call("SET", b"a", 1)
    kept.client.call("SET", b"b", 2)
    before = kept.journal.groups
    kept.write()
    kept.write()
    assert kept.journal.groups == before + 1
    assert whole(recovered(kept.disk.copy()).engine) == whole(kept.engine)


@pytest.mark.parametrize("mode", [ALWAYS, INTERVAL, NEVER])
def test_zeros_are_written_ahead_only_where_every_group_is_synced(mode: str) -> None:
    kept = Watched(mode)
    kept.disk.calls.clear()
    for number in range(40):
        kept.set(number)
    ahead = [call for call, _ in kept.disk.calls].count("write") - kept.journal.groups
    assert (ahead > 0) is (mode == ALWAYS)
    assert whole(recovered(kept.disk.killed()).engine) == whole(kept.engine)


def test_a_log_that_is_closed_says_so_only_after_all_of_it_was_synced() -> None:
    kept = Watched(NEVER)
    kept.set()
    kept.disk.calls.clear()
    file = kept.disk.handles[kept.journal._handle]
    kept.close()
    assert [call for call, what in kept.disk.calls if what is file] == ["sync", "write", "truncate", "sync"]
    [name] = names(kept.disk, "log-")
    *_, last = read_frames(kept.disk, name)
    assert (last.kind, last.stamp.synced) == (END, kept.journal.written)
    assert kept.disk.size(name) == last.end
    assert not kept.disk.handles


@pytest.mark.parametrize("call", ["write", "sync", "truncate"])
def test_a_log_that_cannot_be_closed_gives_its_handles_back(call: str) -> None:
    kept = Watched(NEVER)
    kept.client.call("SET", b"a", 1)
    kept.disk.fail = {call: 1.0}
    with pytest.raises(OSError, match="Input/output error"):
        kept.close()
    assert not kept.disk.handles
    kept.disk.heal()
    kept.close()
    assert recovered(kept.disk.crashed()).revision <= kept.journal.written or call == "write"


# ---- segments
def test_a_segment_that_is_full_is_followed_by_another() -> None:
    kept = Watched(segment_bytes=400)
    for number in range(12):
        kept.set(number)
        kept.keep()
    segments = names(kept.disk, "log-")
    assert len(segments) > 2
    assert all(kinds(kept.disk, name)[0] == HEAD for name in segments)
    assert {kind for name in segments for kind in kinds(kept.disk, name)[1:]} == {GROUP}
    assert len(kept.disk.handles) == 1, "those that are complete are closed"
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


@pytest.mark.parametrize("call", ["create", "reserve", "write", "rename"])
def test_a_segment_that_cannot_be_made_leaves_no_trace_and_is_made_later(call: str) -> None:
    kept = Watched(segment_bytes=300)
    while kept.journal._at < 300 - 60:
        kept.set()
        kept.sync()
    [name] = names(kept.disk, "log-")
    put = kept.journal._begin

    def failing(*args: Any) -> Any:
        kept.disk.fail = {call: 1.0}
        try:
            return put(*args)
        finally:
            kept.disk.heal()

    handles = set(kept.disk.handles)
    kept.journal._begin = failing  # type: ignore[method-assign]
    for number in range(3):
        kept.set(number)
        kept.sync()
    assert kept.journal.state == WELL
    assert set(kept.disk.handles) == handles
    assert list(kept.disk.files) == [name]
    kept.journal._begin = put  # type: ignore[method-assign]
    kept.set()
    kept.sync()
    assert len(names(kept.disk, "log-")) == 2
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


def test_before_a_segment_counts_the_one_before_it_is_synced() -> None:
    kept = Watched(segment_bytes=200)
    first = kept.disk.handles[kept.journal._handle]
    kept.disk.calls.clear()
    kept.set("x" * 200)
    second = kept.disk.handles[kept.journal._handle]
    assert second is not first
    kept.sync()
    calls = [
        (call, "first" if what is first else "second" if what is second else "")
        for call, what in kept.disk.calls
        if call in ("sync", "sync_folder", "truncate")
    ]
    assert calls == [("truncate", "first"), ("sync", "first"), ("sync", "second"), ("sync_folder", "")]


# ---- room
def test_a_full_disk_is_met_before_anything_is_lost_and_ends_when_there_is_room() -> None:
    kept = Watched()
    kept.disk.full = True
    while kept.journal.state == WELL:
        kept.set()
        kept.sync()
    assert kept.turns == [FULL]
    assert kept.journal.written == kept.journal.durable
    kept.journal.reserve()
    assert kept.turns == [FULL]
    kept.disk.heal()
    kept.journal.reserve()
    assert kept.turns == [FULL, WELL]
    kept.set("again")
    kept.sync()
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


def test_what_is_written_beyond_the_room_of_a_full_disk_fails() -> None:
    kept = Watched()
    kept.disk.full = True
    kept.set("x" * 5_000)
    assert kept.turns == [FAILED]
    assert recovered(kept.disk.copy()).revision == kept.journal.written


# ---- failure
@pytest.mark.parametrize("call", ["write", "sync"])
def test_a_journal_that_failed_writes_no_more_to_its_segment(call: str) -> None:
    kept = Watched()
    kept.disk.fail = {call: 1.0}
    kept.set()
    if kept.journal.state == WELL:
        kept.sync()
    assert kept.turns == [FAILED]
    kept.disk.heal()
    kept.disk.left_alone.append(kept.disk.handles[kept.journal._handle])
    durable = kept.journal.durable
    for _ in range(3):
        kept.set()
    kept.journal.fail(OSError(5, "once more"))
    assert kept.turns == [FAILED]
    assert kept.journal.durable == durable
    assert kept.journal.may_send(kept.elapsed_ms), "errors and reads may leave"
    assert kept.journal.sync_due_ms(kept.elapsed_ms) is None
    kept.close()
    assert not kept.disk.handles


@pytest.mark.parametrize("call", ["create", "reserve", "write", "sync", "rename", "sync_folder"])
def test_a_failure_ends_with_a_snapshot_and_a_segment_that_could_be_begun(call: str) -> None:
    kept = Watched()
    kept.disk.fail = {"sync": 1.0}
    kept.set("doubtful")
    kept.sync()
    kept.disk.heal()
    kept.pending.clear()
    revision = kept.engine.revision
    kept.journal.written = revision  # as the keeper says it
    kept.take_snapshot()
    kept.disk.fail = {call: 1.0}
    with pytest.raises(OSError, match=r"error|space"):
        kept.journal.open(revision, revision, kept.now_ms, kept.elapsed_ms)
    assert kept.journal.state == FAILED
    assert len(kept.disk.handles) == 1
    kept.disk.heal()
    kept.journal.open(revision, revision, kept.now_ms, kept.elapsed_ms)
    assert kept.turns == [FAILED, WELL]
    assert len(kept.disk.handles) == 1
    kept.set("sure")
    kept.sync()
    assert not [name for name in kept.disk.names() if name.endswith(TEMPORARY)]
    assert whole(recovered(kept.disk.crashed()).engine) == whole(kept.engine)


def test_a_sync_that_was_under_way_when_a_write_failed_ends_before_another_segment_begins() -> None:
    kept = Watched(segment_bytes=200)
    kept.set("x" * 200)
    old = set(kept.disk.handles)
    sync = kept.journal.begin_sync(kept.elapsed_ms)
    kept.disk.fail = {"write": 1.0}
    kept.set()
    assert kept.turns == [FAILED]
    with pytest.raises(AssertionError):
        kept.journal.open(99, 99, kept.now_ms, kept.elapsed_ms)
    kept.disk.heal()
    sync.run(kept.disk)
    kept.journal.end_sync(sync, None, kept.elapsed_ms)
    assert kept.journal.durable == sync.revision
    assert len(kept.disk.handles) < len(old), "what was complete is closed"
    kept.journal.open(99, 99, kept.now_ms, kept.elapsed_ms)
    assert len(kept.disk.handles) == 1


@pytest.mark.parametrize("call", ["sync", "truncate", "sync_folder"])
def test_a_sync_that_fails_in_the_middle_leaves_no_handle(call: str) -> None:
    kept = Watched(segment_bytes=200)
    for _ in range(3):
        kept.set("x" * 200)
    kept.disk.fail = {call: 1.0}
    kept.sync()
    assert kept.turns == [FAILED]
    kept.close()
    assert not kept.disk.handles


def test_answers_whose_sync_failed_are_doubtful_and_others_are_not() -> None:
    kept = Watched()
    kept.client.send("SET", [b"a", 1], {}, {SEQ: 1})
    kept.keep()
    kept.client.send("SET", [b"a", 2], {}, {SEQ: 2})
    kept.write()
    kept.disk.fail = {"sync": 1.0}
    kept.sync()
    assert kept.journal.doubt(kept.engine.sessions) == 1
    answers = kept.client.session.answers
    assert not isinstance(answers[1][0], Lost)
    assert isinstance(answers[2][0], Lost)
    assert answers[2][0].doubtful


# ---- when answers may leave
@pytest.mark.parametrize("mode", [ALWAYS, INTERVAL, NEVER])
def test_what_is_about_a_lock_waits_for_its_sync_in_every_mode(mode: str) -> None:
    kept = Watched(mode)
    kept.lock()
    assert not kept.journal.may_send(kept.elapsed_ms)
    assert kept.journal.sync_due_ms(kept.elapsed_ms) == kept.elapsed_ms
    kept.sync()
    assert kept.journal.may_send(kept.elapsed_ms)


@pytest.mark.parametrize("mode", [INTERVAL, NEVER])
def test_a_sync_that_somebody_waits_for_begins_at_once_and_holds_no_answer_back(mode: str) -> None:
    kept = Watched(mode)
    kept.set()
    kept.write()
    assert kept.journal.sync_due_ms(kept.elapsed_ms) != kept.elapsed_ms
    kept.journal.hurry()
    assert kept.journal.sync_due_ms(kept.elapsed_ms) == kept.elapsed_ms
    assert kept.journal.may_send(kept.elapsed_ms)
    kept.sync()
    assert kept.journal.sync_due_ms(kept.elapsed_ms) is None


def test_dropping_a_namespace_with_locks_is_about_them() -> None:
    kept = Watched(NEVER)
    kept.lock()
    kept.sync()
    kept.client.call("NAMESPACE DROP", b"0")
    kept.write()
    assert not kept.journal.may_send(kept.elapsed_ms)


def test_each_mode_has_its_time() -> None:
    for mode, waits, due in ((ALWAYS, True, 0), (INTERVAL, False, 100), (NEVER, False, None)):
        kept = Watched(mode)
        kept.set()
        now = kept.elapsed_ms
        assert kept.journal.may_send(now) is not waits
        assert kept.journal.sync_due_ms(now) == (None if due is None else now + due)
        assert kept.journal.may_send(now + 200) is (mode != ALWAYS)
        assert kept.journal.may_send(now + 201) is (mode == NEVER)


def test_a_segment_is_named_after_what_was_before_it() -> None:
    kept = Watched()
    assert names(kept.disk, "log-") == [log_name(0)]
    kept.set()
    kept.close()
    kept.journal.open(7, 4_194_311, kept.now_ms, kept.elapsed_ms)
    head = next(iter(read_frames(kept.disk, log_name(7), 7)))
    assert (head.stamp.revision, head.stamp.synced) == (4_194_311, 7)
    assert kept.journal.written == kept.journal.durable == 4_194_311
