"""Keyspace notifications: which events the rows of commits have, and that nothing is told unless it was chosen."""

from __future__ import annotations

import pytest

from kv_server.engine.notifications import classes_of, spelled
from tests.engine.rig import Rig
from tests.engine.text_line import TextLine


def events(*lines: str, classes: str = "KEA", namespace: str = "0") -> list[str]:
    """What a listener is told about the keys: namespace, key, event."""
    rig = Rig()
    line, listener = TextLine(rig), TextLine(rig)
    rig.engine.notifications.choose(classes_of(classes))
    listener("PSUBSCRIBE __keyspace@*")
    line("SELECT", namespace)
    for words in lines:
        if words.isdigit():
            rig.settle(int(words))
        else:
            line.all(words)
    told = []
    for _, _, channel, event in listener.heard():
        space, _, key = channel.decode().removeprefix("__keyspace@").partition("__:")
        told.append(f"{space} {key} {event.decode()}")
    return told


def test_events_of_keys() -> None:
    assert events("SET a 1", "INCR a", "EXPIRE a 100", "PERSIST a", "DEL a", "DEL a") == [
        "0 a set",
        "0 a incrby",
        "0 a expire",
        "0 a persist",
        "0 a del",
    ]
    assert events("SET a 1 PX 5", "5") == ["0 a set", "0 a expire", "0 a expired"]
    assert events("SET a 1", "RENAME a b", "MOVE b 3") == [
        "0 a set",
        "0 a rename_from",
        "0 b rename_to",
        "0 b move_from",
        "3 b move_to",
    ]


def test_events_of_collections_end_with_del_when_nothing_is_left() -> None:
    assert events("HSET h f 1 g 2", "HDEL h f", "HDEL h g") == ["0 h hset", "0 h hdel", "0 h hdel", "0 h del"]
    assert events("LPUSH l a b", "RPUSH l c", "LPOP l", "RPOP l 2") == [
        "0 l lpush",
        "0 l rpush",
        "0 l lpop",
        "0 l rpop",
        "0 l del",
    ]
    assert events("SADD s a b", "SREM s a b") == ["0 s sadd", "0 s srem", "0 s del"]
    assert events("ZADD z 1 a", "ZREM z a") == ["0 z zadd", "0 z zrem", "0 z del"]
    assert events("XADD x * a 1", "XTRIM x MAXLEN 0") == ["0 x xadd", "0 x xtrim"]


def test_a_command_may_name_the_event_of_its_rows() -> None:
    assert events("APPEND a x", "SETBIT a 0 1", "PFADD p x", "COPY a b") == [
        "0 a append",
        "0 a setbit",
        "0 p pfadd",
        "0 b copy_to",
    ]
    assert events("SADD s m", "SINTERSTORE d s", "COPY d e", classes="Kg") == ["0 e copy_to"]
    assert events("SADD s m", "SINTERSTORE d s", "SPOP d", classes="Ks") == ["0 s sadd", "0 d sinterstore", "0 d spop"]
    assert events("XGROUP CREATE x g $ MKSTREAM", "XGROUP CREATECONSUMER x g c", classes="Kt") == [
        "0 x xgroup-create",
        "0 x xgroup-createconsumer",
    ]


def test_each_call_of_a_transaction_names_its_own_events() -> None:
    told = events("MULTI", "GET a", "APPEND a x", "SET b 1", "GET a", "INCR b", "EXEC", "SET c 1")
    assert told == ["0 a append", "0 b set", "0 b incrby", "0 c set"]


def test_a_named_namespace_has_its_own() -> None:
    assert events("SET a 1", namespace="shop") == []


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("K$", ["0 a set"]),
        ("Kg", ["0 a del"]),
        ("Kx", []),
        ("E$", []),
        ("A", []),
        ("K", []),
        ("KA", ["0 a set", "0 a del"]),
    ],
)
def test_only_chosen_classes_are_told(classes: str, expected: list[str]) -> None:
    assert events("SET a 1", "DEL a", classes=classes) == expected


def test_both_kinds_of_channels_are_told() -> None:
    rig = Rig()
    line, listener = TextLine(rig), TextLine(rig)
    rig.engine.notifications.choose(classes_of("KE$"))
    listener.all("SUBSCRIBE __keyspace@0__:a __keyevent@0__:set")
    line("SET a 1")
    assert [words[1:] for words in listener.heard()] == [
        [b"__keyspace@0__:a", b"set"],
        [b"__keyevent@0__:set", b"a"],
    ]
    rig.engine.notifications.choose(frozenset())
    listener.leave()
    assert rig.engine.sinks == [rig.note]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("KEA", "AKE"), ("KgEx", "gxKE"), ("g$lshzxetdnmK", "AKm"), ("xE$lshzexgtdKmn", "AKEm"), ("A", "A"), ("", "")],
)
def test_classes_are_spelled_as_redis_spells_them(text: str, shown: str) -> None:
    assert spelled(classes_of(text)) == shown
    with pytest.raises(ValueError, match="Invalid event class"):
        classes_of(text + "q")
