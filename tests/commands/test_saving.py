"""Snapshots on demand: who asks waits for the disk, is answered once, and may go away meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kv_protocol.errors import InvalidArgument, KvError, ReadOnly
from kv_server.engine.engine import PARKED
from kv_server.engine.node import Saver, Solitary
from tests.engine.rig import Client, Rig
from tests.engine.text_line import TextLine

Told = Callable[[object], None]


class Disk(Solitary):
    """A node whose snapshots are done when the test says so."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig.engine)
        rig.engine.node = self
        self.asked: list[Told | None] = []
        self.saving = False

    def saver(self) -> Saver:
        return self

    def ask(self, told: Told | None = None) -> None:
        self.asked.append(told)
        self.saving = True

    def done(self, outcome: int | KvError) -> None:
        asked, self.asked, self.saving = self.asked, [], False
        for told in asked:
            if told is not None:
                told(outcome)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def disk(rig: Rig) -> Disk:
    return Disk(rig)


@pytest.fixture
def client(rig: Rig) -> Client:
    return rig.connect()


def test_a_snapshot_is_answered_with_its_revision_once_it_is_on_disk(rig: Rig, disk: Disk, client: Client) -> None:
    assert client.call("SNAPSHOT") is PARKED
    assert client.call("SNAPSHOT") is PARKED
    assert client.outbox.heard == []
    disk.done(77)
    assert [heard[-1] for heard in client.outbox.heard] == [77, 77]
    assert client.session.waiting == {}


def test_a_snapshot_that_fails_says_why(rig: Rig, disk: Disk, client: Client) -> None:
    client.call("SNAPSHOT")
    disk.done(ReadOnly("the disk is full"))
    assert client.outbox.errors() == {rig.last_id: "READ_ONLY"}


def test_who_cancels_or_goes_away_is_told_nothing_later(rig: Rig, disk: Disk, client: Client) -> None:
    client.call("SNAPSHOT")
    assert client.cancel(rig.last_id)
    assert client.outbox.errors() == {rig.last_id: "CANCELLED"}
    client.outbox.heard.clear()
    client.call("SNAPSHOT")
    client.detach()
    disk.done(77)
    assert client.outbox.heard == []
    assert client.session.waiting == {}


def test_an_id_that_is_used_again_does_not_get_the_answer_of_the_call_before(
    rig: Rig, disk: Disk, client: Client
) -> None:
    client.call("SNAPSHOT")
    client.cancel(rig.last_id)
    client.outbox.heard.clear()
    rig.last_id -= 1
    client.call("SNAPSHOT")
    first, second = disk.asked
    assert first is not None
    assert second is not None
    first(1)
    assert client.outbox.heard == []
    second(2)
    assert [heard[-1] for heard in client.outbox.heard] == [2]


def test_a_server_that_drains_tells_who_waits(rig: Rig, disk: Disk, client: Client) -> None:
    client.call("SNAPSHOT")
    rig.engine.drain()
    assert client.outbox.errors() == {rig.last_id: "SHUTTING_DOWN"}


def test_the_calls_that_wait_for_snapshots_are_bounded(rig: Rig, disk: Disk, client: Client) -> None:
    rig.engine.most_parked = 2
    client.call("SNAPSHOT")
    client.call("SNAPSHOT")
    with pytest.raises(KvError, match="2 calls that wait"):
        client.call("SNAPSHOT")
    assert len(disk.asked) == 2


def test_a_server_that_keeps_nothing_says_so(rig: Rig, client: Client) -> None:
    with pytest.raises(InvalidArgument, match="start it with --data-dir"):
        client.call("SNAPSHOT")


# ---- in the words of Redis
@pytest.fixture
def line(rig: Rig) -> TextLine:
    return TextLine(rig)


def test_save_is_answered_once_it_is_on_disk_and_holds_up_its_own_line_only(
    rig: Rig, disk: Disk, line: TextLine
) -> None:
    other = TextLine(rig)
    assert line.all("SAVE") == []
    assert line.all("PING") == []
    assert other("SET a 1") == "OK"
    disk.done(77)
    assert line.heard() == ["OK", "PONG"]


def test_while_a_snapshot_is_taken_nobody_asks_for_another_unless_to_be_scheduled(
    rig: Rig, disk: Disk, line: TextLine
) -> None:
    assert line("BGSAVE") == "Background saving started"
    assert line("BGSAVE") == "ERR Background save already in progress"
    assert line("SAVE") == "ERR Background save already in progress"
    assert line("BGSAVE SCHEDULE") == "Background saving scheduled"
    assert line("BGSAVE SOON") == "ERR syntax error"
    disk.done(77)
    assert line("BGSAVE") == "Background saving started"


def test_save_cannot_be_queued_and_bgsave_can(rig: Rig, disk: Disk, line: TextLine) -> None:
    line("MULTI")
    assert "ERR" in line("SAVE")
    line("DISCARD")
    line("MULTI")
    line("BGSAVE")
    assert line("EXEC") == ["Background saving started"]


def test_a_save_that_fails_is_an_error_of_the_disk(rig: Rig, disk: Disk, line: TextLine) -> None:
    line.all("SAVE")
    disk.done(ReadOnly("the snapshot could not be written: No space left on device"))
    assert line.heard() == ["MISCONF the snapshot could not be written: No space left on device"]


def test_a_line_that_is_closed_while_it_waits_is_forgotten(rig: Rig, disk: Disk, line: TextLine) -> None:
    line.all("SAVE")
    line.leave()
    disk.done(77)
    assert line.heard() == []


def test_without_a_folder_save_and_bgsave_are_errors_and_lastsave_is_the_start(rig: Rig, line: TextLine) -> None:
    for word in ("SAVE", "BGSAVE", "BGSAVE SCHEDULE"):
        assert line(word) == "ERR this server keeps nothing on disk: start it with --data-dir"
    rig.advance(60_000)
    assert line("LASTSAVE") == (rig.now_ms - 60_000) // 1000
