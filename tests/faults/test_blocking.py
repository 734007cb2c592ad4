"""Five hundred calls that wait, over both doors; some are cancelled, cut off, killed: served in order, nothing lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
import trio
from attrs import Factory, define

import kv_client
from tests.faults.processes import Server
from tests.faults.proxy import Proxy, one_in, proxy
from tests.faults.text_caller import TextCaller

LISTS, ZSETS, STREAMS = 36, 7, 7
PLACES = 10  # that many wait at each key
DIRECT, PROXIED = 7, 8  # the places of native calls; the others are of the text door
PUSHED = 8  # while calls end; as many again later, so that whoever still waits is served
LEFT = 0.4  # of the calls are made to end while elements come
PARKER = Path(__file__).with_name("parker.py")

WORDS = {
    "list": ("BLPOP", "BRPOP", "BLMPOP", "BLMOVE"),
    "zset": ("BZPOPMIN", "BZPOPMAX"),
    "stream": ("XREADGROUP",),
}


@define(eq=False)
class Key:
    """What was pushed to one key, who got what of it, and who ended without having heard what it was told last."""

    name: str
    kind: str
    pushed: list[str] = Factory(list)
    begun: dict[str, float] = Factory(dict)
    received: dict[str, Waiter] = Factory(dict)
    crashed: list[float] = Factory(list)

    def push(self) -> tuple[str, ...]:
        """The call that pushes one more element."""
        element = f"{self.name}#{len(self.pushed)}"
        self.pushed.append(element)
        self.begun[element] = trio.current_time()
        if self.kind == "list":
            return "RPUSH", self.name, element
        if self.kind == "zset":
            return "ZADD", self.name, str(len(self.pushed)), element
        return "XADD", self.name, "*", "element", element


@define(eq=False)
class Waiter:
    """One call: the *place* it waits at in the line of its key, what ends it early, what it got."""

    key: Key
    place: int
    word: str
    end: Callable[[], Awaitable[None]] | None = None
    ended: bool = False
    over: bool = False

    def words(self) -> tuple[str, ...]:
        """The call as text clients make it."""
        name = self.key.name
        if self.word == "BLMPOP":
            return self.word, "0", "1", name, "LEFT"
        if self.word == "BLMOVE":
            return self.word, name, f"moved:{name}", "LEFT", "RIGHT", "0"
        if self.word == "XREADGROUP":
            return self.word, "GROUP", "g", f"c{self.place}", "COUNT", "1", "BLOCK", "0", "STREAMS", name, ">"
        return self.word, name, "0"

    def got(self, reply: Any) -> None:
        """Note the element in what a text client was answered."""
        if reply is None:
            return
        assert type(reply) is str if self.word == "BLMOVE" else type(reply) is list, reply
        element = reply
        if self.word == "XREADGROUP":
            element = reply[0][1][0][1][1]
        elif self.word != "BLMOVE":
            element = reply[1][0] if self.word == "BLMPOP" else reply[1]
        self.note(element)

    def note(self, element: str) -> None:
        assert element not in self.key.received, f"{element} was given twice"
        self.key.received[element] = self

    async def ask(self, client: kv_client.Client) -> None:
        """Make the call natively."""
        name = self.key.name
        found: Any
        if self.word == "BLMOVE":
            found = await client.blmove(name, f"moved:{name}", "LEFT", "RIGHT")
        elif self.word == "BLMPOP":
            taken = await client.blmpop([name], "LEFT")
            found = taken and taken.values[0]
        elif self.word == "XREADGROUP":
            read = await client.xreadgroup("g", f"c{self.place}", (name, ">"), count=1, block=0)
            found = read and read[name][0].fields["element"]
        elif self.key.kind == "zset":
            member = await (client.bzpopmin if self.word == "BZPOPMIN" else client.bzpopmax)(name)
            found = member and member.member
        else:
            popped = await (client.blpop if self.word == "BLPOP" else client.brpop)(name)
            found = popped and popped.value
        if found is not None:
            self.note(found)


class Crowd:
    """All who wait in one round, what they wait for, and how they are made to end."""

    def __init__(self, server: Server, number: int, dice: Random, clients: list[kv_client.Client]) -> None:
        self.port = server.port
        self.dice = dice
        self.clients = clients
        kinds = ["list"] * LISTS + ["zset"] * ZSETS + ["stream"] * STREAMS
        self.keys = [Key(f"{kind}:{number}:{at}", kind) for at, kind in enumerate(kinds)]
        self.waiters: list[Waiter] = []
        self.parker: trio.Process | None = None

    # ---- beginning
    async def wait_in_order(self, admin: TextCaller, watcher: kv_client.Client, nursery: trio.Nursery) -> None:
        """Let all wait, at each key one behind the other, as the server has it."""
        for key in self.keys:
            if key.kind == "stream":
                assert await admin.ask("XGROUP", "CREATE", key.name, "g", "$", "MKSTREAM") == "+OK"
        for place in range(PLACES):
            for key in self.keys:
                waiter = Waiter(key, place, self.dice.choice(WORDS[key.kind]))
                self.waiters.append(waiter)
                await self.begin(waiter, admin, nursery)
            await until_waiting(watcher, len(self.waiters))
        names = [key.name for key in self.keys[:5]]
        command = [sys.executable, str(PARKER), str(self.port), *names]
        self.parker = await nursery.start(partial(trio.run_process, command, check=False))
        await until_waiting(watcher, len(self.waiters) + 2 * len(names))

    async def begin(self, waiter: Waiter, admin: TextCaller, nursery: trio.Nursery) -> None:
        if waiter.place in (DIRECT, PROXIED):
            client = self.clients[waiter.place == PROXIED]
            scope = trio.CancelScope()
            waiter.end = partial(self.cancel, scope)
            nursery.start_soon(self.wait_natively, waiter, client, scope)
            return
        caller = await TextCaller.dial(self.port)
        number = await caller.ask("CLIENT", "ID")
        ends = (self.reset, self.hang_up, self.unblock, self.kill)
        waiter.end = partial(self.dice.choice(ends), waiter, caller, admin, str(number))
        nursery.start_soon(self.wait_as_text, waiter, caller)

    async def wait_as_text(self, waiter: Waiter, caller: TextCaller) -> None:
        async with caller.stream:
            try:
                waiter.got(await caller.ask(*waiter.words()))
            except EOFError:
                assert waiter.ended, "the server closed a connection"
            waiter.over = True

    async def wait_natively(self, waiter: Waiter, client: kv_client.Client, scope: trio.CancelScope) -> None:
        with scope:
            await waiter.ask(client)
        waiter.over = True

    # ---- ends
    async def cancel(self, scope: trio.CancelScope) -> None:
        scope.cancel()

    async def reset(self, waiter: Waiter, caller: TextCaller, admin: TextCaller, number: str) -> None:
        caller.reset()
        waiter.key.crashed.append(trio.current_time())

    async def hang_up(self, waiter: Waiter, caller: TextCaller, admin: TextCaller, number: str) -> None:
        await caller.hang_up()

    async def unblock(self, waiter: Waiter, caller: TextCaller, admin: TextCaller, number: str) -> None:
        await admin.ask("CLIENT", "UNBLOCK", number)

    async def kill(self, waiter: Waiter, caller: TextCaller, admin: TextCaller, number: str) -> None:
        await admin.ask("CLIENT", "KILL", "ID", number)

    async def disturb(self, admin: TextCaller) -> None:
        """Make some end, one after the other, and in the middle of it a whole process."""
        chosen = self.dice.sample(self.waiters, int(LEFT * len(self.waiters)))
        for at, waiter in enumerate(chosen):
            for _ in range(self.dice.randrange(8)):
                await trio.lowlevel.checkpoint()
            if not waiter.over:
                waiter.ended = True
                assert waiter.end is not None
                await waiter.end()
            if at == len(chosen) // 2:
                await self.crash()

    async def crash(self) -> None:
        assert self.parker is not None
        self.parker.kill()
        await self.parker.wait()
        for key in self.keys[:5]:
            key.crashed += [trio.current_time()] * 2

    # ---- elements
    async def push(self, pusher: TextCaller, keys: list[Key]) -> None:
        """Push to *keys* in any order, without waiting for each answer."""
        turns = [key for key in keys for _ in range(PUSHED)]
        self.dice.shuffle(turns)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear_all, pusher, len(turns))
            for key in turns:
                await pusher.send(*key.push())
                for _ in range(self.dice.randrange(6)):
                    await trio.lowlevel.checkpoint()

    async def push_natively(self, client: kv_client.Client, keys: list[Key]) -> None:
        for _ in range(PUSHED):
            for key in keys:
                await client.rpush(key.name, key.push()[2])

    async def push_all(self, pushers: list[TextCaller], client: kv_client.Client) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.push_natively, client, self.keys[:5])
            for at, pusher in enumerate(pushers):
                nursery.start_soon(self.push, pusher, self.keys[5 + at :: len(pushers)])

    # ---- what must hold
    async def check(self, admin: TextCaller) -> None:
        for key in self.keys:
            places = [
                waiter.place
                for element in key.pushed
                if (waiter := key.received.get(element)) is not None and waiter.place != PROXIED
            ]
            assert places == sorted(set(places)), f"{key.name} was not served in order: {places}"
            if key.kind == "stream":
                await self.check_stream(key, admin)
            else:
                await self.check_taken(key, admin)

    async def check_taken(self, key: Key, admin: TextCaller) -> None:
        """Every element is in one place; lost can only be what was on its way to who crashed at that moment."""
        word = "LRANGE" if key.kind == "list" else "ZRANGE"
        left, moved = [await admin.ask(word, name, "0", "-1") for name in (key.name, f"moved:{key.name}")]
        assert isinstance(left, list)
        assert isinstance(moved, list)
        assert not set(left) & set(key.received), f"{key.name}: given, and still there"
        assert len(set(left + moved)) == len(left + moved), f"{key.name}: twice there"
        assert {element for element, waiter in key.received.items() if waiter.word == "BLMOVE"} <= set(moved)
        lost = set(key.pushed) - set(left) - set(moved) - set(key.received)
        assert len(lost) <= len(key.crashed), f"{key.name}: {lost} lost by {len(key.crashed)}"
        late = {element for element in lost if key.begun[element] > max(key.crashed)}
        assert not late, f"{key.name}: {late} given to who was known to be gone"

    async def check_stream(self, key: Key, admin: TextCaller) -> None:
        """Every entry is held by whom it was given to, or has not been given to anybody."""
        entries: Any = await admin.ask("XRANGE", key.name, "-", "+")
        rows: Any = await admin.ask("XPENDING", key.name, "g", "-", "+", "1000")
        held = {entry: consumer for entry, consumer, _, _ in rows}
        for entry, (_, element) in entries:
            waiter = key.received.get(element)
            assert waiter is None or held[entry] == f"c{waiter.place}"
        fresh: Any = await admin.ask("XREADGROUP", "GROUP", "g", "last", "STREAMS", key.name, ">")
        given = {element for _, (_, element) in fresh[0][1]} if fresh else set()
        assert len(entries) == len(key.pushed) == len(held) + len(given)


async def hear_all(pusher: TextCaller, count: int) -> None:
    for _ in range(count):
        await pusher.hear()


async def until_waiting(watcher: kv_client.Client, count: int) -> None:
    """Return when so many calls wait in the server."""
    with trio.fail_after(10):
        while (found := (await watcher.info("engine"))["engine"]["waiting_calls"]) != count:
            assert found < count


async def one_round(server: Server, between: Proxy, number: int, dice: Random) -> Crowd:
    async with (
        kv_client.connect(server.url("0")) as direct,
        kv_client.connect(server.url("0", between.port), timeout=30) as proxied,
    ):
        crowd = Crowd(server, number, dice, [direct, proxied])
        admin = await TextCaller.dial(server.port)
        pushers = [await TextCaller.dial(server.port) for _ in range(4)]
        assert await admin.ask("FLUSHALL") == "+OK"
        async with trio.open_nursery() as nursery:
            await crowd.wait_in_order(admin, direct, nursery)
            between.cut_soon = one_in(8, dice)
            async with trio.open_nursery() as busy:
                busy.start_soon(crowd.disturb, admin)
                busy.start_soon(crowd.push_all, pushers, direct)
            between.cut_soon = lambda: False
            await crowd.push_all(pushers, direct)
        await until_waiting(direct, 0)
        await crowd.check(admin)
        for caller in (admin, *pushers):
            await caller.stream.aclose()
    return crowd


async def rounds(server: Server, count: int, dice: Random) -> None:
    received = cuts = 0
    async with proxy(server.port) as between:
        for number in range(count):
            crowd = await one_round(server, between, number, dice)
            received += sum(len(key.received) for key in crowd.keys)
        cuts = between.cuts
    assert received >= count * PLACES * len(crowd.keys) * (1 - LEFT)
    assert cuts


async def test_five_hundred_callers_are_served_in_order_and_nothing_is_lost(server: Server) -> None:
    await rounds(server, 2, Random(3))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
async def test_callers_are_served_in_order_and_nothing_is_lost_for_long(server: Server, seed: int) -> None:
    await rounds(server, 8, Random(seed))


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """The server does nothing while the block runs; then it finds all that has come at once."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.mark.parametrize("ending", ["reset", "hang up", "hang up behind a call"])
async def test_who_was_gone_before_the_push_takes_nothing(server: Server, ending: str) -> None:
    async with kv_client.connect(server.url("0")) as watcher:
        early, admin = await TextCaller.dial(server.port), await TextCaller.dial(server.port)
        keys = [Key(f"{kind}:{ending}:{at}", kind) for kind in ("list", "zset") for at in range(10)]
        waiters = [
            Waiter(key, place, WORDS[key.kind][place % len(WORDS[key.kind])]) for key in keys for place in range(4)
        ]
        callers = [await TextCaller.dial(server.port) for _ in waiters]
        for caller, waiter in zip(callers, waiters, strict=True):
            await caller.send(*waiter.words())
        await until_waiting(watcher, len(waiters))
        late = await TextCaller.dial(server.port)
        await late.ask("PING")
        with stopped(server):
            for caller, waiter in zip(callers, waiters, strict=True):
                if ending == "reset":
                    caller.reset()
                    continue
                if ending != "hang up":
                    await caller.send("DEL", waiter.key.name)
                await caller.hang_up()
            for at, key in enumerate(keys):
                await (early if at % 2 else late).send(*key.push())
        for at in range(len(keys)):
            assert await (early if at % 2 else late).hear() == 1
        for key in keys:
            assert await admin.ask("LRANGE" if key.kind == "list" else "ZRANGE", key.name, "0", "-1") == key.pushed
        for caller in (*callers, early, late, admin):
            await caller.stream.aclose()
