"""Every stream command in any order against the plain model; and, in scenes, what streams and groups promise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kv_protocol.errors import ConditionFailed, InvalidArgument, KvError, NotFound, WrongType
from kv_server.commands import CATALOG
from kv_server.engine.engine import PARKED
from kv_server.model.stream import Stream
from tests.commands.calls import call, tail
from tests.commands.plain import Fails
from tests.commands.stream_model import Streams
from tests.engine.profile import examples
from tests.engine.rig import NOW_MS, Client, Rig, picture, recount, replayed

keys = st.sampled_from([b"a", b"a", b"a", b"b", b"text"])
groups = st.sampled_from([b"g", b"g", b"h"])
consumers = st.sampled_from([b"ann", b"bob", b"\xff"])
ids = st.builds("{}-{}".format, st.integers(0, 6), st.integers(0, 2))
loose = ids | st.sampled_from(["3", "0", "x", "18446744073709551615-18446744073709551615", "18446744073709551616"])
ends = loose | ids.map("({}".format) | st.sampled_from(["-", "+", "-", "+", "(-", "(5", "(0-0"])
new_ids = ids | st.builds("{}-*".format, st.integers(0, 6)) | st.sampled_from(["7", "0-0", "0", "*", "x-*"])
fields = st.tuples(st.sampled_from([b"f", b"g", b"\xff"]), st.sampled_from([1, "text", None, b"\xff", [1, {"a": 2}]]))
counts = st.integers(1, 4)
cutting: dict[str, Any] = {
    "max_length": st.integers(0, 5), "min_id": ids, "nearly": st.booleans(), "limit": st.sampled_from([0, 1, 3, 1000]),
}  # fmt: skip
idles = st.sampled_from([0, 0, 1, 5, 1000])
readings = st.tuples(keys, loose | st.sampled_from(["$", "0"]))
group_readings = st.tuples(keys, st.sampled_from([">", ">", ">", "0", "2-1"]))

RULES: dict[str, st.SearchStrategy[Any]] = {
    "XADD": tail(fields, before=(keys,), id=new_ids)
    | tail(fields, before=(keys,), id=new_ids)
    | tail(fields, before=(keys,), id=new_ids, create=st.booleans(), **cutting),
    "XTRIM": call(keys, **cutting),
    "XDEL": tail(loose, before=(keys,)),
    "XSETID": call(keys, loose, entries_added=st.integers(-1, 9), max_deleted_id=ids),
    "XLEN": call(keys),
    "XRANGE": call(keys, ends, ends, count=st.integers(-1, 3)),
    "XREVRANGE": call(keys, ends, ends, count=st.integers(-1, 3)),
    "XREAD": tail(readings, count=counts),
    "XGROUP CREATE": call(
        keys, groups, loose | st.sampled_from(["$", "0"]), create_stream=st.booleans(), entries_read=st.integers(-2, 9)
    ),
    "XGROUP SETID": call(keys, groups, ids | st.sampled_from(["$", "0", "+", "-"]), entries_read=st.integers(-2, 9)),
    "XGROUP DESTROY": call(keys, groups),
    "XGROUP CREATECONSUMER": call(keys, groups, consumers),
    "XGROUP DELCONSUMER": call(keys, groups, consumers),
    "XREADGROUP": tail(group_readings, before=(groups, consumers), count=counts, no_ack=st.booleans()),
    "XACK": tail(ids, before=(keys, groups)),
    "XPENDING": call(keys, groups),
    "XPENDINGRANGE": call(keys, groups, ends, ends, count=counts, consumer=consumers, min_idle=idles),
    "XCLAIM": tail(
        ids, before=(keys, groups, consumers, idles), idle=idles, deliveries=st.integers(0, 3), force=st.booleans(),
        ids_only=st.booleans(), last_id=ids,
    ),
    "XAUTOCLAIM": call(keys, groups, consumers, idles, ends, count=counts, ids_only=st.booleans()),
    "XINFO STREAM": call(keys),
    "XINFO GROUPS": call(keys),
    "XINFO CONSUMERS": call(keys, groups),
}  # fmt: skip
OFTEN = {"XADD": 4, "XREADGROUP": 4, "XGROUP CREATE": 2, "XCLAIM": 2}


class StreamsAgainstModel(RuleBasedStateMachine):
    """One client of an engine whose transactions are strict."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(strict=True)
        self.client = self.rig.connect()
        self.model = Streams(NOW_MS, [b"text"])
        self.client.call("SET", b"text", 1)

    @initialize(number=st.integers(0, 8), start=st.sampled_from([None, "0", "$"]))
    def some_entries(self, number: int, start: str | None) -> None:
        for at in range(1, number):
            self.step("XADD", ((b"a", (b"f", at)), {"id": f"{at // 2 + 1}-{at % 2}"}))
        if start is not None:
            self.step("XGROUP CREATE", ((b"a", b"g", start), {"create_stream": True}))

    def step(self, word: str, drawn: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        args, options = drawn
        if "max_length" in options and "min_id" in options:
            del options["min_id"]
        commits = len(self.rig.commits)
        before = picture(self.rig.store)
        try:
            expected = getattr(self.model, word.lower().replace(" ", "_"))(*args, **options)
        except Fails as failure:
            with pytest.raises(KvError) as caught:
                self.client.call(word, *args, **options)
            assert caught.value.code == failure.code, (word, args, options)
            assert picture(self.rig.store) == before
            return
        actual = self.client.call(word, *args, **options)
        if word == "XINFO GROUPS":
            actual = [each[:4] for each in actual]
        assert plain(actual) == plain(expected), (word, args, options)
        assert len(self.rig.commits) - commits <= 1

    @rule(ms=st.sampled_from([1, 4, 1000]))
    def time_passes(self, ms: int) -> None:
        self.rig.advance(ms)
        self.model.now += ms

    @rule(key=st.sampled_from([b"a", b"b"]))
    def a_stream_is_dropped(self, key: bytes) -> None:
        self.client.call("DEL", key)
        self.model.logs.pop(key, None)

    @invariant()
    def all_is_as_the_model_says(self) -> None:
        for key, log in self.model.logs.items():
            self.step("XRANGE", ((key, "-", "+"), {}))
            self.step("XINFO STREAM", ((key,), {}))
            self.step("XINFO GROUPS", ((key,), {}))
            for group in log.teams:
                self.step("XPENDINGRANGE", ((key, group), {}))
                self.step("XINFO CONSUMERS", ((key, group), {}))
        assert self.client.call("DBSIZE") == len(self.model.logs) + 1

    @invariant()
    def accounts_are_right(self) -> None:
        recount(self.rig.store)

    def teardown(self) -> None:
        tx, rows = replayed(self.rig.commits, self.rig.engine)
        assert picture(tx.store) == picture(self.rig.store)
        assert rows == [commit.effects for commit in self.rig.commits]
        recount(tx.store)


def plain(reply: Any) -> Any:
    """Tuples as tuples whatever their class, and 1 kept apart from True and 1.0."""
    if isinstance(reply, list | tuple):
        return [plain(each) for each in reply]
    if isinstance(reply, dict):
        return {key: plain(each) for key, each in reply.items()}
    return type(reply).__name__, reply


def _rule_of(word: str) -> Any:
    def calls(self: StreamsAgainstModel, drawn: Any) -> None:
        self.step(word, drawn)

    calls.__name__ = "call_" + word.lower().replace(" ", "_")
    return rule(drawn=RULES[word])(calls)


for _word in RULES:
    for _turn in range(OFTEN.get(_word, 1)):
        setattr(StreamsAgainstModel, f"call_{_word.lower().replace(' ', '_')}_{_turn}", _rule_of(_word))

TestStreamsAgainstModel = StreamsAgainstModel.TestCase
TestStreamsAgainstModel.settings = settings(
    max_examples=examples(100), stateful_step_count=40, report_multiple_bugs=False, phases=set(Phase) - {Phase.explain}
)


def test_every_stream_command_has_a_rule() -> None:
    assert {command.name for command in CATALOG if command.group == "stream"} == set(RULES)


# ---- scenes
@pytest.fixture
def rig() -> Rig:
    return Rig(strict=True)


@pytest.fixture
def ann(rig: Rig) -> Client:
    return rig.connect("ann")


@pytest.fixture
def bob(rig: Rig) -> Client:
    return rig.connect("bob")


def heard(client: Client) -> Any:
    """What the last call of *client* that waited was answered."""
    (said,) = client.outbox.heard
    client.outbox.heard.clear()
    return said[2] if said[0] == "deliver" else said[2].code


def ids_in(reply: Any, key: bytes = b"s") -> list[str]:
    return [entry[0] for entry in reply[key]]


def test_ids_are_made_of_the_time_and_only_grow(rig: Rig, ann: Client) -> None:
    assert ann.call("XADD", "s", ("f", 1)) == f"{NOW_MS}-0"
    assert ann.call("XADD", "s", ("f", 1)) == f"{NOW_MS}-1"
    rig.advance(5)
    assert ann.call("XADD", "s", ("f", 1)) == f"{NOW_MS + 5}-0"
    assert ann.call("XADD", "s", ("f", 1), id=f"{NOW_MS + 99}-7") == f"{NOW_MS + 99}-7"
    assert ann.call("XADD", "s", ("f", 1)) == f"{NOW_MS + 99}-8", "the clock is behind the last id"


def test_the_last_id_there_can_be_ends_a_stream(ann: Client) -> None:
    top = 2**64 - 1
    ann.call("XADD", "s", ("f", 1), id=f"5-{top}")
    with pytest.raises(InvalidArgument, match="equal or smaller"):
        ann.call("XADD", "s", ("f", 1), id="5-*")
    ann.call("XADD", "s", ("f", 1), id=f"{top}-{top}")
    with pytest.raises(InvalidArgument, match="exhausted"):
        ann.call("XADD", "s", ("f", 1))


def test_a_field_that_comes_twice_is_stored_twice_and_read_as_the_last(rig: Rig, ann: Client) -> None:
    ann.call("XADD", "s", ("f", 1), ("g", 2), ("f", 3), id="1-1")
    assert ann.call("XRANGE", "s", "-", "+") == [("1-1", {b"f": 3, b"g": 2})]
    shown = rig.engine.catalog.spoken[b"XRANGE"].call(rig.engine.tx, [b"XRANGE", b"s", b"-", b"+"], None)
    assert shown == [["1-1", [b"f", b"1", b"g", b"2", b"f", b"3"]]]


def test_an_emptied_stream_stays_and_its_ids_go_on(rig: Rig, ann: Client) -> None:
    ann.call("XADD", "s", ("f", 1), id="5-5")
    assert ann.call("XDEL", "s", "5-5", "5-5") == 1
    assert ann.call("EXISTS", "s") == 1
    with pytest.raises(InvalidArgument, match="equal or smaller"):
        ann.call("XADD", "s", ("f", 1), id="5-5")
    ann.call("XGROUP CREATE", "new", "g", "$", create_stream=True)
    assert ann.call("XLEN", "new") == 0
    recount(rig.store)


def test_a_copy_goes_on_by_itself(rig: Rig, ann: Client) -> None:
    ann.call("XADD", "s", ("f", 1), id="1-1")
    ann.call("XGROUP CREATE", "s", "g", "0")
    ann.call("XREADGROUP", "g", "ann", ("s", ">"))
    ann.call("COPY", "s", "t")
    ann.call("XACK", "s", "g", "1-1")
    ann.call("XADD", "s", ("f", 1), id="2-1")
    assert ann.call("XPENDING", "t", "g") == (1, "1-1", "1-1", {b"ann": 1})
    assert ann.call("XLEN", "t") == 1


def test_a_block_that_fails_puts_the_stream_and_its_groups_back(rig: Rig, ann: Client) -> None:
    ann.call("XADD", "s", ("f", 1), id="1-1")
    ann.call("XGROUP CREATE", "s", "g", "0")
    before = picture(rig.store)
    calls = [
        (CATALOG["XREADGROUP"], [b"g", b"ann", [b"s", b">"]], None),
        (CATALOG["XDEL"], [b"s", b"1-1"], None),
        (CATALOG["XADD"], [b"s", [b"f", b"\x01"]], {b"id": b"1-1"}),
    ]
    with pytest.raises(InvalidArgument, match="equal or smaller"):
        rig.engine.block(ann.session, calls, b"0")
    assert picture(rig.store) == before
    recount(rig.store)


def test_trimming_nearly_goes_by_the_hundred(ann: Client) -> None:
    for number in range(1, 351):
        ann.call("XADD", "s", ("f", number), id=f"{number}-0")
    assert ann.call("XTRIM", "s", max_length=300, nearly=True) == 0
    assert ann.call("XTRIM", "s", max_length=100, nearly=True, limit=150) == 100
    assert ann.call("XTRIM", "s", min_id="320", nearly=True) == 200
    assert ann.call("XRANGE", "s", "-", "+", count=1)[0][0] == "301-0"
    assert ann.call("XTRIM", "s", min_id="320") == 19
    assert ann.call("XADD", "s", ("f", 1), id="400", max_length=2) == "400-0"
    assert [id for id, _ in ann.call("XRANGE", "s", "-", "+")] == ["350-0", "400-0"]


def test_the_end_of_a_stream_means_its_end_when_the_call_was_made(ann: Client, bob: Client) -> None:
    ann.call("XADD", "s", ("f", 1), id="1-1")
    assert bob.call("XREAD", ("s", "$"), ("other", "$"), block=0) is PARKED
    ann.call("XADD", "noise", ("f", 1))
    ann.call("XADD", "s", ("f", 2), id="2-1")
    assert ids_in(heard(bob)) == ["2-1"]


def test_everybody_who_waits_for_an_entry_gets_it(rig: Rig, ann: Client) -> None:
    readers = [rig.connect() for _ in range(3)]
    far = rig.connect()
    assert far.call("XREAD", ("s", "9-9"), block=0) is PARKED
    for reader in readers:
        assert reader.call("XREAD", ("s", "$"), block=0) is PARKED
    ann.call("XADD", "s", ("f", 1), id="1-1")
    assert [ids_in(heard(reader)) for reader in readers] == [["1-1"]] * 3
    assert far.outbox.heard == []


def test_each_group_gives_an_entry_to_the_one_who_waited_longest(rig: Rig, ann: Client) -> None:
    for group in ("g", "h"):
        ann.call("XGROUP CREATE", "s", group, "$", create_stream=True)
    waiting = [(rig.connect(), group, name) for group in ("g", "h") for name in ("one", "two")]
    for client, group, name in waiting:
        assert client.call("XREADGROUP", group, name, ("s", ">"), block=0) is PARKED
    ann.call("XADD", "s", ("f", 1), id="1-1")
    assert [len(client.outbox.heard) for client, _, _ in waiting] == [1, 0, 1, 0]
    ann.call("XADD", "s", ("f", 1), id="2-1")
    assert [ids_in(heard(client)) for client, _, _ in waiting] == [["1-1"], ["2-1"], ["1-1"], ["2-1"]]
    assert ann.call("XPENDING", "s", "g") == (2, "1-1", "2-1", {b"one": 1, b"two": 1})


def test_who_waits_for_a_group_hears_that_it_is_gone(ann: Client, bob: Client) -> None:
    for way in (("XGROUP DESTROY", "s", "g"), ("DEL", "s")):
        ann.call("XGROUP CREATE", "s", "g", "$", create_stream=True)
        assert bob.call("XREADGROUP", "g", "bob", ("s", ">"), block=0) is PARKED
        ann.call(*way)
        assert heard(bob) == "NOT_FOUND"


def test_who_waits_does_not_mind_what_else_comes_under_the_key(ann: Client, bob: Client) -> None:
    assert bob.call("XREAD", ("s", "0"), block=0) is PARKED
    ann.call("SET", "s", 1)
    assert bob.outbox.heard == []
    ann.call("DEL", "s")
    ann.call("XADD", "s", ("f", 1), id="1-1")
    assert ids_in(heard(bob)) == ["1-1"]


def test_waiting_ends_with_nothing(rig: Rig, ann: Client, bob: Client) -> None:
    ann.call("XGROUP CREATE", "s", "g", "$", create_stream=True)
    assert ann.call("XREAD", ("s", "$"), block=20) is PARKED
    assert bob.call("XREADGROUP", "g", "bob", ("s", ">"), block=20) is PARKED
    rig.settle(20)
    assert heard(ann) is None
    assert heard(bob) is None
    assert bob.call("XREADGROUP", "g", "bob", ("s", ">")) is None
    assert bob.call("XINFO CONSUMERS", "s", "g") == [], "who got nothing is no consumer yet"


def test_an_entry_belongs_to_one_consumer_until_it_is_settled(rig: Rig, ann: Client) -> None:
    ann.call("XGROUP CREATE", "s", "g", "0", create_stream=True)
    for number in (1, 2, 3):
        ann.call("XADD", "s", ("n", number), id=f"{number}-0")
    assert ids_in(ann.call("XREADGROUP", "g", "ann", ("s", ">"), count=2)) == ["1-0", "2-0"]
    assert ids_in(ann.call("XREADGROUP", "g", "bob", ("s", ">"))) == ["3-0"]
    assert ann.call("XACK", "s", "g", "1-0", "9-9") == 1
    ann.call("XDEL", "s", "2-0")
    assert ann.call("XREADGROUP", "g", "ann", ("s", "0")) == {b"s": [("2-0", {})]}, "deleted since: no fields"
    rig.advance(100)
    assert ann.call("XAUTOCLAIM", "s", "g", "bob", 50, "-") == ("0-0", [("3-0", {b"n": 3})], ["2-0"])
    assert ann.call("XPENDINGRANGE", "s", "g") == [("3-0", b"bob", 0, 2)]
    assert ann.call("XGROUP DELCONSUMER", "s", "g", "bob") == 1
    assert ann.call("XPENDING", "s", "g") == (0, None, None, {})


def test_the_lag_of_a_group_is_told_where_it_can_be(ann: Client) -> None:
    for number in (1, 2, 3, 4):
        ann.call("XADD", "s", ("n", number), id=f"{number}-0")
    ann.call("XGROUP CREATE", "s", "g", "0")
    ann.call("XGROUP CREATE", "s", "middle", "2-0")

    def lags() -> list[tuple[Any, Any]]:
        return [(read, lag) for *_, read, lag in ann.call("XINFO GROUPS", "s")]

    assert lags() == [(None, 4), (None, None)]
    ann.call("XREADGROUP", "g", "ann", ("s", ">"), count=1)
    assert lags() == [(1, 3), (None, None)]
    ann.call("XDEL", "s", "3-0")
    assert lags() == [(1, None), (None, None)]
    ann.call("XREADGROUP", "g", "ann", ("s", ">"))
    ann.call("XREADGROUP", "middle", "ann", ("s", ">"))
    assert lags() == [(4, 0), (4, 0)]


def test_errors_are_of_their_kind_and_have_the_word_text_clients_match(ann: Client) -> None:
    ann.call("SET", "text", "x")
    ann.call("XGROUP CREATE", "s", "g", "$", create_stream=True)
    cases: list[tuple[type[KvError], str, tuple[Any, ...]]] = [
        (ConditionFailed, "BUSYGROUP", ("XGROUP CREATE", "s", "g", "0")),
        (NotFound, "NOGROUP", ("XREADGROUP", "none", "c", ("s", ">"))),
        (NotFound, "NOGROUP", ("XPENDING", "absent", "g")),
        (NotFound, "ERR", ("XGROUP CREATE", "absent", "g", "0")),
        (NotFound, "ERR", ("XINFO STREAM", "absent")),
        (WrongType, "WRONGTYPE", ("XADD", "text", ("f", 1))),
        (WrongType, "WRONGTYPE", ("XREAD", ("text", "0"))),
        (InvalidArgument, "ERR", ("XREAD", ("s", ">"))),
        (InvalidArgument, "ERR", ("XREADGROUP", "g", "c", ("s", "$"))),
    ]
    for kind, word, (name, *args) in cases:
        with pytest.raises(kind) as caught:
            ann.call(name, *args)
        assert caught.value.resp == word


@settings(max_examples=examples(50))
@given(
    puts=st.lists(st.tuples(st.integers(1, 40), st.binary(max_size=3)), max_size=60),
    takes=st.lists(st.integers(0, 80), max_size=60),
    low=st.integers(0, 80),
    high=st.integers(0, 80),
)
def test_a_range_is_what_a_list_would_give(
    puts: list[tuple[int, bytes]], takes: list[int], low: int, high: int
) -> None:
    stream, entries, last = Stream(), {}, 0
    for step, field in puts:
        last += step
        entries[last.to_bytes(16)] = (field, b"\xc0")
        stream.bytes += stream.add(last.to_bytes(16), (field, b"\xc0"))
    for at in takes:
        id = sorted(entries)[at % len(entries)] if entries else b""
        if id:
            del entries[id]
            stream.bytes += stream.delete([id])
    within = [(id, each) for id, each in sorted(entries.items()) if low.to_bytes(16) <= id <= high.to_bytes(16)]
    for count in (None, 0, 2):
        assert stream.between(low.to_bytes(16), high.to_bytes(16), count) == within[:count]
        assert stream.between(low.to_bytes(16), high.to_bytes(16), count, backwards=True) == within[::-1][:count]
    assert stream.below(high.to_bytes(16)) == len([id for id in entries if id < high.to_bytes(16)])
    assert stream.first_id == min(entries, default=bytes(16))
    assert Stream.load(stream.dump()) == stream
    assert Stream.load(stream.dump()).bytes == stream.bytes
