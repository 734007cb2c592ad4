"""Connections are cut under threads: calls go on over the next one, writes happen once, watches tell gaps."""

from __future__ import annotations

from random import Random

import pytest

import kv_client
import kv_client.sync
from kv_client.sync import Client
from tests.client.sync.peers import SECONDS, Peer, proxied, start, together
from tests.faults.processes import Server
from tests.faults.proxy import one_in


def opened(server: Server, namespace: str, port: int | None = None) -> Client:
    return kv_client.sync.connect(server.url(namespace, port), timeout=60, connect_timeout=30)


@pytest.mark.parametrize("threads", [1, 6])
def test_every_increment_counts_once_however_often_the_connection_is_cut(server: Server, threads: int) -> None:
    namespace = f"once{threads}"
    with proxied(server.port) as between, opened(server, namespace, between.port) as client:
        between.cut_soon = one_in(40, Random(7))

        def work(number: int) -> list[int]:
            return [client.incr("n") for _ in range(600 // threads)]

        seen = [value for values in together(threads, work) for value in values]
        between.cut_soon = lambda: False
        assert sorted(seen) == list(range(1, 601))
        assert client.get("n") == 600
        assert between.cuts > 3
        assert client.statistics().connections == between.cuts + 1


def test_batches_are_applied_once_too(server: Server) -> None:
    with proxied(server.port) as between, opened(server, "batched", between.port) as client:
        between.cut_soon = one_in(200, Random(3))
        for turn in range(20):
            with client.batch() as batch:
                sums = [batch.incr("n") for _ in range(50)]
            assert [each.result() for each in sums] == list(range(turn * 50 + 1, turn * 50 + 51))
        assert between.cuts > 1


def test_who_waits_goes_on_waiting(server: Server) -> None:
    with (
        proxied(server.port) as between,
        opened(server, "waits", between.port) as client,
        opened(server, "waits") as other,
    ):
        waiting = start(client.blpop, "jobs")
        while client.statistics().waiting_calls < 1:
            client.ping()
        between.cut_soon = lambda: between.cuts < 1
        assert client.ping() == "PONG"
        other.list("jobs").push_right(1)
        popped = waiting.result(SECONDS)
        assert popped is not None
        assert popped.value == 1
        assert between.cuts == 1


def test_a_watch_tells_where_it_missed_something(server: Server) -> None:
    with (
        proxied(server.port) as between,
        opened(server, "watched", between.port) as client,
        opened(server, "watched") as other,
    ):
        with client.watch("a") as changes, client.subscribe("news") as messages:
            other.set("a", 1)
            assert next(changes).value == 1
            between.cut_soon = lambda: between.cuts < 1
            client.ping()
            other.set("a", 2)
            change = next(changes)
            assert change.kind == "gap" or change.value == 2
            assert next(messages) == kv_client.Gap(None)
            other.publish("news", "more")
            message = next(messages)
            assert isinstance(message, kv_client.Message)
            assert message.value == "more"


def test_without_a_server_a_call_gives_up_at_its_own_time(peer: Peer) -> None:
    with peer.client(timeout=0.3) as client:
        wire = peer.wire()
        peer.refusing = True
        wire.close()
        with pytest.raises(kv_client.ConnectionLost):
            client.get("a")


def test_a_server_that_goes_away_is_left_before_the_next_call(peer: Peer) -> None:
    with peer.client() as client:
        first = peer.wire()
        asked = start(client.get, "a")
        request = first.expect("GET")
        first.send([0, 1, ["GOAWAY", "bye"]], [request[0], 0, b"\x01"])
        assert asked.result(SECONDS) == 1
        asked = start(client.get, "b")
        second = peer.wire()
        second.reply(second.expect("GET"), b"\x02")
        assert asked.result(SECONDS) == 2


def test_a_refused_client_is_told_why_at_once(peer: Peer) -> None:
    peer.greeting = [1, 2, ["VERSION", "too old", {}]]
    with pytest.raises(kv_client.UnsupportedVersion, match="too old"):
        peer.client(connect_timeout=SECONDS).__enter__()
    assert len(peer.ends) == 1
