"""The faults of the testing kit: each does what it says, to the message that it was ordered for, and to no other."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio

import kv_client
from kv_protocol.errors import CallTimeout, ConnectionLost, LockLost
from kv_server.testing import TrioServer, server
from tests.testing.rig import opened


@asynccontextmanager
async def connected(**settings: Any) -> AsyncIterator[tuple[TrioServer, kv_client.Client]]:
    async with server(**settings) as s, opened(s, "one") as client:
        yield s, client


# ---- messages
async def test_a_request_that_is_dropped_was_never_made(autojump_clock):
    async with connected() as (s, client):
        s.faults.drop(request="INCR")
        with pytest.raises(CallTimeout) as caught:
            await client.incr("n")
        assert caught.value.maybe_applied
        assert trio.current_time() == 5
        assert await client.get("n") is None
        assert client.statistics().connections == 1


async def test_a_reply_that_is_dropped_was_made_once(autojump_clock):
    async with connected() as (s, client):
        s.faults.drop(reply="INCR")
        with pytest.raises(CallTimeout) as caught:
            await client.incr("n")
        assert caught.value.maybe_applied
        assert await client.get("n") == 1
        assert "1 < INCR dropped" in s.trace


@pytest.mark.parametrize("message", [{"request": "INCR"}, {"reply": "INCR"}])
async def test_a_call_counts_once_wherever_its_connection_is_cut(message, autojump_clock):
    async with connected() as (s, client):
        for count in range(1, 12):
            s.faults.cut(count - 1, **message)
            assert await client.incr("n") == count
        s.faults.cut(100, **message)
        while s.faults.pending:  # it is in one of the messages that follow
            count += 1
            assert await client.incr("n") == count
        assert await client.get("n") == count
        assert client.statistics().connections == 13


@pytest.mark.parametrize("message", [{"request": "INCR"}, {"reply": "INCR"}])
async def test_a_message_that_comes_twice_counts_once(message, autojump_clock):
    async with connected() as (s, client):
        s.faults.duplicate(**message)
        assert await client.incr("n") == 1
        assert await client.incr("n") == 2
        assert await client.get("n") == 2


async def test_a_delay_holds_what_comes_behind_too(autojump_clock):
    async with connected() as (s, client), opened(s, "two") as other:
        s.faults.delay(2, reply="INCR")

        async def ask(call, *args):
            await call(*args)
            times.append(trio.current_time())

        times: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, client.incr, "n")
            while "1 > INCR" not in s.trace:
                await trio.lowlevel.checkpoint()
            nursery.start_soon(ask, client.get, "n")
            nursery.start_soon(ask, other.get, "n")
        assert times == [0, 2, 2]


async def test_messages_are_chosen_by_number_and_client(autojump_clock):
    async with connected() as (s, client), opened(s, "two") as other:
        s.faults.cut(reply="INCR", nth=3, times=2, client="two")
        for count in range(1, 6):
            assert await client.incr("mine") == count
            assert await other.incr("theirs") == count
        assert client.statistics().connections == 1
        assert [line[2:] for line in s.trace if "cut" in line] == ["< INCR cut", "< INCR cut"]
        s.faults.cut(request="*")
        assert await client.get("mine") == 5
        assert client.statistics().connections == 2


async def test_several_faults_befall_one_message(autojump_clock):
    async with connected() as (s, client):
        s.faults.delay(1, reply="incr")
        s.faults.cut(reply="incr")
        assert await client.incr("n") == 1
        assert 1 <= trio.current_time() < 2
        assert "1 < INCR delayed cut" in s.trace


async def test_what_the_server_says_by_itself_can_be_lost(autojump_clock):
    async with connected() as (s, client), opened(s, "two") as other:
        s.faults.drop(reply="LOCK_LOST")
        with pytest.raises(LockLost):
            async with client.lock("a", ttl=15):
                await other.break_lock("a")
                await trio.sleep_forever()
        assert trio.current_time() == 5  # when it was to be renewed


async def test_greetings_are_messages_too(autojump_clock):
    async with server() as s:
        s.faults.cut(7, reply="HELLO", times=3)
        async with opened(s, "one") as client:
            await client.set("a", 1)
        s.faults.drop(reply="HELLO")
        with pytest.raises(ConnectionLost):
            await opened(s, "one", connect_timeout=1).__aenter__()


async def test_long_values_pass_whole(autojump_clock):
    value = random.Random(1).randbytes(9_000_000)
    async with connected() as (s, client):
        await client.set("a", value)
        assert await client.get("a") == value
        s.faults.cut(5_000_000, reply="GET")
        assert await client.get("a") == value
        assert client.statistics().connections == 2


async def test_a_message_has_one_side_and_numbers_begin_at_one():
    async with server() as s:
        for wrong in ({"request": "A", "reply": "A"}, {"reply": "A", "nth": 0}, {"reply": "A", "times": 0}, {}):
            with pytest.raises(ValueError):
                s.faults.drop(**wrong)


# ---- connections
async def test_connections_are_refused_and_cut(autojump_clock):
    async with server() as s:
        s.faults.refuse(times=2)
        async with opened(s, "one") as client, opened(s, "two") as other:
            assert not s.faults.pending
            await client.set("a", 1)
            s.faults.cut(client="one")
            assert await client.get("a") == await other.get("a") == 1
            assert (client.statistics().connections, other.statistics().connections) == (2, 1)
            s.faults.cut()
            assert await client.get("a") == await other.get("a") == 1
            assert (client.statistics().connections, other.statistics().connections) == (3, 2)


async def test_a_lease_is_lost_by_partition_before_another_has_it(autojump_clock):
    async with connected() as (s, client), opened(s, "two") as other:
        story: list[tuple[str, float]] = []

        async def follow():
            async with other.lock("job", ttl=15):
                story.append(("entered", trio.current_time()))
                await other.set("doc", "mine")

        async with trio.open_nursery() as nursery:
            with pytest.raises(LockLost):
                async with client.lock("job", ttl=15) as held:
                    await trio.sleep(100)  # renewed meanwhile
                    nursery.start_soon(follow)
                    s.faults.partition(client="one")
                    try:
                        await trio.sleep_forever()
                    finally:
                        story.append(("left", trio.current_time()))
        assert [what for what, _ in story] == ["left", "entered"]
        assert 105 < story[0][1] < story[1][1] <= 115
        s.faults.heal()
        with pytest.raises(kv_client.StaleFence):
            await client.set("doc", "stale", fence=held)
        assert await other.get("doc") == "mine"


async def test_what_a_partition_held_back_arrives_when_it_is_healed(autojump_clock):
    async with connected() as (s, client):
        s.faults.partition()
        with trio.move_on_after(3) as scope:
            await client.incr("n")
        s.faults.heal()
        assert scope.cancelled_caught
        with trio.fail_after(1):
            assert await client.get("n") in (None, 1)  # the deadline decides, which travels with the call
        s.faults.partition()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.incr, "m")
            await trio.sleep(4)
            s.faults.heal()
        assert await client.get("m") == 1
        assert client.statistics().connections == 1


async def test_nobody_hears_of_a_partition(autojump_clock):
    async with server() as s:
        async with opened(s, "one") as client:
            await client.set("a", 1)
            s.faults.partition()
        # the client has closed; the server does not know
        sock = s.socket()
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(BlockingIOError):
            sock.recv(1)
        sock.close()
        s.faults.heal()
        async with opened(s, "one") as client:
            assert len(await client.clients()) == 1


async def test_text_connections_know_partitions(autojump_clock):
    async with server() as s:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(s.socket()))
        async with stream:
            await stream.send_all(b"SET a 1\r\nGET a\r\n")
            answer = b""
            while answer != b"+OK\r\n$1\r\n1\r\n":
                answer += await stream.receive_some()
            s.faults.partition()
            await stream.send_all(b"PING\r\n")
            with trio.move_on_after(10) as scope:
                await stream.receive_some()
            assert scope.cancelled_caught
            s.faults.heal()
            assert await stream.receive_some() == b"+PONG\r\n"
            s.faults.cut()
            assert await stream.receive_some() == b""


# ---- what was ordered
async def test_a_fault_that_never_happened_is_seen(autojump_clock):
    with pytest.raises(AssertionError, match="never happened: drop reply INCR of client 'one': number 2, 0 of 1 times"):
        async with connected() as (s, client):
            s.faults.drop(reply="INCR", nth=2, client="one")
            await client.incr("n")
    async with connected() as (s, client):
        s.faults.delay(1, request="INCR", times=2)
        await client.incr("n")
        assert s.faults.pending == ["delay request INCR: number 1, 1 of 2 times"]
        s.faults.clear()


async def test_what_the_block_raises_leaves_it_as_it_is(autojump_clock):
    with pytest.raises(KeyError):
        async with server() as s:
            s.faults.refuse()
            raise KeyError
    with trio.move_on_after(1) as scope:
        async with server():
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def story(seed: int) -> tuple[list[str], Any]:
    """A script with faults; what was seen of it."""
    dice = random.Random(seed)
    async with server(seed=seed) as s, opened(s, "one") as client:
        tokens = []
        for _ in range(30):
            deed = dice.choice((s.faults.drop, s.faults.duplicate, s.faults.cut))
            side = dice.choice(("request", "reply"))
            deed(**{side: "INCR"})  # type: ignore[operator]
            with suppress(CallTimeout):
                await client.incr("n")
            async with client.lock("a") as held:
                tokens.append(held.token)
        return s.trace, (await client.get("n"), tokens, s.clock.now().date())


def test_the_same_script_gives_the_same_story():
    one, two, other = (trio.run(story, seed, clock=trio.testing.MockClock(autojump_threshold=0)) for seed in (1, 1, 2))
    assert one == two
    assert one != other
