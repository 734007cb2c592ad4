"""The blocking client and a real server: the same calls as on the async faces, without waiting for them by name."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import kv_client
import kv_client.aio
import kv_client.sync
from kv_client.sync import ABORT, DELETE, MISSING, Client
from tests.client.sync.peers import SECONDS, WELCOME, Peer, Wire, start

VALUES = [
    None, True, 1, 1.0, "1", b"1", Decimal("1.0"), 2**70, [1, [2]], {"a": None}, datetime(2026, 1, 1, tzinfo=UTC),
]  # fmt: skip


def test_the_three_faces_have_the_same_names() -> None:
    assert set(kv_client.sync.__all__) == set(kv_client.aio.__all__) == set(kv_client.__all__)
    for name in kv_client.sync.__all__:
        assert hasattr(kv_client.sync, name)


def test_what_is_no_matter_of_waiting_is_shared_with_the_other_faces() -> None:
    for name in ("MISSING", "DELETE", "ConditionFailed", "Change", "Fence", "Entry", "StreamEntry"):
        assert getattr(kv_client.sync, name) is getattr(kv_client, name)


def test_values_come_back_as_they_were(client: Client) -> None:
    for value in VALUES:
        client.set("a", value)
        back = client.get("a")
        assert (back, type(back)) == (value, type(value))
    assert client.get("absent", default=7) == 7
    assert client.ns("elsewhere").get("a") is None


def test_conditions_tell_the_entry_as_it_is(client: Client) -> None:
    version = client.set("a", "first", ttl=60)
    with pytest.raises(kv_client.ConditionFailed) as caught:
        client.set("a", "second", if_version=version - 1)
    assert caught.value.current[:2] == ("first", version)
    assert client.add("a", "third") is False


def test_updates_change_delete_and_leave(client: Client) -> None:
    assert client.update("n", lambda value: 1 if value is MISSING else value + 1) == 1
    assert client.update("n", lambda value: value + 1) == 2
    assert client.update("n", lambda value: ABORT) == 2
    assert client.update("n", lambda value: DELETE) is MISSING
    assert client.exists("n") == 0


def test_walks_meet_everything(client: Client) -> None:
    client.mset({f"user:{number}": number for number in range(300)})
    assert sorted(client.keys("user:*", count=10)) == sorted(f"user:{number}" for number in range(300))
    client.hash("h").set({"a": 1, "b": 2})
    assert dict(client.hash("h").scan()) == {"a": 1, "b": 2}
    log = client.stream("log")
    added = [log.add({"n": number}) for number in range(3)]
    followed = log.follow("0-0", count=2)
    assert [next(followed).id for _ in range(3)] == added


def test_batches_and_transactions(client: Client) -> None:
    with client.batch() as batch:
        visits, name = batch.incr("visits"), batch.hash("user").get("name", default="?")
    assert (visits.result(), name.result()) == (1, "?")
    with client.batch() as batch:
        wrong = batch.incr("text")
        batch.set("text", "x")
        after = batch.incr("text")
    assert wrong.result() == 1
    with pytest.raises(kv_client.KvError):
        after.result()
    with pytest.raises(kv_client.TransactionConflict):
        with client.transaction() as tx:
            tx.require("visits", version=5)
            tx.incr("visits")
    assert client.get("visits") == 1


def test_a_result_is_worked_out_once(client: Client) -> None:
    made: list[int] = []
    for _ in range(2):
        assert client.once("report", lambda: made.append(1) or 42, ttl=60) == 42
    assert made == [1]


def test_limits_say_when(client: Client) -> None:
    logins = client.limiter("logins", limit=2, per=60)
    assert [logins.check().allowed for _ in range(3)] == [True, True, False]


def test_a_unix_socket_is_a_server_too(tmp_path: Path) -> None:
    path = tmp_path / "kv.sock"
    with pytest.raises(kv_client.ConnectionLost, match=r"kv\+unix://.*No such file"):
        with kv_client.sync.connect(f"kv+unix://{path}", connect_timeout=0.05):
            pass
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        made = kv_client.sync.connect(f"kv+unix://{path}?namespace=shop", connect_timeout=30)
        opening = start(made.__enter__)
        wire = Wire(listener.accept()[0])
        hello = wire.expect("HELLO")
        assert hello[3]["namespace"] == "shop"
        wire.reply(hello, WELCOME)
        opening.result(SECONDS)
        made.__exit__(None, None, None)
        wire.close()


def test_outside_its_block_a_client_is_refused(url: str) -> None:
    made = kv_client.sync.connect(url, connect_timeout=30)
    with pytest.raises(kv_client.ClientClosed, match="inside `with"):
        made.get("a")
    with made:
        assert made.get("a") is None
        with pytest.raises(RuntimeError, match="opened once"):
            made.__enter__()
        assert made.get("a") is None
    for use in (lambda: made.get("a"), lambda: made.lock("a").__enter__(), lambda: made.batch().__enter__()):
        with pytest.raises(kv_client.ClientClosed):
            use()


def test_who_waits_is_told_that_the_client_is_closed(peer: Peer) -> None:
    with peer.client() as client:
        wire = peer.wire()
        waiting = start(client.blpop, "jobs")
        wire.expect("BLPOP")
        asking = start(client.get, "a")
        wire.expect("GET")
    for each in (waiting, asking):
        with pytest.raises(kv_client.KvError):
            each.result(10)


def test_a_wrong_call_is_not_sent_and_harms_no_other(client: Client) -> None:
    with pytest.raises(kv_client.InvalidArgument):
        client.set("a", object())  # type: ignore[arg-type]
    with client.batch() as batch:
        batch.set("a", 1)
    assert client.get("a") == 1


def test_a_call_alone_costs_one_send_and_one_receive(peer: Peer) -> None:
    with peer.client() as client:
        wire = peer.wire()
        end = peer.ends[0]
        before = end.sends, end.receives
        for number in range(3):
            wire.send([number + 2, 0, b"\x01"])
            assert client.get("a") == 1
        assert (end.sends - before[0], end.receives - before[1]) == (3, 3)


def test_a_time_out_is_the_callers(peer: Peer) -> None:
    with peer.client(timeout=0.05) as client:
        wire = peer.wire()
        with pytest.raises(kv_client.CallTimeout):
            client.get("a")
        late = wire.expect("GET")
        wire.reply(late, b"\x01")
        wire.send([late[0] + 1, 0, b"\x02"])
        assert client.get("a") == 2
        assert client.statistics().late == 1


def test_nobody_there_is_told_with_the_last_reason() -> None:
    with pytest.raises(kv_client.ConnectionLost, match=r"not connected after \d+ tr.*refused"):
        with kv_client.sync.connect("kv://127.0.0.1:1", connect_timeout=0.1):
            pass
