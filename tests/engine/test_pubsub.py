"""Channels on the text door: who hears what, in which form, and what a listening connection may ask."""

from __future__ import annotations

from typing import Any

import pytest

from kv_server.engine.engine import PARKED
from tests.engine.rig import Client, Rig
from tests.engine.text_line import Failed, Push, TextLine


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.fixture
def line(rig: Rig) -> TextLine:
    return TextLine(rig)


@pytest.fixture
def other(rig: Rig) -> TextLine:
    return TextLine(rig)


def test_a_message_reaches_those_who_listen_by_name_and_by_pattern(line: TextLine, other: TextLine) -> None:
    assert line.all("SUBSCRIBE news more news") == [
        [b"subscribe", b"news", 1],
        [b"subscribe", b"more", 2],
        [b"subscribe", b"news", 2],
    ]
    assert line("PSUBSCRIBE n*s") == [b"psubscribe", b"n*s", 3]
    assert other("PUBLISH news hello") == 2
    assert other("PUBLISH nowords x") == 1
    assert other("PUBLISH nothing x") == 0
    assert line.heard() == [
        [b"message", b"news", b"hello"],
        [b"pmessage", b"n*s", b"news", b"hello"],
        [b"pmessage", b"n*s", b"nowords", b"x"],
    ]


def test_on_resp2_a_listener_may_only_ask_about_listening(line: TextLine) -> None:
    line("SUBSCRIBE a")
    for words in ("GET a", "MULTI", "SET a 1", "CLIENT ID", "PUBLISH a x"):
        refusal = line(words)
        assert type(refusal) is Failed
        assert refusal.startswith("ERR Can't execute '")
        assert refusal.endswith("PING / QUIT / RESET are allowed in this context")
    assert line("CLIENT ID").startswith("ERR Can't execute 'client|id': only ")
    assert line("PING") == [b"pong", b""]
    assert line("PING hi") == [b"pong", b"hi"]
    assert line("SSUBSCRIBE s") == [b"ssubscribe", b"s", 1]
    assert line("UNSUBSCRIBE a") == [b"unsubscribe", b"a", 0]
    assert type(line("GET a")) is Failed
    line("SUNSUBSCRIBE")
    assert line("PING") == "PONG"
    assert line("GET a") is None


def test_unsubscribing_answers_for_each_name_or_for_none(line: TextLine) -> None:
    assert line("UNSUBSCRIBE") == [b"unsubscribe", None, 0]
    assert line.all("PUNSUBSCRIBE a b") == [[b"punsubscribe", b"a", 0], [b"punsubscribe", b"b", 0]]
    line.all("SUBSCRIBE a b")
    line("PSUBSCRIBE p")
    assert line.all("UNSUBSCRIBE") == [[b"unsubscribe", b"a", 2], [b"unsubscribe", b"b", 1]]
    assert line("SUNSUBSCRIBE") == [b"sunsubscribe", None, 0]


def test_on_resp3_messages_are_pushes_and_everything_may_be_asked(line: TextLine) -> None:
    line("HELLO 3")
    assert type(line("SUBSCRIBE a")) is Push
    assert line("GET x") is None
    assert line.all("PUBLISH a self") == [Push([b"message", b"a", b"self"]), 1]
    line("MULTI")
    line("PUBLISH a one")
    line("PUBLISH a two")
    assert line.all("EXEC") == [[b"message", b"a", b"one"], [b"message", b"a", b"two"], [1, 1]]
    line("HELLO 2")
    assert type(line("GET x")) is Failed
    line("RESET")
    assert line("GET x") is None


def test_without_replies_the_pushes_still_come(line: TextLine, other: TextLine) -> None:
    line("HELLO 3")
    line.all("CLIENT REPLY OFF")
    assert line.all("SUBSCRIBE a") == [[b"subscribe", b"a", 1]]
    other("PUBLISH a x")
    assert line.heard() == [[b"message", b"a", b"x"]]


def test_a_transaction_may_subscribe_and_is_one_until_it_ends(line: TextLine) -> None:
    line("MULTI")
    line("SUBSCRIBE a")
    line("PING")
    assert line("EXEC") == [[b"subscribe", b"a", 1], [b"pong", b""]]
    assert type(line("GET a")) is Failed


def test_a_discarded_message_is_never_sent(line: TextLine, other: TextLine) -> None:
    line("SUBSCRIBE a")
    other("MULTI")
    other("PUBLISH a x")
    other("DISCARD")
    assert line.heard() == []


def test_numbered_namespaces_share_their_channels_and_named_ones_do_not(line: TextLine, other: TextLine) -> None:
    line("SELECT 3")
    line("SUBSCRIBE a")
    assert other("PUBLISH a zero") == 1
    other("SELECT shop")
    assert other("PUBLISH a shop") == 0
    assert other("PUBSUB CHANNELS") == []
    assert line.heard() == [[b"message", b"a", b"zero"]]


def test_shard_channels_are_apart(line: TextLine, other: TextLine) -> None:
    line("SSUBSCRIBE s")
    assert other("PUBLISH s x") == 0
    assert other("SPUBLISH s x") == 1
    assert line.heard() == [[b"smessage", b"s", b"x"]]
    assert other("PUBSUB SHARDCHANNELS") == [b"s"]
    assert other("PUBSUB SHARDNUMSUB s t") == [b"s", 1, b"t", 0]


