"""Exactly one effect: a write that carries a seq runs once, whatever is repeated, on this connection or a later one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.errors import AnswerLost, Busy, CommandError, DeadlineExceeded, KvError, ProtocolError
from kv_protocol.limits import MAX_ANSWER_BYTES, MAX_ANSWERS, MAX_KEPT_ANSWER, SESSION_LINGER_MS
from kv_protocol.messages import DEADLINE, FENCE, SEEN, SEQ
from kv_server.engine.engine import PARKED
from tests.engine.profile import examples
from tests.engine.rig import Client, Present, Rig, kept_answers, replayed


def incr(client: Client, seq: int, **meta: int) -> Any:
    return client.send(
        "INCR", ["n"], None, {SEQ: seq} | {{"seen": SEEN, "deadline": DEADLINE}[k]: v for k, v in meta.items()}
    )


def test_a_repeated_seq_is_answered_again_and_runs_nothing() -> None:
    rig = Rig()
    client = rig.connect()
    assert incr(client, 1) == 1
    commits = len(rig.commits)
    assert incr(client, 1) == 1
    assert len(rig.commits) == commits
    assert incr(client, 2) == 2
    assert client.call("GET", "n") == Present(2)


def test_a_resumed_session_answers_what_its_older_connection_asked() -> None:
    rig = Rig()
    client = rig.connect()
    incr(client, 1)
    client.detach()
    rig.advance(SESSION_LINGER_MS - 1)
    again = rig.connect(secret=client.session.secret)
    assert again.resumed
    assert incr(again, 1) == 1
    assert incr(again, 2) == 2


def test_a_session_that_ended_keeps_no_answers() -> None:
    rig = Rig()
    client = rig.connect()
    incr(client, 1)
    client.detach()
    rig.advance(SESSION_LINGER_MS)
    again = rig.connect(secret=client.session.secret)
    assert not again.resumed
    assert again.session.id != client.session.id
    assert incr(again, 1) == 2


def test_a_session_outlives_each_of_its_connections_anew() -> None:
    rig = Rig()
    client = rig.connect()
    for _ in range(3):
        client.detach()
        rig.advance(SESSION_LINGER_MS - 1)
        client = rig.connect(secret=client.session.secret)
        assert client.resumed
    rig.advance(10 * SESSION_LINGER_MS)
    assert client.session.id in rig.engine.sessions


def test_resuming_closes_the_older_connection() -> None:
    rig = Rig()
    old = rig.connect()
    new = rig.connect(secret=old.session.secret)
    assert new.session is old.session
    assert [kind for kind, *_ in old.outbox.heard] == ["close"]
    assert new.outbox.heard == []
    old.detach()  # its connection ends only now: nothing of the new one may end with it
    assert new.session.outbox is new.outbox


def test_unknown_secrets_make_a_new_session() -> None:
    rig = Rig()
    client = rig.connect(secret=b"nobody's secret.")
    assert not client.resumed
    assert client.session.secret != b"nobody's secret."
    assert len(client.session.secret) == 16


def test_calls_that_changed_nothing_keep_no_answer() -> None:
    rig = Rig()
    client = rig.connect()
    assert client.send("DEL", ["absent"], None, {SEQ: 1}) == 0
    client.call("SET", "absent", 1)
    assert client.send("DEL", ["absent"], None, {SEQ: 1}) == 1


def test_refusals_keep_no_answer() -> None:
    client = Rig().connect()
    client.call("SET", "n", "word")
    with pytest.raises(CommandError):
        incr(client, 1)
    client.call("SET", "n", 5)
    assert incr(client, 1) == 6


def test_seen_forgets_what_is_below_it_and_no_more() -> None:
    client = Rig().connect()
    for seq in range(1, 6):
        incr(client, seq)
    assert incr(client, 4, seen=4) == 4
    assert sorted(client.session.answers) == [4, 5]
    with pytest.raises(ProtocolError):
        incr(client, 3)
    assert incr(client, 4, seen=2) == 4, "seen never goes back"
    with pytest.raises(ProtocolError):
        incr(client, 3, seen=1)
    assert client.call("GET", "n") == Present(5)


@settings(max_examples=examples(50))
@given(calls=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=40))
def test_the_account_of_kept_answers_is_their_sum(calls: list[tuple[int, int]]) -> None:
    client = Rig().connect()
    for seq, seen in calls:
        try:
            client.send("GETSET", [b"k", "v" * seq], None, {SEQ: seq, SEEN: seen})
        except ProtocolError:
            assert seq < client.session.seen
        assert client.session.answer_bytes == sum(size for _, size in client.session.answers.values())


def test_answers_that_came_out_of_order_are_forgotten_too() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    token = other.call("LOCK", "l")[0]
    assert client.send("LOCK", ["l"], None, {SEQ: 1}) is PARKED
    incr(client, 2)
    other.call("UNLOCK", "l", token)
    incr(client, 3)
    incr(client, 4, seen=4)
    assert sorted(client.session.answers) == [4]


def test_a_waiting_call_keeps_its_answer_too() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    token = other.call("LOCK", "l")[0]
    assert client.send("LOCK", ["l"], None, {SEQ: 1}) is PARKED
    other.call("UNLOCK", "l", token)
    [(_, _, granted)] = client.outbox.take("deliver")
    assert client.send("LOCK", ["l"], None, {SEQ: 1}) == granted


def test_a_kept_answer_wins_over_a_deadline_and_a_fence_that_have_passed() -> None:
    rig = Rig()
    client = rig.connect()
    incr(client, 1)
    rig.advance(100)
    assert incr(client, 1, deadline=rig.elapsed_ms - 50) == 1
    assert client.send("INCR", ["n"], None, {SEQ: 1, FENCE: [b"no such lock", 1]}) == 1
    with pytest.raises(DeadlineExceeded):
        incr(client, 2, deadline=rig.elapsed_ms - 1)
    assert incr(client, 2) == 2, "a call that was refused keeps no answer"


def test_a_kept_answer_is_given_while_the_server_drains() -> None:
    rig = Rig()
    client = rig.connect()
    incr(client, 1)
    rig.engine.drain()
    assert incr(client, 1) == 1
    with pytest.raises(KvError, match="shutting down"):
        incr(client, 2)


def test_a_further_write_is_refused_at_the_bound_of_answers() -> None:
    rig = Rig()
    client = rig.connect()
    for seq in range(1, MAX_ANSWERS + 1):
        incr(client, seq)
    with pytest.raises(Busy) as caught:
        incr(client, MAX_ANSWERS + 1)
    assert caught.value.details == {"limit": MAX_ANSWERS}
    assert client.call("GET", "n") == Present(MAX_ANSWERS)
    assert incr(client, MAX_ANSWERS) == MAX_ANSWERS
    assert incr(client, MAX_ANSWERS + 1, seen=MAX_ANSWERS) == MAX_ANSWERS + 1
    assert len(client.session.answers) == 2


def test_a_further_write_is_refused_at_the_bound_of_bytes() -> None:
    client = Rig().connect()
    blob = b"v" * (MAX_KEPT_ANSWER - 20)
    seq = 0
    with pytest.raises(Busy) as caught:
        while True:
            seq += 1
            client.send("GETSET", ["k", blob], None, {SEQ: seq})
    assert caught.value.details == {"limit": MAX_ANSWER_BYTES}
    assert MAX_ANSWER_BYTES <= client.session.answer_bytes <= MAX_ANSWER_BYTES + MAX_KEPT_ANSWER
    assert client.send("GETSET", ["k", 1], None, {SEQ: seq, SEEN: seq}) == Present(blob)


def test_large_answers_are_known_to_be_lost() -> None:
    rig = Rig()
    client = rig.connect()
    for size, lost in ((MAX_KEPT_ANSWER - 10, False), (MAX_KEPT_ANSWER, True)):
        client.call("SET", "k", "x" * size)
        assert client.send("GETSET", ["k", 1], None, {SEQ: size}) == Present("x" * size)
        revision = rig.engine.revision
        if not lost:
            assert client.send("GETSET", ["k", 2], None, {SEQ: size}) == Present("x" * size)
            continue
        with pytest.raises(AnswerLost) as caught:
            client.send("GETSET", ["k", 2], None, {SEQ: size})
        assert caught.value.details == {"revision": revision}
        assert client.call("GETENTRY", "k") == (1, revision, None)


def test_lost_answers_take_no_room() -> None:
    """A pipeline of writes that return a megabyte each must not fill the session's four."""
    client = Rig().connect()
    client.call("SET", "k", "x" * 1_000_000)
    for seq in range(1, 11):
        client.send("GETSET", ["k", "x" * 1_000_000], None, {SEQ: seq})
    assert client.session.answer_bytes < 1_000


def test_answers_replay_lost_ones_as_lost() -> None:
    rig = Rig()
    client = rig.connect()
    client.send("SET", ["k", "x" * 10_000], None, {SEQ: 1})
    client.send("GETSET", ["k", 1], None, {SEQ: 2})
    client.send("GETSET", ["other", 1], None, {SEQ: 3})  # a reply that is nothing is no lost one
    tx, rows = replayed(rig.commits, rig.engine)
    assert kept_answers(tx.sessions) == kept_answers(rig.engine.sessions)
    assert rows == [commit.effects for commit in rig.commits]
    answers = tx.sessions[client.session.id].answers
    assert [type(answers[seq][0]).__name__ for seq in (1, 2, 3)] == ["int", "Lost", "NoneType"]


@pytest.mark.parametrize("meta", [{SEQ: 0}, {SEQ: -1}, {SEQ: b"1"}, {SEQ: True}, {SEQ: 1.0}, {SEEN: b"1"}, {SEEN: [1]}])
def test_a_seq_that_is_no_number_breaks_the_protocol(meta: dict[int, Any]) -> None:
    rig = Rig()
    with pytest.raises(ProtocolError):
        rig.connect().send("SET", ["k", 1], None, meta)
    assert rig.commits == []
