"""MULTI and EXEC on the text door: queueing, what spoils it, what WATCH notices; and one commit for all of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.rig import Rig, picture, recount, replayed
from tests.engine.text_line import Failed, TextLine

ABORTED = "EXECABORT Transaction discarded because of previous errors."


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def line(rig: Rig) -> TextLine:
    return TextLine(rig)


@pytest.fixture
def other(rig: Rig) -> TextLine:
    return TextLine(rig)


def test_commands_are_queued_and_run_as_one_commit(rig: Rig, line: TextLine, other: TextLine) -> None:
    assert line("MULTI") == "OK"
    assert line("SET a 1") == line("INCR a") == line("GET a") == line("MGET a b") == "QUEUED"
    assert other("GET a") is None
    before = len(rig.commits)
    assert line("EXEC") == ["OK", 2, b"2", [b"2", None]]
    assert len(rig.commits) == before + 1
    assert line("GET a") == b"2"
    assert line("EXEC") == "ERR EXEC without MULTI"


def test_an_error_at_run_time_leaves_the_others(line: TextLine) -> None:
    line("MULTI")
    line("SET a x")
    line("INCR a")
    line("SET a b c d")
    line("SET b 1")
    first, *failed, last = line("EXEC")
    assert (first, last) == ("OK", "OK")
    assert [type(reply) for reply in failed] == [Failed, Failed]
    assert failed[1] == "ERR syntax error"
    assert line("MGET a b") == [b"x", b"1"]


@pytest.mark.parametrize("bad", ["NONSENSE a", "GET", "GET a b", "CLIENT", "CLIENT NONSENSE", "SET a"])
def test_a_line_that_cannot_be_queued_spoils_the_transaction(line: TextLine, bad: str) -> None:
    line("MULTI")
    line("SET a 1")
    assert type(line(bad)) is Failed
    assert line("SET b 1") == "QUEUED"
    assert line("EXEC") == ABORTED
    assert line("MGET a b") == [None, None]
    assert line("MULTI") == "OK"
    assert line("EXEC") == []


def test_words_about_the_transaction_itself_fail_without_spoiling_it(line: TextLine) -> None:
    line("MULTI")
    assert line("MULTI") == "ERR MULTI calls can not be nested"
    assert line("WATCH a") == "ERR WATCH inside MULTI is not allowed"
    line("SET a 1")
    assert line("EXEC") == ["OK"]


def test_discard_forgets_the_queue_and_the_watched_keys(line: TextLine, other: TextLine) -> None:
    assert line("DISCARD") == "ERR DISCARD without MULTI"
    line("WATCH a")
    line("MULTI")
    line("SET a 1")
    assert line("DISCARD") == "OK"
    other("SET a 2")
    line("MULTI")
    line("GET a")
    assert line("EXEC") == [b"2"]


TOUCHES: list[Callable[[Rig, TextLine], object]] = [
    lambda rig, other: other("SET a 2"),
    lambda rig, other: other("APPEND a x"),
    lambda rig, other: other("DEL a"),
    lambda rig, other: other("EXPIRE a 100"),
    lambda rig, other: other("RENAME a b"),
    lambda rig, other: other("RENAME c a"),
    lambda rig, other: other("COPY c a REPLACE"),
    lambda rig, other: other("FLUSHDB"),
    lambda rig, other: other("MOVE a 3"),
    lambda rig, other: (other("EXPIRE a 1"), rig.settle(1_000)),
    lambda rig, other: (other("SELECT 1"), other("SET a 2"), other("SELECT 0"), other("SET a 1")),
]


@pytest.mark.parametrize("touch", TOUCHES, ids=range(len(TOUCHES)))
def test_a_watched_key_that_was_touched_stops_the_transaction(
    rig: Rig, line: TextLine, other: TextLine, touch: Callable[[Rig, TextLine], object]
) -> None:
    line("MSET a 1 c 3")
    line("WATCH x a")
    touch(rig, other)
    line("MULTI")
    line("SET mark 1")
    assert line("EXEC") is None
    assert line("EXISTS mark") == 0
    line("MULTI")
    line("SET mark 1")
    assert line("EXEC") == ["OK"], "what was watched is forgotten"
    assert rig.engine.watched.by_place == {}


def test_what_does_not_touch_a_key_does_not_stop_the_transaction(rig: Rig, line: TextLine, other: TextLine) -> None:
    line("SET a 1")
    line("WATCH a absent")
    other("GET a")
    other("SET b 1")
    other("SELECT 1")
    other("SET a 5")
    other("FLUSHDB")
    line("MULTI")
    assert line("EXEC") == []


def test_a_key_that_ends_between_watch_and_exec_is_noticed_before_it_is_dropped(rig: Rig, line: TextLine) -> None:
    line("SET a 1 PX 50")
    line("WATCH a")
    rig.pass_unnoticed(50)
    line("MULTI")
    line("SET mark 1")
    assert line("EXEC") is None


def test_a_key_that_had_ended_when_it_was_watched_may_be_dropped(rig: Rig, line: TextLine) -> None:
    line("SET a 1 PX 50")
    rig.pass_unnoticed(50)
    line("WATCH a")
    rig.settle()
    line("MULTI")
    assert line("EXEC") == []


def test_a_flush_concerns_no_key_that_was_absent(line: TextLine, other: TextLine) -> None:
    other("SET b 1")
    line("WATCH a")
    other("FLUSHDB")
    line("MULTI")
    assert line("EXEC") == []


def test_unwatch_forgets(rig: Rig, line: TextLine, other: TextLine) -> None:
    assert line("UNWATCH") == "OK"
    line("WATCH a b")
    other("SET a 2")
    assert line("UNWATCH") == "OK"
    line("MULTI")
    assert line("UNWATCH") == "QUEUED"
    assert line("EXEC") == ["OK"]
    assert rig.engine.sinks == [rig.note]


def test_watching_costs_nothing_once_nobody_watches(rig: Rig, line: TextLine, other: TextLine) -> None:
    line("WATCH a b")
    other("WATCH b")
    assert len(rig.engine.sinks) == 2
    line.leave()
    other.leave()
    assert rig.engine.sinks == [rig.note]
    assert rig.engine.watched.by_place == {}


def test_what_one_queued_itself_does_not_stop_it(line: TextLine) -> None:
    line("WATCH a")
    line("MULTI")
    line("SET a 1")
    line("SET a 2")
    assert line("EXEC") == ["OK", "OK"]


def test_select_works_inside_and_goes_on_afterwards(rig: Rig, line: TextLine) -> None:
    line("MULTI")
    for words in ("SET a 0", "SELECT 3", "SET a 3", "GET a", "SELECT 4", "SET a 4"):
        assert line(words) == "QUEUED"
    assert line("EXEC") == ["OK", "OK", "OK", b"3", "OK", "OK"]
    assert line("GET a") == b"4"
    assert [commit.namespace for commit in rig.commits] == [b"0", b"3", b"4"]
    tx, rows = replayed(rig.commits, rig.engine)
    assert picture(tx.store) == picture(rig.store)
    assert rows == [commit.effects for commit in rig.commits]


def test_reset_and_a_lost_connection_end_everything(rig: Rig, line: TextLine, other: TextLine) -> None:
    line("WATCH a")
    line("MULTI")
    line("SET a 1")
    assert line("RESET") == "RESET"
    assert line("GET a") is None
    other("MULTI")
    other("SET a 1")
    other.leave()
    assert line("GET a") is None


def test_a_fenced_call_inside_is_checked_when_it_runs(rig: Rig, line: TextLine) -> None:
    token = line("LOCK l")[0]
    line("MULTI")
    line("FENCED", "l", token, "SET", "a", "1")
    line("FENCED", "l", token + 1, "SET", "a", "2")
    line("SET b 1")
    before = len(rig.commits)
    first, second, third = line("EXEC")
    assert (first, third) == ("OK", "OK")
    assert type(second) is Failed
    assert line("GET a") == b"1"
    assert len(rig.commits) == before + 1


def test_a_waiting_call_inside_never_waits(rig: Rig, line: TextLine, other: TextLine) -> None:
    other("LOCK l")
    line("MULTI")
    line("LOCK l WAIT 5")
    line("SET a 1")
    refused, done = line("EXEC")
    assert type(refused) is Failed
    assert done == "OK"
    assert len(rig.engine.watchers.parked) == 0


def test_an_expired_key_is_swept_before_and_not_within(rig: Rig, line: TextLine) -> None:
    line("SET a 1 PX 5")
    line("SET b 1")
    rig.pass_unnoticed(5)
    line("MULTI")
    line("SET c 1")
    line("DBSIZE")
    assert line("EXEC") == ["OK", 2]
    recount(rig.store)


def test_those_who_wait_are_served_after_the_whole(rig: Rig, line: TextLine, other: TextLine) -> None:
    token = line("LOCK l")[0]
    assert other.all("LOCK l WAIT 5") == []
    line("MULTI")
    line("UNLOCK", "l", token)
    line("LOCK l WAIT 0")
    _, mine = line("EXEC")
    assert type(mine) is list, "nobody comes between"
    assert other.heard() == []
    line("MULTI")
    line("UNLOCK", "l", mine[0])
    line("SELECT 2")
    line("EXEC")
    assert type(other.heard()[0]) is list
