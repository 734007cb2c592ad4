"""Locks of threads: renewed by a thread of the client, lost without stopping anybody, told where it can be told."""

from __future__ import annotations

import threading

import pytest

import kv_client
from kv_client.sync import Client, Held
from tests.client.sync.peers import SECONDS, Peer, proxied, start, together
from tests.faults.processes import Server


def keepers() -> int:
    return sum(thread.name == "kv client keeper" for thread in threading.enumerate())


def test_a_lock_is_held_by_one_thread_at_a_time(client: Client) -> None:
    inside: list[int] = []

    def work(number: int) -> None:
        for _ in range(10):
            with client.lock("a"):
                inside.append(number)
                assert len(inside) == 1
                client.incr("n")
                inside.clear()

    together(6, work)
    assert client.get("n") == 60


def test_a_lock_outlives_its_lease_while_nobody_calls(client: Client, other: Client) -> None:
    with client.lock("a", ttl=0.4) as held:
        with pytest.raises(kv_client.LockHeld):
            other.lock("a", wait=1.5).__enter__()
        assert not held.lost
        assert client.set("key", 1, fence=held)
    with other.lock("a", wait=0):
        pass


def test_a_lock_is_renewed_while_another_thread_reads(client: Client, other: Client) -> None:
    waiting = start(client.blpop, "end")
    with client.lock("a", ttl=0.4) as held:
        with pytest.raises(kv_client.LockHeld):
            other.lock("a", wait=1.5).__enter__()
        assert not held.lost
    other.list("end").push_right(1)
    waiting.result(SECONDS)


def test_a_lost_lock_is_told_at_the_end_of_the_block(client: Client, other: Client) -> None:
    with pytest.raises(kv_client.LockLost, match="broken by an operator"):
        with client.lock("a") as held:
            other.break_lock("a")
            client.ping()
            assert held.lost
            with pytest.raises(kv_client.StaleFence):
                client.set("key", 1, fence=held)
    assert client.exists("key") == 0


def test_what_the_block_raised_comes_before_the_loss(client: Client, other: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        with client.lock("a"):
            other.break_lock("a")
            client.ping()
            raise ZeroDivisionError


def test_a_function_is_told_of_a_loss_and_may_use_the_client(client: Client, other: Client) -> None:
    told: list[tuple[str, bool, bool]] = []
    done = threading.Event()

    def lost(held: Held) -> None:
        told.append((held.name, held.lost, client.add("told", 1)))
        done.set()

    with client.lock("a", ttl=0.3, on_lost=lost):
        other.break_lock("a")
        assert done.wait(SECONDS), "the keeper hears of it at the next renewal"
    assert told == [("a", True, True)]


def test_a_lease_that_is_not_renewed_ends_by_itself(client: Client) -> None:
    done = threading.Event()
    with client.lock("a", ttl=0.2, renew=False, on_lost=lambda held: done.set()) as held:
        assert done.wait(SECONDS)
        assert held.lost
        assert held.remaining() == 0


def test_no_lock_is_held_for_longer_than_allowed(client: Client) -> None:
    done = threading.Event()
    with pytest.raises(kv_client.LockLost, match="max_hold"):
        with client.lock("a", ttl=5, max_hold=0.2) as held:
            while not held.lost:
                done.wait(0.01)


def test_keys_of_a_lease_go_with_it(client: Client) -> None:
    with client.lease(ttl=5) as lease:
        client.set("here", 1, lease=lease)
        assert client.exists("here") == 1
    assert client.exists("here") == 0


def test_a_leader_is_followed(client: Client, other: Client) -> None:
    election = other.election("leader")
    with election.observe() as leaders:
        assert next(leaders) is None
        with client.election("leader").lead("ada") as held:
            assert next(leaders) == "ada"
            assert election.leader() == "ada"
            assert not held.lost
        assert next(leaders) is None


def test_all_or_none(client: Client, other: Client) -> None:
    with client.lock_all("b", "a", "b") as held:
        assert list(held) == ["a", "b"]
        with pytest.raises(kv_client.LockHeld):
            with other.lock_all("0", "b", wait=0):
                pass
        with other.lock("0", wait=0):
            pass


def test_a_lock_is_kept_over_a_cut_connection(server: Server) -> None:
    with (
        proxied(server.port) as between,
        kv_client.sync.connect(server.url("kept", between.port), timeout=60, connect_timeout=30) as client,
        kv_client.sync.connect(server.url("kept"), timeout=60, connect_timeout=30) as other,
    ):
        with client.lock("a", ttl=3) as held:
            between.cut_soon = lambda: between.cuts < 2  # the answers to two renewals
            with pytest.raises(kv_client.LockHeld):
                other.lock("a", wait=3.5).__enter__()
            assert not held.lost
            assert between.cuts == 2
        with other.lock("a", wait=0):
            pass


def test_the_keeper_begins_with_the_first_lock_and_ends_with_the_client(url: str) -> None:
    before = keepers()
    with kv_client.sync.connect(url, timeout=60, connect_timeout=30) as client:
        client.ping()
        assert keepers() == before
        for _ in range(3):
            with client.lock("a"):
                assert keepers() == before + 1
        assert keepers() == before + 1
    assert keepers() == before


def test_a_push_is_heard_by_whoever_reads(peer: Peer) -> None:
    with peer.client() as client:
        wire = peer.wire()
        entering = start(client.lock("a", ttl=60).__enter__)
        wire.reply(wire.expect("LOCK"), [500, 60_000])
        held = entering.result(SECONDS)
        assert not held.lost
        wire.send([0, 1, ["LOCK_LOST", "shop", "a", 500, "broken"]])
        asked = start(client.get, "a")
        wire.reply(wire.expect("GET"), b"\x01")
        assert asked.result(SECONDS) == 1
        assert held.lost
