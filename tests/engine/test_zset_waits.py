"""Sorted-set pops that wait: in the order of asking, each member to one caller, past what is of another type."""

from __future__ import annotations

import pytest

from kv_protocol.errors import WrongType
from kv_protocol.messages import SEQ
from kv_server.engine.engine import PARKED
from tests.engine.rig import Client, Rig, readable
from tests.engine.text_line import TextLine


@pytest.fixture
def rig() -> Rig:
    return Rig(strict=True)


def heard(client: Client, word: str = "BZPOPMIN") -> list[object]:
    """What the calls of *client* that waited were answered."""
    form = client.rig.catalog[word].reply
    return [readable(form, reply) for _, _, reply in client.outbox.take("deliver")]


def test_members_go_to_who_has_waited_longest(rig: Rig) -> None:
    first, second, third, giver = [rig.connect() for _ in range(4)]
    assert first.call("BZPOPMIN", "z") is PARKED
    assert second.call("BZPOPMAX", "other", "z") is PARKED
    assert third.call("BZMPOP", ["z", "other"], "MIN", count=5) is PARKED
    assert giver.call("ZADD", "z", (1, "a"), (2, "b"), (3, "c"), (4, "d")) == 4
    assert heard(first) == [(b"z", 1.0, b"a")]
    assert heard(second, "BZPOPMAX") == [(b"z", 4.0, b"d")]
    assert heard(third, "BZMPOP") == [(b"z", [(2.0, b"b"), (3.0, b"c")])]
    assert giver.call("EXISTS", "z") == 0


def test_what_is_there_is_taken_at_once(rig: Rig) -> None:
    client = rig.connect()
    client.call("ZADD", "z", (1, "a"), (2, "b"))
    assert client.call("BZPOPMAX", "none", "z") == (b"z", 2.0, b"b")
    assert client.call("BZMPOP", ["z"], "MIN") == (b"z", [(1.0, b"a")])
    assert client.call("BZPOPMIN", "z", wait=0) is None
    assert client.call("BZMPOP", ["z"], "MAX", wait=0) is None


def test_a_wait_ends_with_nothing_when_its_time_is_over(rig: Rig) -> None:
    client = rig.connect()
    assert client.call("BZPOPMIN", "z", "z", wait=50) is PARKED
    rig.advance(49)
    assert client.outbox.heard == []
    rig.advance(1)
    assert heard(client) == [None]
    client.call("ZADD", "z", (1, "a"))
    assert client.call("ZCARD", "z") == 1
    assert client.outbox.heard == []


def test_every_way_to_make_a_sorted_set_wakes(rig: Rig) -> None:
    client, giver = rig.connect(), rig.connect()
    giver.call("ZADD", "from", (1, "a"))
    giver.call("GEOADD", "places", (13.4, 38.1, "a"))
    ways: list[tuple[str, list[object], dict[str, object]]] = [
        ("ZADD", ["z", (1, "a")], {}),
        ("ZINCRBY", ["z", 1, "a"], {}),
        ("ZUNIONSTORE", ["z", ["from"]], {}),
        ("ZINTERSTORE", ["z", ["from"]], {}),
        ("ZDIFFSTORE", ["z", ["from"]], {}),
        ("ZRANGESTORE", ["z", "from", 0, -1], {}),
        ("COPY", ["from", "z"], {}),
        ("GEOSEARCHSTORE", ["z", "places"], {"from_member": "a", "radius": (1, "M"), "store_distance": True}),
        ("GEOADD", ["z", (13.4, 38.1, "a")], {}),
        ("RENAME", ["from", "z"], {}),
    ]
    for word, args, options in ways:
        assert client.call("BZPOPMIN", "z") is PARKED
        giver.send(word, args, options)
        [(key, _, member)] = heard(client)
        assert (key, member) == (b"z", b"a"), word


def test_another_type_is_refused_at_first_and_passed_over_later(rig: Rig) -> None:
    client, giver = rig.connect(), rig.connect()
    giver.call("SET", "text", "t")
    with pytest.raises(WrongType):
        client.call("BZPOPMIN", "text", "z")
    assert client.call("BZPOPMIN", "a", "z") is PARKED
    giver.call("SADD", "a", "member")
    giver.call("RPUSH", "z", 1)
    assert client.outbox.heard == []
    giver.call("DEL", "z")
    giver.call("ZADD", "z", (1, "m"))
    assert heard(client) == [(b"z", 1.0, b"m")]


def test_lists_and_sorted_sets_are_waited_for_side_by_side(rig: Rig) -> None:
    one, other, giver = [rig.connect() for _ in range(3)]
    assert one.call("BLPOP", "k") is PARKED
    assert other.call("BZPOPMIN", "k") is PARKED
    giver.call("ZADD", "k", (1, "m"))
    assert heard(other) == [(b"k", 1.0, b"m")]
    assert one.outbox.heard == []


def test_a_wait_that_is_withdrawn_takes_nothing(rig: Rig) -> None:
    client, gone, giver = [rig.connect() for _ in range(3)]
    assert client.call("BZPOPMIN", "z") is PARKED
    assert client.cancel(rig.last_id)
    assert gone.call("BZPOPMIN", "z") is PARKED
    gone.detach()
    giver.call("ZADD", "z", (1, "m"))
    assert giver.call("ZCARD", "z") == 1


def test_what_was_taken_is_answered_again_not_taken_again(rig: Rig) -> None:
    client, giver = rig.connect(), rig.connect()
    assert client.send("BZPOPMIN", ["z"], None, {SEQ: 1}) is PARKED
    giver.call("ZADD", "z", (1, "m"), (2, "n"))
    assert heard(client) == [(b"z", 1.0, b"m")]
    assert client.send("BZPOPMIN", ["z"], None, {SEQ: 1}) == (b"z", 1.0, b"m")
    assert giver.call("ZRANGE", "z", 0, -1) == [(2.0, b"n")]


def test_text_clients_wait_in_seconds(rig: Rig) -> None:
    waiting, giver = TextLine(rig), TextLine(rig)
    assert waiting.all("BZPOPMIN none z 0") == []
    giver("ZADD z 1.5 m")
    assert waiting.heard() == [[b"z", b"m", b"1.5"]]
    assert waiting.all("BZMPOP 0.05 1 z MAX COUNT 2") == []
    rig.advance(50)
    assert waiting.heard() == [None]
    assert waiting.all("BZPOPMAX z 0.05") == []
    rig.advance(50)
    assert waiting.heard() == [None]
