"""Many threads share one connection: everyone gets the own answers, and nobody holds up another one."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from math import inf
from types import FrameType

import pytest

import kv_client
from kv_client._core.calls import MAX_CALLS
from kv_client.sync import Client
from kv_client.sync._waiting import Until
from tests.client.sync.peers import SECONDS, WELCOME, Peer, start, together


class Interrupt(BaseException):
    """What a signal raises in these tests, as Ctrl-C raises KeyboardInterrupt."""


@pytest.fixture
def interrupt() -> object:
    """A function that interrupts the thread of the test."""

    def raise_it(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGUSR1, raise_it)
    thread = threading.get_ident()
    yield lambda: signal.pthread_kill(thread, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_every_increment_of_eight_threads_counts(client: Client) -> None:
    def work(number: int) -> set[int]:
        return {client.incr("n") for _ in range(1000)}

    seen = together(8, work)
    assert client.get("n") == 8000
    assert set.union(*seen) == set(range(1, 8001))
    assert client.statistics().open_calls == 0


def test_nobody_gets_the_answer_of_another_one(client: Client) -> None:
    def work(number: int) -> None:
        for turn in range(300):
            assert client.echo([number, turn]) == [number, turn]
            if turn % 50 == 0:
                with client.batch() as batch:
                    answers = [batch.echo([number, turn, place]) for place in range(20)]
                assert [answer.result() for answer in answers] == [[number, turn, place] for place in range(20)]

    together(8, work)


def test_who_waits_holds_up_nobody(client: Client) -> None:
    popping = [start(client.blpop, f"jobs:{number}") for number in range(3)]
    with client.lock("held"):
        locking = start(lambda: client.lock("held", wait=SECONDS).__enter__().token)
        while client.statistics().waiting_calls < 4:
            client.ping()
        assert [client.incr("n") for _ in range(50)] == list(range(1, 51))
        for number, pop in enumerate(popping):
            client.list(f"jobs:{number}").push_right(number)
            popped = pop.result(SECONDS)
            assert popped is not None
            assert popped.value == number
        assert not locking.done()
    assert locking.result(SECONDS) > 0


def test_one_thread_follows_changes_while_others_make_them(client: Client) -> None:
    with client.watch(prefix="k") as changes:
        writing = start(together, 4, lambda number: [client.set(f"k{number}", turn) for turn in range(200)])
        seen = [next(changes) for _ in range(800)]
        writing.result(SECONDS)
    for number in range(4):
        assert [change.value for change in seen if change.key == f"k{number}"] == list(range(200))


def test_a_watch_has_one_reader(client: Client) -> None:
    with client.watch("a") as changes:
        first = start(next, changes)
        second = start(next, changes)
        while not (first.done() or second.done()):
            client.ping()
        refused = first if first.done() else second
        with pytest.raises(RuntimeError, match="another thread"):
            refused.result(0)
        client.set("a", 1)
        change = (second if refused is first else first).result(SECONDS)
        assert change.value == 1


def test_batches_that_crowd_a_client_wait_for_room(client: Client) -> None:
    size = MAX_CALLS + 1000

    def work(number: int) -> int:
        with client.batch() as batch:
            sums = [batch.incr(f"n{number}") for _ in range(size)]
        return sums[-1].result()

    assert together(3, work) == [size] * 3
    assert client.statistics().open_calls == 0


@pytest.mark.parametrize("threads", [1, 3])
def test_more_than_the_sockets_hold_goes_both_ways_at_once(client: Client, threads: int) -> None:
    blob = b"x" * 100_000
    waiting = start(client.blpop, "end")

    def work(number: int) -> None:
        with client.batch() as batch:
            echoes = [batch.echo(blob) for _ in range(200)]
        assert all(echo.result() == blob for echo in echoes)

    together(threads, work)
    client.list("end").push_right(1)
    waiting.result(SECONDS)


def test_a_big_call_does_not_wait_for_who_reads(client: Client) -> None:
    waiting = start(client.blpop, "end")
    while client.statistics().waiting_calls < 1:
        client.ping()
    blob = b"x" * 20_000_000
    assert client.echo(blob) == blob
    client.list("end").push_right(1)
    waiting.result(SECONDS)


def test_an_interrupted_pop_leaves_well(peer: Peer, interrupt) -> None:
    with peer.client() as client:
        wire = peer.wire()

        def serve() -> None:
            pop = wire.expect("BLPOP")
            assert peer.ends[0].reading.wait(SECONDS)
            interrupt()
            cancel = wire.expect("CANCEL")
            assert cancel[2] == [pop[0]]
            wire.fail(pop, "CANCELLED")
            wire.reply(cancel, True)

        peer.ends[0].reading.clear()
        serving = start(serve)
        with pytest.raises(Interrupt):
            client.blpop("jobs")
        serving.result(SECONDS)
        asked = start(client.get, "a")
        wire.reply(wire.expect("GET"), b"\x01")
        assert asked.result(SECONDS) == 1
        assert client.statistics().open_calls == 0


def test_who_is_interrupted_hands_the_reading_on(client: Client, interrupt) -> None:
    waiting = []

    def push() -> None:
        while client.statistics().waiting_calls < 1:
            pass
        waiting.append(start(client.blpop, "others"))
        while client.statistics().waiting_calls < 2:
            pass
        interrupt()

    pushing = start(push)
    with pytest.raises(Interrupt):
        client.blpop("mine")
    pushing.result(SECONDS)
    client.list("others").push_right(1)
    assert waiting[0].result(SECONDS).value == 1
    assert client.list("mine").push_right(1) == 1, "nobody waits for it any more"


def test_an_interrupted_read_is_forgotten(peer: Peer, interrupt) -> None:
    with peer.client() as client:
        wire = peer.wire()

        def serve() -> list[object]:
            get = wire.expect("GET")
            assert peer.ends[0].reading.wait(SECONDS)
            interrupt()
            return get

        peer.ends[0].reading.clear()
        serving = start(serve)
        with pytest.raises(Interrupt):
            client.get("a")
        wire.reply(serving.result(SECONDS), b"\x01")
        asked = start(client.get, "b")
        wire.reply(wire.expect("GET"), b"\x02")
        assert asked.result(SECONDS) == 2
        assert client.statistics().late == 1


def test_an_interrupted_send_costs_no_other_call(peer: Peer, interrupt) -> None:
    with peer.client() as client:
        first = peer.wire()
        waiting = start(client.blpop, "jobs")
        pop = first.expect("BLPOP")
        peer.greeting = [1, 0, {**WELCOME, "resumed": True}]
        peer.ends[0].send = lambda *args: interrupt()  # type: ignore[assignment, method-assign]
        with pytest.raises(Interrupt):
            client.get("a")
        second = peer.wire()
        again = second.expect("BLPOP")
        assert again[:2] == pop[:2]
        second.reply(again, ["jobs", b"\x01"])
        assert waiting.result(SECONDS) == ("jobs", 1)


def test_a_reader_that_is_gone_for_good_is_replaced(client: Client) -> None:
    leading = client._link.leading
    leading.leader = Until(lambda: False, inf)  # as two signals leave it, one upon the other
    leading.led_at -= 3600
    assert client.incr("n") == 1
    assert client.incr("n") == 2
    assert client.statistics().connections == 2


def test_a_fork_is_refused_and_does_the_parent_no_harm(client: Client) -> None:
    told, tell = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        said = "nothing"
        try:
            try:
                client.get("a")
            except RuntimeError as error:
                said = str(error)
            client.__exit__(None, None, None)
            os.write(tell, said.encode())
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as pipe:
        assert "another process" in pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert client.incr("n") == 1
    assert client.statistics().connections == 1


def test_a_thread_takes_a_lock_once_and_another_one_waits(client: Client) -> None:
    with client.lock("a"):
        with pytest.raises(RuntimeError, match="this thread holds"):
            client.lock("a").__enter__()
        with pytest.raises(kv_client.LockHeld):
            start(client.lock("a", wait=0).__enter__).result(SECONDS)
