"""Locks among sessions: whose turn it is, how long calls wait, who hears that a lease is over."""

from __future__ import annotations

from typing import Any

import pytest

from kv_protocol.errors import Busy, InvalidArgument, LockHeld, LockLost, StaleFence
from kv_protocol.limits import MAX_LEASE_MS, SESSION_LINGER_MS
from kv_protocol.messages import FENCE, NAMESPACE
from kv_server.engine.engine import PARKED, Limits
from kv_server.engine.tx import Tx
from tests.engine.rig import Client, Present, Rig, StrictTx


def waiting(client: Client, *, lock: str = "l", **options: Any) -> int:
    """Park a call for *lock*; its id."""
    assert client.call("LOCK", lock, **options) is PARKED
    return client.rig.last_id


def granted(client: Client) -> list[tuple[int, int]]:
    """Id and lease of each call that was granted its lock by now."""
    return [(request_id, grant.lease) for _, request_id, grant in client.outbox.take("deliver")]


def holder_of(rig: Rig, lock: bytes = b"l", space: bytes = b"0") -> int | None:
    held = rig.store.namespaces[space].locks.get(lock)
    return next(iter(held.values())).session if held else None


def test_waiting_calls_are_granted_in_the_order_of_asking() -> None:
    rig = Rig()
    first, second, third = rig.connect(), rig.connect(), rig.connect()
    token = first.call("LOCK", "l")[0]
    turns = [(second, waiting(second)), (third, waiting(third)), (second, waiting(second)), (first, waiting(first))]
    tokens = [token]
    for client, request_id in turns:
        rig.clients = [first, second, third]  # type: ignore[attr-defined]
        first.call("UNLOCK", "l", tokens[-1])
        heard = {c.session.id: c.outbox.take("deliver") for c in (first, second, third)}
        [(_, delivered, grant)] = heard.pop(client.session.id)
        assert delivered == request_id
        assert not any(heard.values())
        tokens.append(grant.token)
    assert tokens == sorted(set(tokens)), "tokens only grow"


def test_a_new_call_never_overtakes_one_that_waits() -> None:
    rig = Rig()
    holder, patient, hasty = rig.connect(), rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    waiting(patient)
    holder.call("UNLOCK", "l", token)
    with pytest.raises(LockHeld):
        hasty.call("LOCK", "l", wait=0)
    assert holder_of(rig) == patient.session.id


def test_a_lease_that_ends_lets_the_next_one_in_for_its_whole_lease() -> None:
    rig = Rig()
    holder, patient = rig.connect(), rig.connect()
    token = holder.call("LOCK", "l", ttl=100)[0]
    request_id = waiting(patient, ttl=50)
    rig.advance(99)
    assert granted(patient) == []
    rig.advance(1)
    assert granted(patient) == [(request_id, 50)]
    assert holder.outbox.take("push") == [("push", "LOCK_LOST", ("0", "l", token, "expired"))]
    assert patient.outbox.heard == []
    rig.advance(49)
    assert holder_of(rig) == patient.session.id
    rig.advance(1)
    assert holder_of(rig) is None


def test_a_lock_that_is_broken_tells_its_holder_only() -> None:
    rig = Rig()
    holder, breaker, bystander = rig.connect(), rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    request_id = waiting(bystander)
    assert breaker.call("BREAK", "l") is True
    assert holder.outbox.heard == [("push", "LOCK_LOST", ("0", "l", token, "broken"))]
    assert breaker.outbox.heard == []
    assert granted(bystander) == [(request_id, 15_000)]
    assert bystander.outbox.heard == []


def test_a_lock_that_is_given_back_is_no_news() -> None:
    rig = Rig()
    holder = rig.connect()
    holder.call("UNLOCK", "l", holder.call("LOCK", "l")[0])
    assert holder.outbox.heard == []
    assert holder.call("LOCKS") == []


