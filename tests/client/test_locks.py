"""A lock's life at the client: taken, renewed, lost in every way, given back; and what its block gets to see."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import kv_client


class Own(Exception):
    pass


class Holder:
    """A task that holds a lock, and what became of it."""

    def __init__(self, client, name="invoice:7", body=None, **options):
        self.lock = client.lock(name, **options)
        self.body = body or trio.sleep_forever
        self.entered = trio.Event()
        self.done = trio.Event()
        self.cancelled = False
        self.held = self.error = self.ended_at = None

    async def run(self):
        try:
            async with self.lock as self.held:
                self.entered.set()
                try:
                    await self.body()
                except trio.Cancelled:
                    self.cancelled = True
                    self.ended_at = trio.current_time()
                    raise
        except Exception as error:
            self.error = error
        finally:
            self.done.set()


def hold(nursery, client, *args, **options):
    holder = Holder(client, *args, **options)
    nursery.start_soon(holder.run)
    return holder


async def grant(wire, token=500, lease=15_000):
    request = await wire.expect("LOCK")
    wire.reply(request, [token, lease])
    return request


async def test_it_is_asked_for_held_and_given_back(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        go = trio.Event()
        holder = hold(nursery, client, body=go.wait)
        request = await grant(wire)
        assert request[2:4] == [["invoice:7"], {"ttl": 15_000}]
        await holder.entered.wait()
        held = holder.held
        assert (held.name, held.token, held.fence, held.lost) == ("invoice:7", 500, ("invoice:7", 500), False)
        assert 14 < held.remaining() < 15
        go.set()
        unlock = await wire.expect("UNLOCK")
        assert unlock[2] == ["invoice:7", 500]
        await wait_all_tasks_blocked()
        assert not holder.done.is_set()
        wire.reply(unlock)
        await holder.done.wait()
        assert holder.error is None
        assert client.statistics().held_locks == 0


async def test_a_held_lock_is_a_fence(peer, starting, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client)
        await grant(wire)
        await holder.entered.wait()
        starting(nursery, client.set, "a", 1, fence=holder.held)
        request = await wire.expect("SET")
        assert request[4][5] == ["invoice:7", 500]
        wire.reply(request, 1)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "wait, options", [(None, {"ttl": 2000}), (0, {"ttl": 2000, "wait": 0}), (3.5, {"ttl": 2000, "wait": 3500})]
)
async def test_the_wait_travels(peer, wait, options):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=2, wait=wait)
        request = await wire.expect("LOCK")
        assert request[3] == options
        wire.fail(request, "LOCK_HELD", "by somebody", {"owner": "other", "remaining": 1234})
        await holder.done.wait()
        assert isinstance(holder.error, kv_client.LockHeld)
        assert (holder.error.owner, holder.error.remaining) == ("other", 1.234)
        assert not holder.entered.is_set()


async def test_it_is_renewed_every_third_of_its_lease(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3)
        await grant(wire, lease=3000)
        for n in range(1, 6):
            extend = await wire.expect("EXTEND")
            assert extend[2] == [3000, ["invoice:7", 500]]
            assert trio.current_time() == pytest.approx(n, abs=0.02)
            wire.reply(extend, [3000])
        assert not holder.done.is_set()
        nursery.cancel_scope.cancel()


async def test_all_locks_of_a_namespace_are_renewed_in_one_call(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        for n in range(3):
            hold(nursery, client, f"lock{n}", ttl=3)
            await grant(wire, 500 + n, 3000)
            await trio.sleep(0.1)
        hold(nursery, client.ns("other"), "elsewhere", ttl=3)
        await grant(wire, 600, 3000)
        extend = await wire.expect("EXTEND")
        assert extend[2] == [3000, ["lock0", 500], ["lock1", 501], ["lock2", 502]]
        wire.reply(extend, [3000] * 3)
        extend = await wire.expect("EXTEND")
        assert extend[2] == [3000, ["elsewhere", 600]]
        assert extend[4][4] == "other"
        wire.reply(extend, [3000])
        nursery.cancel_scope.cancel()


async def test_without_renewal_the_lease_runs_out_and_cancels_the_block(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3, renew=False)
        await grant(wire, lease=3000)
        await holder.done.wait()
        assert holder.cancelled
        assert holder.ended_at == pytest.approx(2.75, abs=0.02)  # before the server's end
        assert isinstance(holder.error, kv_client.LockLost)
        assert holder.error.details == {"lock": "invoice:7", "token": 500, "reason": "time"}


async def test_renewals_without_an_answer_end_in_the_loss_before_the_lease_does(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3)
        await grant(wire, lease=3000)
        wire.reply(await wire.expect("EXTEND"), [3000])  # at 1.0
        peer.refusals = 10_000
        await holder.done.wait()
        assert holder.ended_at == pytest.approx(3.75, abs=0.05)
        assert isinstance(holder.error, kv_client.LockLost)


async def test_a_lost_connection_is_no_lost_lock_if_it_comes_back_in_time(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3)
        await grant(wire, lease=3000)
        await holder.entered.wait()
        peer.welcome["resumed"] = True
        wire.close()
        wire = await peer.wire(1)
        extend = await wire.expect("EXTEND")  # asked about at once
        assert trio.current_time() < 0.5
        wire.reply(extend, [3000])
        await trio.sleep(0.5)
        assert not holder.done.is_set()
        nursery.cancel_scope.cancel()


async def test_a_push_cancels_the_block_at_once(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client)
        await grant(wire)
        await holder.entered.wait()
        wire.push("LOCK_LOST", "shop", "other", 500, "broken")
        wire.push("LOCK_LOST", "shop", "invoice:7", 499, "expired")
        await trio.sleep(0.1)
        assert not holder.done.is_set()
        wire.push("LOCK_LOST", "shop", "invoice:7", 500, "broken")
        await holder.done.wait()
        assert holder.cancelled
        assert holder.held.lost
        assert holder.held.remaining() == 0
        assert isinstance(holder.error, kv_client.LockLost)
        assert "broken by an operator" in str(holder.error)


async def test_the_answer_to_a_renewal_cancels_the_block(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3)
        await grant(wire, lease=3000)
        wire.reply(await wire.expect("EXTEND"), [None])
        await holder.done.wait()
        assert holder.error.details["reason"] == "unheld"


async def test_another_epoch_cancels_the_block(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client)
        await grant(wire)
        await holder.entered.wait()
        peer.welcome["epoch"] = 8
        wire.close()
        await peer.wire(1)
        await holder.done.wait()
        assert holder.error.details["reason"] == "restart"


async def test_what_the_server_says_at_the_release_is_told_too(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, body=trio.lowlevel.checkpoint)
        await grant(wire)
        wire.fail(await wire.expect("UNLOCK"), "LOCK_LOST")
        await holder.done.wait()
        assert isinstance(holder.error, kv_client.LockLost)


async def test_the_bodys_exception_wins_over_the_loss_and_is_bare(peer):
    async def body():
        try:
            await trio.sleep_forever()
        finally:
            raise Own

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, body=body)
        await grant(wire)
        await holder.entered.wait()
        wire.push("LOCK_LOST", "shop", "invoice:7", 500, "expired")
        await holder.done.wait()
        assert type(holder.error) is Own


async def test_the_bodys_exception_is_bare_and_the_lock_is_given_back(peer):
    async def body():
        raise Own

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, body=body)
        await grant(wire)
        wire.fail(await wire.expect("UNLOCK"), "INTERNAL", "whatever")
        await holder.done.wait()
        assert type(holder.error) is Own


async def test_an_outer_cancellation_stays_one_and_gives_the_lock_back(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = Holder(client)
        outer = starting(nursery, holder.run)
        await grant(wire)
        await holder.entered.wait()
        outer.scope.cancel()
        wire.reply(await wire.expect("UNLOCK"))
        await outer.done.wait()
        assert outer.scope.cancelled_caught
        assert holder.cancelled
        assert holder.error is None


async def test_an_outer_cancellation_and_a_loss_at_once_are_a_cancellation(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = Holder(client)
        outer = starting(nursery, holder.run)
        await grant(wire)
        await holder.entered.wait()
        holder.lock._lease.lose("broken")
        outer.scope.cancel()
        await outer.done.wait()
        assert outer.scope.cancelled_caught
        assert holder.error is None


async def test_a_cancelled_client_still_gives_its_lock_back(peer, starting):
    async def work():
        async with peer.client() as client, client.lock("invoice:7"):
            entered.set()
            await trio.sleep_forever()

    entered = trio.Event()
    async with trio.open_nursery() as nursery:
        outer = starting(nursery, work)
        wire = await peer.wire(0)
        await grant(wire)
        await entered.wait()
        outer.scope.cancel()
        wire.reply(await wire.expect("UNLOCK"))
        await outer.done.wait()
        assert outer.scope.cancelled_caught


async def test_a_release_without_an_answer_takes_a_second_and_hides_nothing(peer, autojump_clock):
    async def body():
        raise Own

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, body=body)
        await grant(wire)
        await wire.expect("UNLOCK")
        began = trio.current_time()
        await holder.done.wait()
        assert trio.current_time() - began == pytest.approx(1, abs=0.01)
        assert type(holder.error) is Own


async def test_a_release_while_disconnected_reaches_the_server_later(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        go = trio.Event()
        holder = hold(nursery, client, body=go.wait)
        await grant(wire)
        await holder.entered.wait()
        peer.refusals = 15
        peer.welcome["resumed"] = True
        wire.close()
        await wait_all_tasks_blocked()
        go.set()
        await holder.done.wait()
        assert holder.error is None
        wire = await peer.wire(1)
        assert (await wire.expect("UNLOCK"))[2] == ["invoice:7", 500]


async def test_the_same_task_cannot_take_it_twice(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:

        async def body():
            async with client.lock("invoice:7"):
                pytest.fail("held twice")

        holder = hold(nursery, client, body=body)
        await grant(wire)
        wire.reply(await wire.expect("UNLOCK"))
        await holder.done.wait()
        assert isinstance(holder.error, RuntimeError)
        assert "not reentrant" in str(holder.error)


async def test_another_task_of_the_client_waits_its_turn_at_the_server(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        first = hold(nursery, client)
        await grant(wire)
        await first.entered.wait()
        second = hold(nursery, client)
        request = await wire.expect("LOCK")
        await wait_all_tasks_blocked()
        assert not second.entered.is_set()
        wire.reply(request, [501, 15_000])
        await second.entered.wait()
        nursery.cancel_scope.cancel()


async def test_a_cancelled_wait_is_withdrawn(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = Holder(client)
        waiting = starting(nursery, holder.run)
        request = await wire.expect("LOCK")
        waiting.scope.cancel()
        cancel = await wire.expect("CANCEL")
        wire.fail(request, "CANCELLED")
        wire.reply(cancel, True)
        await waiting.done.wait()
        assert waiting.scope.cancelled_caught
        assert not holder.entered.is_set()


async def test_a_grant_that_crosses_the_cancel_is_given_back(peer, starting):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = Holder(client)
        waiting = starting(nursery, holder.run)
        request = await wire.expect("LOCK")
        waiting.scope.cancel()
        cancel = await wire.expect("CANCEL")
        wire.reply(request, [500, 15_000])
        wire.reply(cancel, False)
        wire.reply(await wire.expect("UNLOCK"))
        await waiting.done.wait()
        assert waiting.scope.cancelled_caught


async def test_after_a_long_wait_the_lease_is_confirmed_before_the_block_begins(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3)
        request = await wire.expect("LOCK")
        wire.reply(await wire.expect("TIME"), [0, 0])  # after 15 s of silence
        wire.reply(request, [500, 3000])
        extend = await wire.expect("EXTEND")
        await wait_all_tasks_blocked()
        assert not holder.entered.is_set()
        wire.reply(extend, [3000])
        await holder.entered.wait()
        assert holder.held.remaining() > 2.5
        nursery.cancel_scope.cancel()


async def test_a_lease_that_ended_on_its_way_is_asked_for_again(peer, autojump_clock):
    async with peer.opened(timeout=60) as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3)
        request = await wire.expect("LOCK")
        await trio.sleep(10)
        wire.reply(request, [500, 3000])
        wire.reply(await wire.expect("EXTEND"), [None])
        wire.reply(await wire.expect("LOCK"), [501, 3000])
        await holder.entered.wait()
        assert holder.held.token == 501
        nursery.cancel_scope.cancel()


async def test_a_wait_survives_the_loss_of_its_session(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client)
        await wire.expect("LOCK")
        wire.close()
        wire = await peer.wire(1)
        await grant(wire, 700)
        await holder.entered.wait()
        assert holder.held.token == 700
        nursery.cancel_scope.cancel()


async def test_max_hold_ends_the_block_however_well_it_is_renewed(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, ttl=3, max_hold=2.5)
        await grant(wire, lease=3000)
        while (request := await wire.request())[1] == "EXTEND":
            wire.reply(request, [3000])
        assert request[1] == "UNLOCK"
        wire.reply(request)
        await holder.done.wait()
        assert holder.ended_at == pytest.approx(2.5, abs=0.02)
        assert holder.error.details["reason"] == "max_hold"


async def test_on_lost_ignore_lets_the_block_finish(peer, autojump_clock):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        go = trio.Event()
        holder = hold(nursery, client, body=go.wait, on_lost="ignore")
        await grant(wire)
        await holder.entered.wait()
        wire.push("LOCK_LOST", "shop", "invoice:7", 500, "expired")
        await trio.sleep(0.1)
        assert holder.held.lost
        go.set()
        await holder.done.wait()
        assert holder.error is None


async def test_on_lost_calls_a_function_once(peer, autojump_clock):
    told = []
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        go = trio.Event()
        holder = hold(nursery, client, body=go.wait, on_lost=told.append)
        await grant(wire)
        await holder.entered.wait()
        wire.push("LOCK_LOST", "shop", "invoice:7", 500, "expired")
        wire.push("LOCK_LOST", "shop", "invoice:7", 500, "expired")
        await trio.sleep(0.1)
        assert told == [holder.held]
        go.set()
        await holder.done.wait()
        assert holder.error is None


async def test_an_error_of_that_function_is_raised_at_the_end_of_the_block(peer, autojump_clock):
    def complain(held):
        raise Own

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        go = trio.Event()
        holder = hold(nursery, client, body=go.wait, on_lost=complain)
        await grant(wire)
        await holder.entered.wait()
        wire.push("LOCK_LOST", "shop", "invoice:7", 500, "expired")
        await trio.sleep(0.1)
        go.set()
        await holder.done.wait()
        assert type(holder.error) is Own


async def test_a_loss_noticed_late_cancels_at_the_first_checkpoint(peer, autojump_clock):
    """As after SIGSTOP: the lease has ended while nothing ran; the block must not get to send anything."""

    async def body():
        autojump_clock.jump(20)  # no checkpoint in between
        await client.set("a", 1)

    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, body=body)
        await grant(wire)
        await holder.done.wait()
        assert holder.cancelled
        assert isinstance(holder.error, kv_client.LockLost)
        assert (await wire.request())[1] in ("UNLOCK", "EXTEND", "TIME")
        assert client.statistics().sent <= 3


async def test_a_wait_inside_a_lock_is_not_bound_to_the_lease(peer, autojump_clock):
    """The lease moves on with each renewal; a deadline sent to the server would not."""
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:

        async def body():
            async with client.lock("inner"):
                pass

        hold(nursery, client, body=body)
        await grant(wire)
        request = await wire.expect("LOCK")
        assert 1 not in request[4]
        nursery.cancel_scope.cancel()


async def test_wrong_arguments_are_refused_before_anything_is_sent(peer):
    async with peer.opened() as (client, _):
        for options in ({"ttl": 0}, {"ttl": -1}, {"ttl": "1"}, {"wait": -1}, {"on_lost": "explode"}):
            with pytest.raises(kv_client.InvalidArgument):
                client.lock("a", **options)


async def test_a_lock_object_is_used_once(peer):
    async with peer.opened() as (client, wire), trio.open_nursery() as nursery:
        holder = hold(nursery, client, body=trio.lowlevel.checkpoint)
        await grant(wire)
        wire.reply(await wire.expect("UNLOCK"))
        await holder.done.wait()
        with pytest.raises(RuntimeError, match="once"):
            await holder.lock.__aenter__()
