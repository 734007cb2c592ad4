"""Pops that wait: in the order of asking, one value to one caller, nothing lost and nothing twice; on both doors."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_protocol.messages import SEQ
from kv_protocol.values import encode
from kv_server.engine.engine import PARKED
from tests.engine.profile import examples
from tests.engine.rig import Client, Present, Rig, readable, recount
from tests.engine.text_line import TextLine

POPS = {"BLPOP": "LEFT", "BRPOP": "RIGHT"}


@pytest.fixture
def rig() -> Rig:
    return Rig()


def heard(client: Client, word: str = "BLPOP") -> list[Any]:
    """What the calls of *client* that waited were answered."""
    form = client.rig.catalog[word].reply
    return [readable(form, reply) for _, _, reply in client.outbox.take("deliver")]


# ---- natively
def test_a_value_goes_to_who_has_waited_longest(rig: Rig) -> None:
    first, second, third, giver = [rig.connect() for _ in range(4)]
    assert first.call("BLPOP", "l") is PARKED
    assert second.call("BRPOP", "l") is PARKED
    assert third.call("BLPOP", "l") is PARKED
    assert giver.call("RPUSH", "l", 1, 2, 3, 4) == 4
    assert heard(first) == [(b"l", 1)]
    assert heard(second) == [(b"l", 4)]
    assert heard(third) == [(b"l", 2)]
    assert giver.call("LRANGE", "l", 0, -1) == [3]


def test_one_push_wakes_exactly_one(rig: Rig) -> None:
    waiting = [rig.connect() for _ in range(5)]
    for client in waiting:
        assert client.call("BLPOP", "l") is PARKED
    rig.connect().call("RPUSH", "l", "only")
    assert [heard(client) for client in waiting] == [[(b"l", "only")], [], [], [], []]


def test_the_first_listed_key_wins_when_several_have_values(rig: Rig) -> None:
    client = rig.connect()
    client.call("RPUSH", "b", "in b")
    client.call("RPUSH", "a", "in a")
    assert client.call("BLPOP", "none", "a", "b") == (b"a", "in a")
    assert client.call("BLMPOP", ["none", "b", "a"], "LEFT") == (b"b", ["in b"])


def test_no_time_to_wait_tries_once(rig: Rig) -> None:
    client = rig.connect()
    assert client.call("BLPOP", "l", wait=0) is None
    assert client.call("BLMOVE", "l", "m", "LEFT", "LEFT", wait=0) is None
    assert client.call("BLMPOP", ["l"], "LEFT", wait=0) is None
    assert rig.commits == []


def test_a_wait_ends_with_nothing_when_its_time_is_over_and_not_before(rig: Rig) -> None:
    client = rig.connect()
    assert client.call("BLPOP", "l", wait=50) is PARKED
    rig.advance(49)
    assert client.outbox.heard == []
    rig.advance(1)
    assert heard(client) == [None]
    client.call("RPUSH", "l", 1)
    assert client.call("LLEN", "l") == 1
    assert client.outbox.heard == []


def test_without_a_bound_it_waits_for_ever(rig: Rig) -> None:
    client = rig.connect()
    assert client.call("BLPOP", "l") is PARKED
    rig.settle(10**9)
    assert client.outbox.heard == []
    client.call("RPUSH", "l", 1)
    assert heard(client) == [(b"l", 1)]


def test_who_is_cancelled_or_gone_takes_nothing(rig: Rig) -> None:
    cancelled, gone, last = [rig.connect() for _ in range(3)]
    for client in (cancelled, gone, last):
        client.call("BLPOP", "l")
    assert cancelled.cancel(rig.last_id - 2)
    gone.detach()
    cancelled.outbox.heard.clear()
    last.call("RPUSH", "l", 1)
    assert cancelled.outbox.heard == gone.outbox.heard == []
    assert heard(last) == [(b"l", 1)]


def test_who_is_known_to_be_gone_takes_nothing_though_nobody_has_read_that_yet(rig: Rig) -> None:
    gone, next_one, giver = [rig.connect() for _ in range(3)]
    assert gone.call("BLPOP", "l", wait=50) is PARKED
    assert next_one.call("BLPOP", "l") is PARKED
    gone.outbox.gone = True
    giver.call("RPUSH", "l", 1)
    rig.advance(50)
    assert gone.outbox.heard == []
    assert heard(next_one) == [(b"l", 1)]


def test_a_value_moves_through_a_chain_of_waiting_calls_in_one_step(rig: Rig) -> None:
    end, middle, start = [rig.connect() for _ in range(3)]
    assert end.call("BLPOP", "c") is PARKED
    assert middle.call("BLMOVE", "b", "c", "LEFT", "RIGHT") is PARKED
    assert start.call("BLMOVE", "a", "b", "LEFT", "RIGHT") is PARKED
    end.call("RPUSH", "a", 7)
    assert heard(start, "BLMOVE") == heard(middle, "BLMOVE") == [Present(7)]
    assert heard(end) == [(b"c", 7)]
    assert rig.connect().call("EXISTS", "a", "b", "c") == 0


def test_who_waits_at_two_keys_overtakes_nobody_at_the_second(rig: Rig) -> None:
    """What a move adds to c belongs to who waits there first, though another call at b is being tried."""
    first_at_c, mover, at_both = [rig.connect() for _ in range(3)]
    assert first_at_c.call("BLPOP", "a", "c") is PARKED
    assert mover.call("BLMOVE", "b", "c", "LEFT", "LEFT") is PARKED
    assert at_both.call("BLPOP", "b", "c") is PARKED
    rig.connect().call("LPUSH", "b", "y")
    assert heard(mover, "BLMOVE") == [Present("y")]
    assert heard(first_at_c) == [(b"c", "y")]
    assert at_both.outbox.heard == []


def test_waiting_calls_do_not_mind_a_key_that_becomes_something_else(rig: Rig) -> None:
    client, giver = rig.connect(), rig.connect()
    assert client.call("BLPOP", "l", "m", wait=50) is PARKED
    giver.call("SET", "l", "text")
    assert client.outbox.heard == []
    rig.advance(50)
    assert heard(client) == [None]


def test_a_wrong_type_is_refused_when_a_call_is_made(rig: Rig) -> None:
    client = rig.connect()
    client.call("SET", "s", "text")
    with pytest.raises(Exception, match="wrong kind"):
        client.call("BLPOP", "s", "l")
    with pytest.raises(Exception, match="wrong kind"):
        client.call("BLPOP", "l", "s", wait=0)


def test_a_move_that_cannot_add_fails_and_leaves_the_value_to_the_next(rig: Rig) -> None:
    mover, popper, giver = [rig.connect() for _ in range(3)]
    assert mover.call("BLMOVE", "l", "s", "LEFT", "LEFT") is PARKED
    assert popper.call("BLPOP", "l") is PARKED
    giver.call("SET", "s", "text")
    giver.call("RPUSH", "l", 1)
    assert list(mover.outbox.errors().values()) == ["WRONG_TYPE"]
    assert heard(popper) == [(b"l", 1)]


def test_waiting_for_other_types_hides_nobody(rig: Rig) -> None:
    """A sorted set's waiting call stands first at the key, and is none of a list's business."""
    ranked, popper = TextLine(rig), rig.connect()
    assert ranked.all("BZPOPMIN k 0") == []
    assert popper.call("BLPOP", "k") is PARKED
    popper.call("RPUSH", "k", 1)
    assert heard(popper) == [(b"k", 1)]
    assert ranked.heard() == []


@pytest.mark.parametrize("way", ["RENAME", "COPY", "block"])
def test_a_list_may_come_in_other_ways(rig: Rig, way: str) -> None:
    client, giver = rig.connect(), rig.connect()
    assert client.call("BLPOP", "l") is PARKED
    giver.call("RPUSH", "from", 1, 2)
    if way == "block":
        push = rig.catalog["RPUSH"], [b"l", encode(1)], None
        rig.engine.block(giver.session, [push, push], b"0")
    else:
        giver.call(way, "from", "l")
    assert heard(client) == [(b"l", 1)]
    assert giver.call("LLEN", "l") == 1


def test_a_repeat_of_an_answered_call_gets_the_same_value(rig: Rig) -> None:
    client, giver = rig.connect(), rig.connect()
    assert client.send("BLPOP", ["l"], None, {SEQ: 1}) is PARKED
    giver.call("RPUSH", "l", "a", "b")
    assert heard(client) == [(b"l", "a")]
    assert client.send("BLPOP", ["l"], None, {SEQ: 1}) == (b"l", "a")
    assert giver.call("LLEN", "l") == 1


def test_a_key_named_twice_is_waited_for_once(rig: Rig) -> None:
    client = rig.connect()
    assert client.call("BLPOP", "l", "l", wait=5) is PARKED
    rig.advance(5)
    assert heard(client) == [None]
    assert not rig.engine.watchers.live


# ---- fairness, whatever happens
keys = st.sampled_from([b"a", b"b", b"c"])
ends = st.sampled_from(["LEFT", "RIGHT"])
acts = st.one_of(
    st.tuples(st.sampled_from(["BLPOP", "BRPOP"]), st.lists(keys, min_size=1, max_size=3)),
    st.tuples(st.just("BLMOVE"), keys, keys, ends, ends),
    st.tuples(st.sampled_from(["LPUSH", "RPUSH"]), keys, st.integers(1, 3)),
    st.tuples(st.just("LMOVE"), keys, keys, ends, ends),
)


class Model:
    """Lists and one line of waiting calls. A key that was touched is looked at again, first touched first."""

    def __init__(self) -> None:
        self.lists: dict[bytes, deque[int]] = {key: deque() for key in (b"a", b"b", b"c")}
        self.line: list[tuple[int, Any]] = []
        self.given: list[tuple[int, Any]] = []

    def take(self, key: bytes, end: str) -> int:
        return self.lists[key].popleft() if end == "LEFT" else self.lists[key].pop()

    def add(self, key: bytes, end: str, value: int) -> None:
        (self.lists[key].appendleft if end == "LEFT" else self.lists[key].append)(value)

    def attempt(self, act: Any, among: list[bytes]) -> tuple[Any, list[bytes]] | None:
        """What *act* gets out of the keys *among*, and what it touches."""
        word, *rest = act
        if word in POPS:
            key = next((key for key in rest[0] if key in among and self.lists[key]), None)
            return None if key is None else ((key, self.take(key, POPS[word])), [key])
        source, target, take, give = rest
        if source not in among or not self.lists[source]:
            return None
        value = self.take(source, take)
        self.add(target, give, value)
        return Present(value), [source, target]

    def touch(self, keys: list[bytes]) -> None:
        woken = deque(keys)
        while woken:
            key = woken.popleft()
            for number, act in list(self.line):
                got = self.attempt(act, [key])
                if got is not None:
                    self.line.remove((number, act))
                    self.given.append((number, got[0]))
                    woken += got[1]


@settings(max_examples=examples(150))
@given(made=st.lists(acts, max_size=40))
def test_nobody_is_overtaken_and_nothing_is_lost(made: list[Any]) -> None:
    rig, model = Rig(strict=True), Model()
    client = rig.connect()
    pushed = 0
    for act in made:
        word, *rest = act
        if word in ("LPUSH", "RPUSH"):
            key, count = rest
            values = list(range(pushed, pushed + count))
            pushed += count
            client.call(word, key, *values)
            for value in values:
                model.add(key, "LEFT" if word == "LPUSH" else "RIGHT", value)
            model.touch([key])
            continue
        actual = client.call(word, *(rest[0] if word in POPS else rest))
        got = model.attempt((word, *rest), [b"a", b"b", b"c"])
        if got is not None:
            assert actual == got[0]
            model.touch(got[1])
        elif word == "LMOVE":
            assert actual is None
        else:
            assert actual is PARKED
            model.line.append((rig.last_id, (word, *rest)))
    words = {number: "BLMOVE" if isinstance(got, Present) else "BLPOP" for number, got in model.given}
    told = [(n, readable(rig.catalog[words[n]].reply, reply)) for _, n, reply in client.outbox.take("deliver")]
    assert told == model.given
    for key, content in model.lists.items():
        assert client.call("LRANGE", key, 0, -1) == list(content)
    recount(rig.store)


# ---- on the text door
def test_text_clients_wait_in_the_same_line(rig: Rig) -> None:
    native, first, last = rig.connect(), TextLine(rig), TextLine(rig)
    assert first.all("BLPOP l 0") == []
    assert native.call("BLPOP", "l") is PARKED
    assert last.all("BLMPOP 0 1 l LEFT COUNT 5") == []
    native.call("RPUSH", "l", 1, 2, 3, 4)
    assert first.heard() == [[b"l", b"1"]]
    assert heard(native) == [(b"l", 2)]
    assert last.heard() == [[b"l", [b"3", b"4"]]]


@pytest.mark.parametrize(
    "line",
    ["BLPOP a b 0.05", "BRPOP a 0.05", "BLMOVE a b LEFT LEFT 0.05", "BRPOPLPUSH a b 0.05", "BLMPOP 0.05 1 a LEFT"],
)
def test_text_clients_hear_when_their_time_is_over(rig: Rig, line: str) -> None:
    connection = TextLine(rig)
    sent = connection.connection
    assert connection.all(line) == []
    rig.advance(49)
    assert connection.heard() == []
    rig.advance(1)
    assert sent.data_to_send() == b"*-1\r\n"


def test_a_move_that_waited_answers_with_the_value(rig: Rig) -> None:
    connection, other = TextLine(rig), TextLine(rig)
    assert connection.all("BRPOPLPUSH a b 0") == []
    other("RPUSH a x")
    assert connection.heard() == [b"x"]
    assert other("LRANGE b 0 -1") == [b"x"]


def test_inside_a_transaction_nothing_waits(rig: Rig) -> None:
    connection = TextLine(rig)
    connection("MULTI")
    for line in ("BLPOP l 0", "RPUSH l x y", "BLPOP l 0", "BLMOVE none l LEFT LEFT 0"):
        assert connection(line) == "QUEUED"
    assert connection("EXEC") == [None, 2, [b"l", b"x"], None]


def test_a_change_of_a_collection_is_one_event_without_a_value(rig: Rig) -> None:
    client = rig.connect()
    assert client.call("WATCH", "l", "h", credit=100) is PARKED
    client.outbox.heard.clear()
    client.call("RPUSH", "l", 1, 2)
    client.call("HSET", "h", ("f", 1), ("g", 2))
    client.call("LPOP", "l", 2)
    kinds = [(event.kind, event.key, event.value) for event in client.outbox.events()]
    assert kinds == [("set", "l", None), ("set", "h", None), ("set", "l", None)]
