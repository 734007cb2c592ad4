"""The caller's own exceptions leave `connect()` and locks as they were raised; nothing is swallowed, nothing is
wrapped.
"""

import pytest
import trio


class Own(Exception):
    pass


async def test_the_bodys_exception_is_bare(peer):
    with pytest.raises(Own):
        async with peer.client():
            raise Own


async def test_the_bodys_exception_is_bare_while_the_connection_is_down(peer):
    async def body():
        async with peer.client():
            peer.refusals = 100
            peer.wires[0].close()
            await trio.testing.wait_all_tasks_blocked()
            raise Own

    with pytest.raises(Own):
        await body()


async def test_an_outer_cancellation_stays_one(peer, autojump_clock):
    with trio.move_on_after(1) as scope:
        async with peer.client():
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(1)


async def test_an_outer_deadline_during_the_opening_is_honoured(peer, autojump_clock):
    peer.refusals = 1000
    with trio.move_on_after(1) as scope:
        async with peer.client():
            pytest.fail("never opened")
    assert scope.cancelled_caught


async def test_a_group_of_the_body_stays_as_it_is(peer):
    with pytest.RaisesGroup(Own, Own):
        async with peer.client():
            raise ExceptionGroup("mine", [Own(), Own()])


async def test_calls_of_tasks_outside_the_block_end_with_it(peer, starting):
    import kv_client

    async with trio.open_nursery() as nursery:
        async with peer.opened() as (client, wire):
            read = starting(nursery, client.get, "a")
            await wire.expect("GET")
            write = starting(nursery, client.set, "a", 1)
            await wire.expect("SET")
        with pytest.raises(kv_client.ClientClosed):
            await read.result()
        with pytest.raises(kv_client.ConnectionLost) as caught:
            await write.result()
        assert caught.value.maybe_applied


async def test_a_crash_of_the_background_surfaces_bare_and_cancels_the_body(peer, autojump_clock):
    async def crash():
        raise Own("a bug")

    async def body():
        async with peer.client() as client:
            client._lifeline._dial = crash
            peer.wires[0].close()
            await trio.sleep_forever()

    with pytest.raises(Own, match="a bug"):
        await body()


async def test_a_crash_does_not_hide_the_bodys_own_exception(peer, autojump_clock):
    async def crash():
        raise ValueError("a bug")

    async def body():
        async with peer.client() as client:
            client._lifeline._dial = crash
            peer.wires[0].close()
            try:
                await trio.sleep_forever()
            finally:
                raise Own

    with pytest.raises(Own) as caught:
        await body()
    assert "a bug" in caught.value.__notes__[0]


async def test_a_crash_during_the_opening_surfaces_bare(peer):
    async def crash():
        raise Own("a bug")

    peer.dial = crash
    with pytest.raises(Own):
        async with peer.client():
            pytest.fail("never opened")
