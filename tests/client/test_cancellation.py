"""Cancellation in every phase of a call, and what it may never do: give an answer to the wrong caller."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_protocol.messages import DEADLINE, SEQ
from kv_protocol.values import encode


async def test_a_cancelled_call_is_not_sent_at_all(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.set("never", 1)
        assert scope.cancelled_caught
        call = starting(nursery, client.get, "after")
        wire.reply(await wire.expect("GET"))
        await call.result()


async def test_while_it_is_queued_it_is_taken_out(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        lost = starting(nursery, client.get, "first")
        await wire.expect("GET")
        wire.close()
        await wait_all_tasks_blocked()
        peer.wires.clear()
        queued = starting(nursery, client.set, "queued", 1)
        queued.scope.cancel()
        await queued.done.wait()
        assert queued.scope.cancelled_caught
        wire = await peer.wire(0)
        wire.reply(await wire.expect("GET"))  # the next request would be SET
        await lost.result()
        after = starting(nursery, client.get, "after")
        wire.reply(await wire.expect("GET"))
        await after.result()


@pytest.mark.parametrize("lone", [True, False])
async def test_after_it_was_sent_the_late_reply_reaches_nobody(peer, starting, lone):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        if not lone:
            other = starting(nursery, client.get, "other")
            held = await wire.expect("GET")
        cancelled = starting(nursery, client.set, "a", 1)
        request = await wire.expect("SET")
        cancelled.scope.cancel()
        await cancelled.done.wait()
        assert cancelled.scope.cancelled_caught
        after = starting(nursery, client.get, "b")
        later = await wire.expect("GET")
        wire.reply(request, 77)
        await wait_all_tasks_blocked()
        assert not after.done.is_set()
        wire.reply(later, encode("mine"))
        assert await after.result() == "mine"
        if not lone:
            wire.reply(held, encode("other"))
            assert await other.result() == "other"
        assert client.statistics().late == 1
        assert client.statistics().open_calls == 0
        assert peer.dials == 1


async def test_a_leader_that_is_cancelled_leaves_the_others_served(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for _ in range(2):  # after the first call the reader rests
            warm = starting(nursery, client.get, "warm")
            wire.reply(await wire.expect("GET"))
            await warm.result()
        leader = starting(nursery, client.get, "leader")
        await wire.expect("GET")
        follower = starting(nursery, client.get, "follower")
        request = await wire.expect("GET")
        leader.scope.cancel()
        await leader.done.wait()
        wire.reply(request, encode("yes"))
        assert await follower.result() == "yes"


async def test_what_takes_waits_for_the_word_on_its_cancel(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        request = await wire.expect("GETDEL")
        call.scope.cancel()
        cancel = await wire.expect("CANCEL")
        assert cancel[2] == [request[0]]
        await wait_all_tasks_blocked()
        assert not call.done.is_set()
        wire.fail(request, "CANCELLED")
        wire.reply(cancel, True)
        await call.done.wait()
        assert call.scope.cancelled_caught


async def test_what_was_taken_too_late_for_its_cancel_is_returned(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        request = await wire.expect("GETDEL")
        call.scope.cancel()
        cancel = await wire.expect("CANCEL")
        wire.reply(request, encode("taken"))
        wire.reply(cancel, False)
        assert await call.result() == "taken"
        assert not call.scope.cancelled_caught


async def test_an_error_that_crosses_a_cancel_is_a_cancellation(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        request = await wire.expect("GETDEL")
        call.scope.cancel()
        cancel = await wire.expect("CANCEL")
        wire.fail(request, "WRONG_TYPE")
        wire.reply(cancel, False)
        await call.done.wait()
        assert call.scope.cancelled_caught


async def test_a_cancel_without_an_answer_costs_the_connection_after_a_second(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        await wire.expect("GETDEL")
        call.scope.cancel()
        await wire.expect("CANCEL")
        began = trio.current_time()
        await call.done.wait()
        assert call.scope.cancelled_caught
        assert trio.current_time() - began == pytest.approx(1, abs=0.05)
        assert await wire.ended()
        wire = await peer.wire(1)
        after = starting(nursery, client.get, "b")
        wire.reply(await wire.expect("GET"))
        await after.result()


async def test_a_lost_connection_ends_the_wait_for_a_cancel(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        await wire.expect("GETDEL")
        call.scope.cancel()
        await wire.expect("CANCEL")
        wire.close()
        await call.done.wait()
        assert call.scope.cancelled_caught
        wire = await peer.wire(1)
        after = starting(nursery, client.get, "b")
        assert (await wire.request())[1] == "GET"  # the session is another: what was cancelled is not sent again
        nursery.cancel_scope.cancel()
        del after


@pytest.mark.parametrize("cancelled_first", [True, False])
@pytest.mark.parametrize("taken", [True, False])
async def test_the_next_connection_says_what_became_of_a_take_that_was_cancelled(
    peer, starting, autojump_clock, cancelled_first, taken
):
    """It is sent once more, too late on purpose: that applies nothing, and what was taken before is in the answer."""
    peer.welcome["resumed"] = True
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        seq = (await wire.expect("GETDEL"))[4][SEQ]
        if cancelled_first:
            call.scope.cancel()
            await wire.expect("CANCEL")
        wire.close()
        await wait_all_tasks_blocked()
        call.scope.cancel()
        await wait_all_tasks_blocked()
        assert not call.done.is_set()
        wire = await peer.wire(1)
        again = await wire.expect("GETDEL")
        assert again[4][SEQ] == seq
        assert again[4][DEADLINE] < 0
        if taken:
            wire.reply(again, encode("taken"))
        else:
            wire.fail(again, "DEADLINE")
        assert await call.result() == ("taken" if taken else None)
        assert call.scope.cancelled_caught is not taken


async def test_without_a_connection_a_cancelled_take_is_given_up_after_a_second(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        call = starting(nursery, client.getdel, "a")
        await wire.expect("GETDEL")
        peer.refusals = 100
        wire.close()
        await wait_all_tasks_blocked()
        began = trio.current_time()
        call.scope.cancel()
        await call.done.wait()
        assert call.scope.cancelled_caught
        assert trio.current_time() - began == pytest.approx(1, abs=0.05)
        nursery.cancel_scope.cancel()


async def test_random_cancellations_never_mix_up_answers(peer, starting):
    """Every reply carries the key that was asked for; a caller must see its own or none."""
    import random

    dice = random.Random(5)
    wrong = []
    seen = 0

    async def ask(key, scope):
        nonlocal seen
        with scope:
            value = await client.get(key)
            seen += 1
            if value != key:
                wrong.append((key, value))

    async def serve():
        held = []
        while True:
            held.append(await wire.expect("GET"))
            dice.shuffle(held)
            while len(held) > dice.randrange(5):
                request = held.pop()
                wire.reply(request, encode(request[2][0]))

    async with peer.opened() as (client, wire), trio.open_nursery() as server:
        server.start_soon(serve)
        for round_ in range(200):
            async with trio.open_nursery() as nursery:
                scopes = [trio.CancelScope() for _ in range(10)]
                for n, scope in enumerate(scopes):
                    nursery.start_soon(ask, f"{round_}.{n}", scope)
                for _ in range(dice.randrange(6)):
                    await trio.lowlevel.checkpoint()
                for scope in dice.sample(scopes, 5):
                    scope.cancel()
                for _ in range(dice.randrange(4)):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        server.cancel_scope.cancel()
    assert not wrong
    assert seen > 100
    assert peer.dials == 1


async def test_ki_style_errors_are_not_swallowed_by_the_client(peer):
    with pytest.raises(KeyboardInterrupt):
        async with peer.client():
            raise KeyboardInterrupt


def test_the_errors_are_those_of_the_protocol():
    from kv_protocol import errors

    assert kv_client.ConditionFailed is errors.ConditionFailed