def test_a_dropped_namespace_breaks_its_locks_and_serves_those_who_wait() -> None:
    rig = Rig()
    holder, patient, elsewhere = rig.connect(namespace=b"n"), rig.connect(namespace=b"n"), rig.connect()
    token = holder.call("LOCK", "l")[0]
    elsewhere.call("LOCK", "l")
    request_id = waiting(patient)
    assert elsewhere.call("NAMESPACE DROP", "n") is True
    assert holder.outbox.heard == [("push", "LOCK_LOST", ("n", "l", token, "broken"))]
    assert granted(patient) == [(request_id, 15_000)]
    assert holder_of(rig, space=b"n") == patient.session.id
    assert holder_of(rig) == elsewhere.session.id


def test_flushing_a_namespace_leaves_its_locks() -> None:
    rig = Rig()
    client = rig.connect()
    token = client.call("LOCK", "l")[0]
    client.call("SET", "k", 1)
    client.call("FLUSHDB")
    client.call("UNLOCK", "l", token)
    assert client.outbox.heard == []


@pytest.mark.parametrize("wait", [1, 100])
def test_a_wait_that_is_over_fails_with_the_holder_named(wait: int) -> None:
    rig = Rig()
    holder, patient, later = rig.connect("ann"), rig.connect(), rig.connect()
    holder.call("LOCK", "l")
    request_id = waiting(patient, wait=wait)
    waiting(later)
    rig.advance(wait - 1)
    assert patient.outbox.heard == []
    rig.advance(1)
    [(_, failed, error)] = patient.outbox.take("fail")
    assert failed == request_id
    assert type(error) is LockHeld
    assert error.details == {"owner": "ann", "remaining": 15_000 - wait, "waiters": 1}
    assert patient.session.waiting == {}
    assert rig.commits[1:] == []


def test_a_wait_of_nothing_tries_once() -> None:
    rig = Rig()
    holder, hasty = rig.connect(), rig.connect()
    assert hasty.call("LOCK", "free", wait=0)
    holder.call("LOCK", "l", ttl=70)
    with pytest.raises(LockHeld) as caught:
        hasty.call("LOCK", "l", wait=0)
    assert caught.value.details == {"owner": f"session {holder.session.id}", "remaining": 70, "waiters": 0}
    assert hasty.session.waiting == {}


def test_a_wait_without_bound_ends_with_the_lock() -> None:
    rig = Rig()
    holder, patient = rig.connect(), rig.connect()
    holder.call("LOCK", "l", ttl=MAX_LEASE_MS)
    request_id = waiting(patient)
    rig.settle(MAX_LEASE_MS - 1)
    assert patient.outbox.heard == []
    rig.settle(1)
    assert granted(patient) == [(request_id, 15_000)]


def test_cancelling_a_waiting_call_takes_it_out_of_the_line() -> None:
    rig = Rig()
    holder, patient, next_one = rig.connect(), rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    request_id = waiting(patient, wait=1_000)
    turn = waiting(next_one)
    assert not next_one.cancel(request_id), "a call is its session's own"
    assert patient.cancel(request_id)
    assert patient.outbox.errors() == {request_id: "CANCELLED"}
    assert not patient.cancel(request_id), "it has ended"
    holder.call("UNLOCK", "l", token)
    assert granted(next_one) == [(turn, 15_000)]
    rig.advance(1_000)
    assert patient.outbox.heard == []


def test_a_call_that_was_granted_is_too_late_to_cancel() -> None:
    rig = Rig()
    holder, patient = rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    request_id = waiting(patient)
    holder.call("UNLOCK", "l", token)
    assert not patient.cancel(request_id)
    assert granted(patient) == [(request_id, 15_000)]
    assert holder_of(rig) == patient.session.id


