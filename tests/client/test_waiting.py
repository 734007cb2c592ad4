"""How tasks of trio wait for calls: what is taken from trio's own functions does what they do."""

import gc
from math import inf
from weakref import ref

import trio
import trio.testing
from trio.lowlevel import current_task, reschedule, wait_task_rescheduled

from kv_client._trio.calling import ambient
from kv_client._trio.parking import parking


def same() -> float:
    """When this task will be cancelled, as trio says, and as we say."""
    found = ambient(current_task())
    assert found == trio.current_effective_deadline()
    return found


async def test_the_nearest_deadline_around_a_task_is_seen_as_trio_sees_it(autojump_clock):
    assert same() == inf
    with trio.CancelScope(deadline=50) as outer:
        assert same() == 50
        with trio.CancelScope(deadline=70):
            assert same() == 50
            with trio.CancelScope(shield=True, deadline=90) as inner:
                assert same() == 90
                inner.shield = False
                assert same() == 50
            outer.deadline = 60
            assert same() == 60
            async with trio.open_nursery() as nursery:
                nursery.cancel_scope.deadline = 40
                nursery.start_soon(in_another_task)
                assert same() == 40
            outer.cancel()
            assert same() == -inf
            with trio.CancelScope(shield=True):
                assert same() == inf
    with trio.move_on_after(5):
        assert same() == trio.current_time() + 5
    assert same() == inf


async def in_another_task() -> None:
    assert same() == 40
    with trio.CancelScope(deadline=30):
        assert same() == 30


def test_trio_is_as_the_short_way_to_wait_supposes():
    assert parking() is not wait_task_rescheduled


class Outcome:
    """What a task is sent."""

    def __init__(self, value: object) -> None:
        self.value = value

    def unwrap(self) -> object:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def test_many_tasks_wait_and_go_on_each_with_its_own():
    async def wait(number: int) -> None:
        tasks[number] = current_task()
        try:
            found[number] = await park(lambda _: trio.lowlevel.Abort.SUCCEEDED)
        except KeyError as error:
            found[number] = error
        except trio.Cancelled:
            found[number] = "cancelled"
            raise

    park, tasks, found, wrong = parking(), {}, {}, KeyError()
    async with trio.open_nursery() as nursery:
        for number in range(4):
            nursery.start_soon(wait, number)
        await trio.testing.wait_all_tasks_blocked()
        for number in (2, 0):
            reschedule(tasks[number], Outcome(number))
        await trio.testing.wait_all_tasks_blocked()
        reschedule(tasks[1], Outcome(wrong))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert found == {2: 2, 0: 0, 1: wrong, 3: "cancelled"}


async def test_nothing_is_held_of_a_wait_that_is_over():
    class Asked:
        def __call__(self, _: object) -> trio.lowlevel.Abort:
            return trio.lowlevel.Abort.SUCCEEDED

    async def wait() -> None:
        tasks.append(current_task())
        asked = Asked()
        held.append(ref(asked))
        await park(asked)

    park, tasks, held = parking(), [], []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        reschedule(tasks.pop(), Outcome(None))
    gc.collect()
    assert held[0]() is None