def test_pubsub_tells_who_listens(rig: Rig, line: TextLine, other: TextLine) -> None:
    line.all("SUBSCRIBE a b")
    line("PSUBSCRIBE p*")
    third = TextLine(rig)
    third("SUBSCRIBE a")
    third("PSUBSCRIBE p*")
    assert sorted(other("PUBSUB CHANNELS")) == [b"a", b"b"]
    assert other("PUBSUB CHANNELS a*") == [b"a"]
    assert other("PUBSUB NUMSUB a b c") == [b"a", 2, b"b", 1, b"c", 0]
    assert other("PUBSUB NUMSUB") == []
    assert other("PUBSUB NUMPAT") == 1
    assert other("PUBSUB NONSENSE") == "ERR unknown subcommand 'NONSENSE'. Try PUBSUB HELP."


def test_who_has_left_is_told_nothing(rig: Rig, line: TextLine, other: TextLine) -> None:
    line.all("SUBSCRIBE a b")
    line("PSUBSCRIBE p*")
    line("SSUBSCRIBE s")
    line.leave()
    assert other("PUBLISH a x") == 0
    assert other("PUBSUB CHANNELS") == []
    assert rig.engine.sinks == [rig.note]
    assert not rig.engine.channels.busy


# ---- natively
def listen(client: Client, *channels: str, **options: Any) -> int:
    assert client.call("SUBSCRIBE", *channels, **options) is PARKED
    return client.rig.last_id


def told(client: Client) -> list[tuple[Any, ...]]:
    return [tuple(event) for event in client.outbox.events()]


def test_native_listeners_hear_typed_values_with_credit_and_are_told_what_they_missed(rig: Rig) -> None:
    client, other = rig.connect(), rig.connect()
    call = listen(client, "a", credit=2)
    assert told(client) == [("open", None, None, None)]
    assert other.call("PUBLISH", "a", {"n": 1}) == 1
    [(kind, channel, _, pattern)] = told(client)
    assert (kind, channel, pattern) == ("message", "a", None)
    for number in range(1_030):
        other.call("PUBLISH", "a", number)
    assert told(client) == []
    client.credit(call, 2)
    (gap, first) = told(client)
    assert gap == ("gap", None, 6, None)
    assert first[0] == "message"


def test_a_native_listener_hears_each_message_once_and_which_pattern_it_fits(rig: Rig) -> None:
    client, other = rig.connect(), rig.connect()
    listen(client, "user:1", "user:1", pattern="user:*", credit=10)
    told(client)
    assert other.call("PUBLISH", "user:1", 1) == 1
    assert other.call("PUBLISH", "user:2", 2) == 1
    assert [(event[1], event[3]) for event in told(client)] == [("user:1", None), ("user:2", "user:*")]


def test_native_channels_belong_to_their_namespace(rig: Rig, line: TextLine) -> None:
    third, first = rig.connect(namespace=b"3"), rig.connect(namespace=b"0")
    listen(third, "a", credit=10)
    listen(first, "a", credit=10)
    told(third), told(first)
    line("SELECT 3")
    assert line("PUBLISH a from-three") == 1
    assert (len(told(third)), len(told(first))) == (1, 0)
    assert line("PUBSUB NUMSUB a") == [b"a", 2]
    line("SUBSCRIBE a")
    assert first.call("PUBLISH", "a", [1, None]) == 2
    assert line.heard() == [[b"message", b"a", b"[1,null]"]]
    assert third.call("PUBSUB NUMSUB", "a", "b") == [2, 0]
    assert rig.connect(namespace=b"shop").call("PUBSUB CHANNELS") == []
    assert third.call("PUBSUB CHANNELS", "a*") == [b"a"]


def test_a_message_of_a_block_that_failed_is_never_sent(rig: Rig) -> None:
    client, other = rig.connect(), rig.connect()
    listen(client, "a", credit=10)
    told(client)
    calls = [[b"PUBLISH", [b"a", b"\x01"]], [b"RENAME", [b"no", b"such"]]]
    with pytest.raises(Exception, match="no such key"):
        other.raw("ATOMIC", calls)
    assert told(client) == []
    other.raw("ATOMIC", calls[:1])
    assert len(told(client)) == 1


def test_a_repeated_publication_is_sent_once(rig: Rig) -> None:
    client, other = rig.connect(), rig.connect()
    listen(client, "a", credit=10)
    told(client)
    assert other.send("PUBLISH", ["a", 1], None, {2: 1}) == other.send("PUBLISH", ["a", 1], None, {2: 1}) == 1
    assert len(told(client)) == 1


def test_a_native_subscription_ends_by_cancel_or_with_its_connection(rig: Rig) -> None:
    client, other = rig.connect(), rig.connect()
    call = listen(client, "a", pattern="b*")
    assert client.cancel(call)
    listen(client, "a")
    client.detach()
    assert other.call("PUBLISH", "a", 1) == 0
    assert not rig.engine.channels.busy
