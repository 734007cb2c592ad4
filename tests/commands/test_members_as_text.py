"""What text clients see of sets, sorted sets and places: forms that depend on tokens, and on what was left out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.rig import Rig
from tests.engine.text_line import Failed, TextLine


@pytest.fixture
def line() -> TextLine:
    made = TextLine(Rig(strict=True))
    made("ZADD z 1 a 2.5 b 3 c")
    made("ZADD y 10 a 20 b")
    made("SADD s a x")
    made("SET text t")
    made("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania")
    return made


PALERMO = [b"13.36138933897018433", b"38.11555639549629859"]

LINES: list[tuple[str, Any]] = [
    ("SPOP none", None),
    ("SPOP none 2", []),
    ("SRANDMEMBER none", None),
    ("SRANDMEMBER none 2", []),
    ("SRANDMEMBER s 0", []),
    ("SISMEMBER s a", 1),
    ("SMISMEMBER s a b", [1, 0]),
    ("SMOVE s s2 x", 1),
    ("SINTERCARD 2 s s", 2),
    ("SSCAN s 0 MATCH x", [b"0", [b"x"]]),
    ("ZADD z NX CH 5 a 6 d", 1),
    ("ZADD z INCR 1.5 a", b"2.5"),
    ("ZADD z NX INCR 1 a", None),
    ("ZADD z GT INCR -1 a", None),
    ("ZADD z INCR 1 a 2 b", Failed("ERR INCR option supports a single increment-element pair")),
    ("ZADD z NX XX 1 a", Failed("ERR XX and NX options at the same time are not compatible")),
    ("ZADD z GT LT 1 a", Failed("ERR GT, LT, and/or NX options at the same time are not compatible")),
    ("ZADD z nan a", Failed("ERR value is not a valid float")),
    ("ZADD text 1 a", Failed("WRONGTYPE Operation against a key holding the wrong kind of value")),
    ("ZINCRBY z 1 a", b"2"),
    ("ZSCORE z b", b"2.5"),
    ("ZSCORE z none", None),
    ("ZMSCORE z a none", [b"1", None]),
    ("ZRANK z b", 1),
    ("ZRANK z b WITHSCORE", [1, b"2.5"]),
    ("ZRANK z none", None),
    ("ZRANK z none WITHSCORE", None),
    ("ZREVRANK z a WITHSCORE", [2, b"1"]),
    ("ZRANGE z 0 -1", [b"a", b"b", b"c"]),
    ("ZRANGE z 0 1 WITHSCORES", [b"a", b"1", b"b", b"2.5"]),
    ("ZRANGE z (1 +inf BYSCORE LIMIT 0 1", [b"b"]),
    ("ZRANGE z 3 1 BYSCORE REV", [b"c", b"b", b"a"]),
    (
        "ZRANGE z 0 1 LIMIT 0 1",
        Failed("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"),
    ),
    ("ZRANGE z x 1", Failed("ERR value is not an integer or out of range")),
    ("ZRANGE z x 1 BYSCORE", Failed("ERR min or max is not a float")),
    ("ZRANGE z x 1 BYLEX", Failed("ERR min or max not valid string range item")),
    ("ZREVRANGE z 0 0 WITHSCORES", [b"c", b"3"]),
    ("ZRANGEBYSCORE z 2 3 LIMIT 1 1", [b"c"]),
    ("ZREVRANGEBYSCORE z 3 2 WITHSCORES", [b"c", b"3", b"b", b"2.5"]),
    ("ZRANGEBYLEX z [a (c", [b"a", b"b"]),
    ("ZREVRANGEBYLEX z (c -", [b"b", b"a"]),
    ("ZPOPMIN z", [b"a", b"1"]),
    ("ZPOPMAX z 2", [b"c", b"3", b"b", b"2.5"]),
    ("ZPOPMIN none", []),
    ("ZMPOP 2 none z MAX COUNT 2", [b"z", [[b"c", b"3"], [b"b", b"2.5"]]]),
    ("ZMPOP 1 none MIN", None),
    ("BZPOPMIN none z 0", [b"z", b"a", b"1"]),
    ("BZMPOP 1 2 none z MIN", [b"z", [[b"a", b"1"]]]),
    ("ZUNION 2 z y", [b"c", b"a", b"b"]),
    ("ZINTER 2 z y WEIGHTS 2 1 WITHSCORES", [b"a", b"12", b"b", b"25"]),
    ("ZINTER 2 z s AGGREGATE MAX WITHSCORES", [b"a", b"1"]),
    ("ZDIFF 2 z y WITHSCORES", [b"c", b"3"]),
    ("ZUNION 1 text", Failed("WRONGTYPE Operation against a key holding the wrong kind of value")),
    ("ZUNIONSTORE text 2 z y", 3),
    ("ZRANDMEMBER none", None),
    ("ZRANDMEMBER none 2 WITHSCORES", []),
    ("ZRANDMEMBER z 0", []),
    ("ZSCAN z 0 MATCH b", [b"0", [b"b", b"2.5"]]),
    ("GEODIST g Palermo Catania", b"166274.1516"),
    ("GEODIST g Palermo Catania mi", b"103.3182"),
    ("GEODIST g Palermo none", None),
    ("GEOPOS g Palermo none", [PALERMO, None]),
    ("GEOHASH g Palermo none", [b"sqc8b49rny0", None]),
    ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", [b"Catania", b"Palermo"]),
    (
        "GEOSEARCH g FROMMEMBER Palermo BYBOX 10 10 m WITHHASH WITHCOORD WITHDIST",
        [[b"Palermo", b"0.0000", 3479099956230698, PALERMO]],
    ),
    ("GEOSEARCH g FROMMEMBER Palermo BYBOX 10 10 m WITHHASH", [[b"Palermo", 3479099956230698]]),
    ("GEOSEARCH g FROMMEMBER none BYRADIUS 1 m", Failed("ERR could not decode requested zset member")),
    ("GEOSEARCH none FROMMEMBER none BYRADIUS 1 m", []),
    ("GEOSEARCH g FROMLONLAT 200 1 BYRADIUS 1 m", Failed("ERR invalid longitude,latitude pair 200.000000,1.000000")),
    ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS -1 m", Failed("ERR radius cannot be negative")),
    ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m ANY", Failed("ERR the ANY argument requires COUNT argument")),
    ("GEOSEARCHSTORE h g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST", 2),
    ("GEORADIUS g 15 37 200 km WITHDIST DESC", [[b"Palermo", b"190.4424"], [b"Catania", b"56.4413"]]),
    ("GEORADIUS g 15 37 200 km COUNT 1", [b"Catania"]),
    ("GEORADIUS g 15 37 100 km STORE h", 1),
    (
        "GEORADIUS g 15 37 100 km WITHDIST STORE h",
        Failed("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options"),
    ),
    ("GEORADIUSBYMEMBER g Catania 1 m", [b"Catania"]),
    ("GEORADIUSBYMEMBER_RO g Catania 1 m STORE h", Failed("ERR syntax error")),
    ("GEORADIUS_RO none 15 37 200 km", []),
]


@pytest.mark.parametrize(("words", "reply"), LINES, ids=[words for words, _ in LINES])
def test_a_reply_has_the_form_that_redis_gives_it(line: TextLine, words: str, reply: Any) -> None:
    assert line(words) == reply


def test_the_newer_protocol_has_sets_pairs_and_doubles(line: TextLine) -> None:
    line("HELLO 3")
    assert sorted(line("SMEMBERS s")) == [b"a", b"x"]
    assert line("ZSCORE z b") == 2.5
    assert line("ZRANGE z 0 1 WITHSCORES") == [[b"a", 1.0], [b"b", 2.5]]
    assert line("ZPOPMIN z") == [b"a", 1.0]
    assert line("ZPOPMIN z 1") == [[b"b", 2.5]]
    assert line("ZRANK z c WITHSCORE") == [0, 3.0]
    assert line("ZSCAN z 0") == [b"0", [b"c", b"3"]]
    assert line("GEOPOS g Palermo") == [[float(degrees) for degrees in PALERMO]]
    assert line("GEODIST g Palermo Catania") == b"166274.1516"


def test_a_store_replaces_whatever_is_there_and_nothing_found_deletes_it(line: TextLine) -> None:
    for words in (
        "SINTERSTORE text s s",
        "ZRANGESTORE text z 0 -1",
        "ZINTERSTORE text 2 z y",
        "GEOSEARCHSTORE text g FROMLONLAT 15 37 BYRADIUS 200 km",
    ):
        assert line("SET text t EX 100") == "OK"
        assert line(words) == 2 + ("RANGE" in words)
        assert line("TYPE text") == ("set" if words.startswith("S") else "zset")
        assert line("TTL text") == -1
    for words in (
        "SDIFFSTORE text s s",
        "ZRANGESTORE text none 0 -1",
        "ZDIFFSTORE text 2 z z",
        "GEOSEARCHSTORE text none FROMLONLAT 15 37 BYRADIUS 200 km",
        "GEORADIUS none 1 1 1 m STORE text",
    ):
        line("SET text t")
        assert line(words) == 0
        assert line("EXISTS text") == 0
