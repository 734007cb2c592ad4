"""What WHY remembers: every cause of a change, within its bounds, and nothing that it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from kv_server.engine.rows import EVICTED
from tests.surfaces.talk import Talk


@pytest.fixture
def talk() -> Talk:
    talk = Talk()
    talk.line("HELLO 3")
    talk.rig.engine.keep_history(100)
    return talk


def why(talk: Talk, key: str) -> list[tuple[str, str | None]]:
    """What happened to *key*, and by which command."""
    return [(change.what, change.command) for change in asked(talk, key).changes]


def asked(talk: Talk, key: str) -> Any:
    command = talk.rig.engine.catalog["WHY"]
    session = talk.connection.session
    assert session is not None
    return talk.rig.engine.execute(session, 9, command, [key.encode()], None, None)


def test_the_last_write_is_known_by_its_revision_and_costs_no_entry(talk: Talk) -> None:
    talk.line("SET k 1")
    talk.line("INCR k")
    assert why(talk, "k") == [("changed", "INCR")]
    assert len(talk.rig.engine.history.kept) == 0
    assert [tuple(run[4:]) for run in talk.rig.engine.history.runs] == [("SET",), ("INCR",)]


def test_an_expired_key_says_when_and_who_had_set_it(talk: Talk) -> None:
    talk.line("SET k 1 PX 5")
    talk.advance(10)
    assert why(talk, "k") == [("expired", None), ("changed", "SET")]


def test_who_gave_a_key_its_expiry_is_known(talk: Talk) -> None:
    talk.line("SET k 1")
    talk.line("PEXPIRE k 5")
    assert why(talk, "k") == [("expiry", "PEXPIRE"), ("changed", "SET")]


def test_an_evicted_key_says_so(talk: Talk) -> None:
    talk.line("SET k 1")
    tx = talk.rig.engine.tx
    tx.start(b"0", None)
    tx.key_drop(b"k", EVICTED)
    talk.rig.engine.seal()
    assert why(talk, "k") == [("evicted", None), ("changed", "SET")]


def test_what_went_with_a_lease_says_which(talk: Talk) -> None:
    client = talk.rig.connect()
    grant = client.call("LOCK", "worker", ttl=1_000)
    client.call("SET", "a", 1, lease=("worker", grant[0]))
    talk.advance(2_000)
    gone = asked(talk, "a").changes[0]
    assert (gone.what, gone.other, gone.command) == ("lease expired", "worker", None)


def test_a_collection_that_lost_its_last_element_was_emptied(talk: Talk) -> None:
    talk.line("SADD s m")
    talk.line("SREM s m")
    assert why(talk, "s") == [("emptied", "SREM")]


def test_flushes_drops_and_swaps_of_namespaces_are_told(talk: Talk) -> None:
    talk.line("SET k 1")
    talk.line("FLUSHALL")
    assert why(talk, "k")[0] == ("flushed", "FLUSHALL")
    talk.line("SET k 2")
    talk.line("SWAPDB 0 1")
    assert why(talk, "k")[0] == ("swapped", "SWAPDB")
    talk.line("SELECT 1")
    assert why(talk, "k")[:2] == [("swapped", "SWAPDB"), ("changed", "SET")]
    talk.line("NAMESPACE DROP 1")
    assert why(talk, "k")[0] == ("dropped", "NAMESPACE DROP")


def test_a_move_tells_both_ends(talk: Talk) -> None:
    talk.line("SET k 1")
    talk.line("MOVE k 3")
    assert asked(talk, "k").changes[0].other == "k in 3"
    talk.line("SELECT 3")
    first = asked(talk, "k").changes[0]
    assert (first.what, first.command, first.other) == ("moved from", "MOVE", "k in 0")


def test_a_call_that_waited_is_told_as_the_one_that_took(talk: Talk) -> None:
    other = talk.another()
    other.line("BLPOP q 0")
    talk.line("RPUSH q x")
    assert why(talk, "q")[0] == ("emptied", "BLPOP")


def test_a_transaction_tells_the_commands_in_it(talk: Talk) -> None:
    for line in ("MULTI", "SET a 1", "INCR b", "DEL a", "EXEC"):
        talk.line(line)
    assert why(talk, "a")[0] == ("deleted", "DEL")
    assert why(talk, "b") == [("changed", "INCR")]


def test_what_was_put_back_is_not_remembered(talk: Talk) -> None:
    talk.line("SET k 1")
    client = talk.rig.connect()
    with pytest.raises(Exception, match="wrong kind"):
        client.raw("ATOMIC", [[b"DEL", [b"k"]], [b"LPUSH", [b"n", b"\x01"]], [b"INCR", [b"n"]]])
    assert why(talk, "k") == [("changed", "SET")]


def test_the_memory_is_bounded_and_says_since_when_it_is_whole(talk: Talk) -> None:
    talk.line("SET k 1")
    assert asked(talk, "k").note == ""
    for number in range(150):
        talk.advance(1)
        talk.line(f"SET other:{number} 1")
        talk.line(f"DEL other:{number}")
    found = asked(talk, "k")
    assert (found.changes, found.note.startswith("its last change, at revision ")) == ([], True)
    assert found.since > talk.rig.engine.history.since_ms
    assert len(talk.rig.engine.history.runs) == len(talk.rig.engine.history.kept) == 100


def test_without_history_nothing_is_kept_and_that_is_said(talk: Talk) -> None:
    talk.rig.engine.keep_history(0)
    talk.line("SET k 1")
    talk.line("DEL k")
    assert asked(talk, "k").note == "nothing is recorded: the server runs with --history 0"
    assert talk.rig.engine.tx.gone is None


def test_who_is_gone_is_still_known(talk: Talk) -> None:
    other = talk.another()
    other.line("CLIENT SETNAME cleaner")
    other.line("SET k 1")
    other.connection.leave()
    assert asked(talk, "k").changes[0].client == "cleaner"


def test_the_trace_of_a_call_is_kept(talk: Talk) -> None:
    client = talk.rig.connect()
    client.raw("SET", [b"k", b"\x01"], None, {6: b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    client.raw("DEL", [b"k"], None, {6: b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    found = talk.rig.engine.history
    assert found.kept[-1][5] == "DEL"
    assert found.trace_of(found.kept[-1][0]) == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_why_on_resp_names_every_figure(talk: Talk) -> None:
    talk.line("SET k 1")
    said = talk.line("WHY k COUNT 1")
    assert said.startswith(b"%4\r\n$7\r\nversion\r\n:")
    assert b"$7\r\ncommand\r\n$3\r\nSET\r\n" in said