@pytest.mark.parametrize("how", ["detach", "resume"])
def test_a_connection_that_is_gone_waits_no_longer(how: str) -> None:
    rig = Rig()
    holder, patient, next_one = rig.connect(), rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    waiting(patient, wait=1_000)
    turn = waiting(next_one)
    if how == "detach":
        patient.detach()
    else:
        rig.connect(secret=patient.session.secret)
    assert [kind for kind, *_ in patient.outbox.heard] == ["close"] * (how == "resume")
    holder.call("UNLOCK", "l", token)
    assert granted(next_one) == [(turn, 15_000)]
    rig.advance(1_000)
    assert patient.outbox.take("deliver") == patient.outbox.take("fail") == []


def test_a_lock_outlives_its_session_by_its_lease() -> None:
    rig = Rig()
    holder, patient = rig.connect("gone"), rig.connect()
    holder.call("LOCK", "l", ttl=SESSION_LINGER_MS + 500)
    holder.detach()
    request_id = waiting(patient)
    rig.advance(SESSION_LINGER_MS)
    assert holder.session.id not in rig.engine.sessions
    assert granted(patient) == []
    rig.advance(500)
    assert granted(patient) == [(request_id, 15_000)]


def test_a_resumed_session_hears_of_its_locks_on_its_new_connection() -> None:
    rig = Rig()
    old = rig.connect()
    token = old.call("LOCK", "l", ttl=100)[0]
    new = rig.connect(secret=old.session.secret)
    old.outbox.heard.clear()
    rig.advance(100)
    assert old.outbox.heard == []
    assert new.outbox.heard == [("push", "LOCK_LOST", ("0", "l", token, "expired"))]


def test_draining_ends_every_wait() -> None:
    rig = Rig()
    holder, patient = rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    ids = [waiting(patient, wait=50), waiting(patient), waiting(holder)]
    patient.call("WATCH", "k")
    ids.append(rig.last_id)
    rig.engine.drain()
    assert patient.outbox.errors() | holder.outbox.errors() == dict.fromkeys(ids, "SHUTTING_DOWN")
    rig.advance(100)
    assert holder.outbox.heard == patient.outbox.heard == []
    assert list(rig.store.namespaces[b"0"].locks[b"l"]) == [token]
    assert not rig.engine.watchers.live


def test_a_connection_may_have_so_many_calls_that_wait_and_no_more() -> None:
    rig = Rig(limits=Limits(parked=3))
    holder, patient = rig.connect(), rig.connect()
    holder.call("LOCK", "l")
    waiting(patient)
    patient.call("WATCH", "k")
    last = waiting(patient)
    for word in ("LOCK", "WATCH"):
        with pytest.raises(Busy) as caught:
            patient.call(word, "l")
        assert caught.value.details == {"limit": 3}
    assert patient.call("GET", "k") is None
    waiting(holder)
    patient.cancel(last)
    waiting(patient)


def test_a_waiting_call_obeys_its_fence_when_its_turn_comes() -> None:
    rig = Rig()
    holder, patient = rig.connect(), rig.connect()
    guard = patient.call("LOCK", "guard", ttl=50)[0]
    token = holder.call("LOCK", "l")[0]
    assert patient.send("LOCK", ["l"], None, {FENCE: [b"guard", guard]}) is PARKED
    request_id = rig.last_id
    rig.advance(50)
    patient.outbox.take("push")
    holder.call("UNLOCK", "l", token)
    [(_, failed, error)] = patient.outbox.heard
    assert failed == request_id
    assert type(error) is StaleFence
    assert holder.call("LOCKS") == []


def test_a_waiting_call_that_fails_lets_the_next_one_try() -> None:
    rig = Rig(limits=Limits(namespaces=1))
    holder, patient, next_one = (rig.connect(namespace=b"n") for _ in range(3))
    holder.call("LOCK", "l")
    first, second = waiting(patient), waiting(next_one)
    elsewhere = rig.connect()
    elsewhere.call("NAMESPACE DROP", "n")
    assert granted(patient) == [(first, 15_000)]
    assert second in next_one.session.waiting


