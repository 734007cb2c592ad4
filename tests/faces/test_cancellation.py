"""Calls cancelled at any moment: no wrong answer, no lost element, no connection given up, nothing left open."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

import kv_client as kv

ROUNDS = 50
CALLS = 200


class Caller:
    """Makes one call of each kind, each on what nobody else touches, and knows what it must return."""

    def __init__(self, face, client, wrong, counts):
        self.face = face
        self.client = client
        self.wrong = wrong
        self.counts = counts

    def expect(self, kind, got, wanted):
        self.counts[kind] += 1
        if got != wanted:
            self.wrong.append((kind, got, wanted))

    async def read(self, number):
        self.expect("read", await self.client.get(f"fixed:{number % 100}"), number % 100)

    async def write(self, number):
        version = await self.client.set(f"written:{number}", number)
        self.expect("write", type(version), int)

    async def echo(self, number):
        self.expect("echo", await self.client.echo(f"e{number}"), f"e{number}")

    async def take(self, number):
        self.expect("take", await self.client.getdel(f"absent:{number}", default=number), number)

    async def lock(self, number):
        async with self.client.lock(f"lock:{number % 7}", ttl=60) as held:
            self.expect("lock", held.lost, False)

    async def update(self, number):
        self.expect("update", await self.client.update(f"u:{number}", lambda _: number), number)

    async def batch(self, number):
        async with self.client.batch() as batch:
            calls = [batch.echo(number + shift) for shift in range(5)]
        self.expect("batch", [call.result() for call in calls], [number + shift for shift in range(5)])

    async def transaction(self, number):
        async with self.client.transaction() as tx:
            tx.set(f"t:{number}", number)
            got = tx.get(f"t:{number}")
        self.expect("transaction", got.result(), number)

    async def watch(self, number):
        async with self.client.watch(f"w:{number}") as changes:
            await self.client.set(f"w:{number}", number)
            self.expect("watch", (await anext(changes)).value, number)

    async def listen(self, number):
        async with self.client.subscribe(f"c:{number}") as messages:
            await self.client.publish(f"c:{number}", number)
            self.expect("listen", (await anext(messages)).value, number)

    async def pop(self, number):
        self.expect("pop", await self.client.blpop(f"empty:{number}", wait=0.01), None)

    async def acquire(self, number):
        decision = await self.client.limiter(f"l:{number}", limit=10, per=60).acquire()
        self.expect("acquire", decision.remaining, 9)

    async def once(self, number):
        self.expect("once", await self.client.once(f"o:{number}", lambda: number, lease=60), number)

    async def lead(self, number):
        async with self.client.election(f"e:{number % 5}", ttl=60).lead(number):
            self.expect("lead", await self.client.election(f"e:{number % 5}").leader(), number)


KINDS = [name for name, each in vars(Caller).items() if not name.startswith("_") and name != "expect"]


async def test_ten_thousand_cancelled_calls_do_no_harm(async_face):
    face, dice = async_face, Random(5)
    wrong, counts = [], Counter()
    cancelled = 0
    async with face.connect(name="cancelling") as client, face.connect() as other:
        caller = Caller(face, client, wrong, counts)
        await client.mset({f"fixed:{number}": number for number in range(100)})
        for first in range(0, ROUNDS * CALLS, CALLS):
            async with face.tasks() as tasks:
                started = [
                    tasks.start(getattr(caller, dice.choice(KINDS)), number) for number in range(first, first + CALLS)
                ]
                victims = dice.sample(started, CALLS * 3 // 4)
                while victims:
                    for _ in range(dice.randrange(4)):
                        await face.sleep(0)
                    for _ in range(dice.randrange(1, 40)):
                        if victims:
                            victims.pop().cancel()
            cancelled += sum(task.cancelled for task in started)
        assert not wrong
        assert cancelled >= ROUNDS * CALLS // 10
        assert set(counts) == set(KINDS)
        assert sum(counts.values()) >= ROUNDS * CALLS // 10

        async def idle():
            await client.ping()
            figures = client.statistics()
            return figures.open_calls == figures.waiting_calls == figures.held_locks == 0

        await face.until(idle)
        assert client.statistics().connections == 1
        assert await other.locks() == []
        assert await other.channels() == []
        assert [each.parked for each in await other.clients() if each.client == "cancelling"] == [0]


async def test_a_cancelled_pop_loses_no_element(async_face):
    face, dice = async_face, Random(9)
    elements = 1_000
    got, cancels = [], []

    async def pop(client):
        while True:
            key, value = await client.blpop("q", "r")
            got.append(value)
            assert key in "qr"

    async with face.connect() as client, face.connect() as other:
        async with face.tasks() as tasks:
            poppers = [tasks.start(pop, client) for _ in range(10)]
            for number in range(elements):
                await other.rpush("qr"[number % 2], number)
                for _ in range(dice.randrange(3)):
                    await face.sleep(0)
                victim = dice.randrange(len(poppers))
                poppers[victim].cancel()
                cancels.append(poppers[victim])
                poppers[victim] = tasks.start(pop, client)
            for popper in poppers:
                popper.cancel()
        left = [value for key in "qr" for value in await client.list(key).range(0, -1)]
        assert sum(task.cancelled for task in cancels) == len(cancels)
        assert client.statistics().connections == 1
        await client.ping()
        assert client.statistics().open_calls == 0
    assert sorted(got + left) == list(range(elements))
    assert len(got) > elements // 10


async def test_a_pop_that_has_taken_something_returns_it_although_cancelled(async_face, between):
    face = async_face
    got = []

    async def pop(client):
        got.append((await client.blpop("q")).value)
        await face.sleep(20)
        got.append("not cancelled")

    async with face.connect(face.through(between)) as client, face.connect() as other:
        async with face.tasks() as tasks:
            popping = tasks.start(pop, client)
            await face.until(lambda: client.statistics().waiting_calls == 1 and between.seen("BLPOP") == 1)
            await client.ping()
            between.hold()
            await other.rpush("q", 7)
            popping.cancel()
            await face.until(lambda: between.seen("CANCEL") == 1)
            between.release()
        assert popping.cancelled
        assert got == [7]
        await client.ping()
        assert client.statistics().connections == 1
        assert client.statistics().open_calls == 0


async def test_a_batch_that_is_cancelled_tells_what_it_took(async_face, between):
    face = async_face
    pending = []

    async def work(client):
        async with client.batch() as batch:
            pending.extend([batch.lpop("q"), batch.get("a"), batch.lpop("q")])

    async with face.connect(face.through(between)) as client, face.connect() as other:
        await client.rpush("q", 1, 2, 3)
        between.hold()
        async with face.tasks() as tasks:
            working = tasks.start(work, client)
            await face.until(lambda: between.seen("LPOP") == 2)
            working.cancel()
            await face.until(lambda: between.seen("CANCEL") == 2)
            between.release()
        assert working.cancelled
        assert (pending[0].result(), pending[2].result()) == (1, 2)
        with pytest.raises(kv.CallCancelled):
            pending[1].result()
        assert await other.lrange("q", 0, -1) == [3]


async def test_a_cancelled_waiter_leaves_the_line(async_face):
    face = async_face
    order = []

    async def wait(client, number):
        async with client.lock("a"):
            order.append(number)

    async with face.connect() as client, face.connect() as other:
        async with face.tasks() as tasks:
            async with other.lock("a"):
                waiting = []
                for number in range(5):
                    waiting.append(tasks.start(wait, client, number))
                    await face.until(lambda number=number: client.statistics().waiting_calls == number + 1)
                for number in (0, 3):
                    waiting[number].cancel()
                await face.until(lambda: waiting[0].done and waiting[3].done)
        assert order == [1, 2, 4]
        assert await other.locks() == []


async def test_a_block_that_is_cancelled_releases_its_lock(async_face):
    face = async_face
    entered = face.event()

    async def hold(client):
        async with client.lock("a"):
            entered.set()
            await face.sleep(20)

    async with face.connect() as client, face.connect() as other:
        async with face.tasks() as tasks:
            holding = tasks.start(hold, client)
            await entered.wait()
            holding.cancel()
            await face.until(lambda: holding.done)
            assert holding.cancelled
            async with other.lock("a", wait=0):
                pass


async def test_a_client_is_closed_in_time_by_who_is_cancelled(async_face):
    face = async_face
    opened = face.event()
    clients = []

    async def use():
        async with face.connect() as client:
            clients.append(client)
            async with client.lock("a"), client.watch("b") as changes:
                opened.set()
                await anext(changes)

    async with face.within(10):
        async with face.tasks() as tasks:
            using = tasks.start(use)
            await opened.wait()
            using.cancel()
        assert using.cancelled
        async with face.connect() as other:
            async with other.lock("a", wait=0):
                pass
    with pytest.raises(kv.ClientClosed):
        await clients[0].get("a")


# A cancellation in the moment in which the library's own dialling succeeds may leave the socket to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_a_client_that_is_cancelled_while_it_connects_leaves_nothing(async_face):
    face = async_face

    async def use():
        async with face.connect() as client:
            await client.ping()
            await face.sleep(0)

    for turns in range(40):
        async with face.tasks() as tasks:
            using = tasks.start(use)
            for _ in range(turns):
                await face.sleep(0)
            using.cancel()


async def test_whoever_waits_in_a_crowd_may_leave_it(async_face):
    face = async_face
    async with face.connect() as client:
        async with face.tasks() as tasks:
            calls = [tasks.start(client.get, "a") for _ in range(9_000)]
            await face.sleep(0)
            for call in calls[8_100::3]:
                call.cancel()
        assert sum(call.cancelled for call in calls) >= 200
        async with face.within(5):
            assert await client.set("a", 1)
        assert client.statistics().open_calls == 0


async def test_a_client_belongs_to_where_it_was_opened(async_face):
    face = async_face
    told = []

    async def use(client):
        for call in (client.get("a"), client.incr("n")):
            try:
                await call
            except RuntimeError as error:
                told.append(error)
        for block in (client.lock("a"), client.batch(), client.transaction(), client.watch("a")):
            try:
                async with block:
                    told.append("entered")
            except RuntimeError as error:
                told.append(error)

    async with face.connect() as client:
        await face.elsewhere(use, client)
        assert await client.get("n") is None
    assert len(told) == 6
    for error in told:
        assert type(error) is RuntimeError
        assert "this client belongs to another" in str(error)
