"""Watches: events in order, credit, gaps after a reconnection, errors, the end."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client
from kv_client import Change
from kv_protocol.values import encode


async def follow(watch, seen, opened):
    async with watch:
        opened.set()
        async for change in watch:
            seen.append(change)


async def watching(nursery, starting, wire, watch, revision=100):
    """Start following *watch* and have it opened."""
    seen, opened = [], trio.Event()
    started = starting(nursery, follow, watch, seen, opened)
    request = await wire.expect("WATCH")
    wire.more(request, ["open", revision, None, None])
    await opened.wait()
    return started, seen, request


async def test_changes_come_in_order_with_their_values(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        watch = client.watch("a", "b", prefix="user:")
        _, seen, request = await watching(nursery, starting, wire, watch)
        assert request[2] == ["a", "b"]
        assert request[3]["prefix"] == "user:"
        assert request[3]["credit"] > 0
        assert watch.revision == 100
        wire.more(request, ["set", 101, "a", encode({"n": 1})])
        wire.more(request, ["expired", 102, b"\xff", None])
        wire.more(request, ["dropped", 103, None, None])
        await wait_all_tasks_blocked()
        assert seen == [
            Change("set", 101, "a", {"n": 1}),
            Change("expired", 102, "\udcff", None),
            Change("dropped", 103, None, None),
        ]
        assert watch.revision == 103
        nursery.cancel_scope.cancel()


async def test_the_block_begins_when_the_server_watches(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        opened = trio.Event()
        starting(nursery, follow, client.watch("a"), [], opened)
        request = await wire.expect("WATCH")
        await wait_all_tasks_blocked()
        assert not opened.is_set()
        wire.more(request, ["open", 5, None, None])
        await opened.wait()
        nursery.cancel_scope.cancel()


async def test_a_watch_that_is_refused_or_unanswered_raises_at_its_beginning(peer, starting, autojump_clock):
    async with peer.opened(timeout=2) as (client, wire), trio.open_nursery() as nursery:
        refused = starting(nursery, follow, client.watch(), [], trio.Event())
        wire.fail(await wire.expect("WATCH"), "INVALID", "watch at least one key")
        with pytest.raises(kv_client.InvalidArgument, match="at least one"):
            await refused.result()
        unanswered = starting(nursery, follow, client.watch("a"), [], trio.Event())
        request = await wire.expect("WATCH")
        with pytest.raises(kv_client.CallTimeout):
            await unanswered.result()
        assert (await wire.expect("CANCEL"))[2] == [request[0]]


async def test_credit_is_granted_as_events_are_taken(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        _, seen, request = await watching(nursery, starting, wire, client.watch("a"))
        window = request[3]["credit"]
        for n in range(window):
            wire.more(request, ["set", 101 + n, "a", encode(n)])
        granted = -1  # the first event was `open`
        while granted < window // 2:
            credit = await wire.expect("CREDIT")
            assert credit[2][0] == request[0]
            granted += credit[2][1]
            wire.reply(credit)
        assert len(seen) <= window
        nursery.cancel_scope.cancel()


async def test_a_watch_that_nobody_reads_grants_nothing(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:

        async def open_it():
            async with client.watch("a"):
                await trio.sleep_forever()

        nursery.start_soon(open_it)
        request = await wire.expect("WATCH")
        wire.more(request, ["open", 1, None, None])
        for n in range(request[3]["credit"] - 1):
            wire.more(request, ["set", 2 + n, "a", encode(n)])
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        assert (await wire.request())[1] == "CANCEL"


async def test_leaving_the_block_ends_the_watch_and_late_events_reach_nobody(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:

        async def one():
            async with client.watch("a") as changes:
                async for change in changes:
                    return change

        first = starting(nursery, one)
        request = await wire.expect("WATCH")
        wire.more(request, ["open", 1, None, None])
        wire.more(request, ["set", 2, "a", encode(1)])
        assert (await first.result()).revision == 2
        cancel = await wire.expect("CANCEL")
        assert cancel[2] == [request[0]]
        wire.more(request, ["set", 3, "a", encode(1)])
        wire.fail(request, "CANCELLED")
        wire.reply(cancel, True)
        call = starting(nursery, client.get, "b")
        wire.reply(await wire.expect("GET"))
        await call.result()
        assert client.statistics().open_calls == 0


@pytest.mark.parametrize("resumed", [True, False])
async def test_after_a_reconnection_the_watch_goes_on_with_a_gap(peer, starting, autojump_clock, resumed):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        watch = client.watch("a")
        _, seen, request = await watching(nursery, starting, wire, watch)
        wire.more(request, ["set", 101, "a", encode(1)])
        await wait_all_tasks_blocked()
        peer.welcome["resumed"] = resumed
        wire.close()
        wire = await peer.wire(1)
        request = await wire.expect("WATCH")
        wire.more(request, ["open", 150, None, None])
        wire.more(request, ["set", 151, "a", encode(2)])
        await trio.sleep(0.1)
        assert seen == [Change("set", 101, "a", 1), Change("gap", 150, None, 101), Change("set", 151, "a", 2)]
        nursery.cancel_scope.cancel()


async def test_where_nothing_changed_meanwhile_there_is_no_gap(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        _, seen, _ = await watching(nursery, starting, wire, client.watch("a"))
        wire.close()
        wire = await peer.wire(1)
        request = await wire.expect("WATCH")
        wire.more(request, ["open", 100, None, None])
        wire.more(request, ["set", 101, "a", encode(2)])
        await trio.sleep(0.1)
        assert [change.kind for change in seen] == ["set"]
        nursery.cancel_scope.cancel()


async def test_a_gap_of_the_server_is_passed_on(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        _, seen, request = await watching(nursery, starting, wire, client.watch("a"))
        wire.more(request, ["gap", 140, None, 120])
        await wait_all_tasks_blocked()
        assert seen == [Change("gap", 140, None, 120)]
        nursery.cancel_scope.cancel()


async def test_a_closed_client_ends_its_watches(peer, starting):
    async with trio.open_nursery() as nursery:
        async with peer.opened() as (client, wire):
            started, _, _ = await watching(nursery, starting, wire, client.watch("a"))
        with pytest.raises(kv_client.ClientClosed):
            await started.result()


async def test_two_tasks_cannot_read_one_watch(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        watch = client.watch("a")
        await watching(nursery, starting, wire, watch)
        await wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="another task"):
            await watch.__anext__()
        nursery.cancel_scope.cancel()