def test_a_bug_in_a_waiting_call_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    holder, patient, next_one = rig.connect(), rig.connect(), rig.connect()
    token = holder.call("LOCK", "l")[0]
    first, second = waiting(patient), waiting(next_one)
    true_grant = Tx.lock_grant

    def broken(self: Tx, name: bytes, token: int, session: int, owner: str, lease_ms: int, most: int) -> None:
        if session == patient.session.id:
            raise ZeroDivisionError("a bug")
        true_grant(self, name, token, session, owner, lease_ms, most)

    monkeypatch.setattr(StrictTx, "lock_grant", broken, raising=False)
    holder.call("UNLOCK", "l", token)
    assert patient.outbox.errors() == {first: "INTERNAL"}
    assert granted(next_one) == [(second, 15_000)]
    assert patient.session.waiting == {}


def test_locks_of_one_name_in_two_namespaces_are_two() -> None:
    rig = Rig()
    client = rig.connect()
    assert client.send("LOCK", ["l"], {"wait": 0}, {NAMESPACE: b"one"})
    assert client.send("LOCK", ["l"], {"wait": 0}, {NAMESPACE: b"two"})
    client.call("SET", "l", "a key beside them")
    assert client.call("GET", "l") == Present("a key beside them")
    assert [space for space in rig.store.namespaces if holder_of(rig, space=space)] == [b"one", b"two"]


def test_extending_tells_each_lease_and_shortens_none() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    one, two = client.call("LOCK", "one", ttl=100)[0], client.call("LOCK", "two", ttl=900)[0]
    three = other.call("LOCK", "three")[0]
    rig.advance(50)
    before = len(rig.commits)
    leases = [("one", one), ("two", two), ("three", three + 1), ("four", 1), ("one", one)]
    assert client.call("EXTEND", 300, *leases) == [300, 850, None, None, 300]
    assert len(rig.commits) == before + 1
    assert {lock[0]: lock[6] for lock in client.call("LOCKS")} == {"one": 1, "two": 0, "three": 0}
    rig.advance(299)
    assert client.outbox.heard == []
    rig.advance(1)
    assert [fields[1] for _, _, fields in client.outbox.take("push")] == ["one"]
    with pytest.raises(LockLost):
        client.call("UNLOCK", "one", one)


def test_a_lease_lasts_a_day_at_most() -> None:
    client = Rig().connect()
    for call in (("LOCK", "l"), ("EXTEND", MAX_LEASE_MS + 1, ("l", 1))):
        with pytest.raises(InvalidArgument, match="lease"):
            client.call(*call, **({"ttl": MAX_LEASE_MS + 1} if call[0] == "LOCK" else {}))


def test_operators_see_who_holds_and_how_many_wait() -> None:
    rig = Rig()
    holder, patient = rig.connect("ann"), rig.connect()
    token = holder.call("LOCK", "l", ttl=500)[0]
    waiting(patient)
    waiting(patient)
    rig.advance(100)
    assert patient.call("LOCKS") == [("l", token, "ann", holder.session.id, 100, 400, 0, 2, 1)]


def test_locks_taken_and_given_back_leave_nothing_behind() -> None:
    rig = Rig()
    client, other = rig.connect(), rig.connect()
    for _ in range(2_000):
        token = client.call("LOCK", "l", ttl=MAX_LEASE_MS)[0]
        waiting(other, wait=MAX_LEASE_MS)
        client.call("UNLOCK", "l", token)
        [(_, _, grant)] = other.outbox.take("deliver")
        client.call("EXTEND", MAX_LEASE_MS, ("l", grant.token))
        client.call("UNLOCK", "l", grant.token)
        rig.advance(1)
    assert len(rig.store.leases.heap) < 200
    assert len(rig.engine.due.heap) < 200
    assert not rig.engine.watchers.live
