"""Sorted sets and geo."""

from tests.redis.family import Family, pick, scan
from tests.redis.vocabulary import vocabulary, words

_SCORES = words(
    "1 2 3 0 -1 1 1.5 -2.5 inf -inf +inf 0.1 3.14159265358979 1e3 1e17 1e-7 9007199254740993 -0 nan x 1e400 0x10",
    b"",
    b" 1",
)
_BOUNDS = words("-inf +inf inf 1 2 0 -1 (1 (2 (0 (-inf (+inf 1.5 x ( nan (x [1", b"")
_WORDS = vocabulary(
    score=_SCORES[:16] + _SCORES,
    bound=_BOUNDS[:13] + _BOUNDS,
    lex=words("- + [m (m [n (p [ ( [1 (2 - + x m ++ [z", b"[\xff", b""),
    numkeys=words("1 2 2 2 1 3 0 -1 x"),
    weight=words("1 2 0 -1 1.5 inf x nan"),
    aggregate=words("SUM MIN MAX sum x"),
    where=words("MIN MAX min MAX x"),
    limit=words("0 1 -1 2 100 x"),
)

SORTED_SETS = Family(
    "sorted sets",
    """
    6* ZADD {key} {score} {member} [{score} {member}]... [{score} {member}]...
    4* ZADD {key} <[NX|XX] [GT|LT] [CH] [INCR]> {score} {member} [{score} {member}]
    ZADD {key} (NX|XX|GT|LT|CH|INCR)... {score} {member}
    2* ZINCRBY {key} {score} {member}
    2* ZREM {key} {member} {member}...
    ZCARD {key}
    2* ZSCORE {key} {member}
    ZMSCORE {key} {member} {member}...
    ZCOUNT {key} {bound} {bound}
    3* ZRANGE {key} {index} {index} <[REV] [WITHSCORES]>
    3* ZRANGE {key} {bound} {bound} <BYSCORE [REV] [LIMIT {limit} {limit}] [WITHSCORES]>
    ZRANGE {key} {index} {index} <[BYSCORE] [BYLEX] [REV] [LIMIT {limit} {limit}] [WITHSCORES]>
    ZREVRANGE {key} {index} {index} [WITHSCORES]
    2* ZRANGEBYSCORE {key} {bound} {bound} <[WITHSCORES] [LIMIT {limit} {limit}]>
    ZREVRANGEBYSCORE {key} {bound} {bound} <[WITHSCORES] [LIMIT {limit} {limit}]>
    2* ZRANGESTORE {key} {key} (0 -1|{bound} {bound} BYSCORE|{index} {index}) <[REV] [LIMIT {limit} {limit}]>
    ZRANK {key} {member}
    ZREVRANK {key} {member}
    2* ZPOPMIN {key} [{count}]
    2* ZPOPMAX {key} [{count}]
    2* ZMPOP {numkeys} {key} [{key}]... {where} [COUNT {count}]
    ZREMRANGEBYRANK {key} {index} {index}
    ZREMRANGEBYSCORE {key} {bound} {bound}
    TYPE {key}
    DEL {key}
    """,
    _WORDS,
    composed=(
        pick("ZRANGE {key} 0 -1 WITHSCORES", "ZRANDMEMBER {key} [{count} [WITHSCORES]]", vocabulary=_WORDS),
        scan("ZSCAN {key}", "<[MATCH {glob}] [COUNT {positive}]>"),
    ),
    prelude=("SET wrong x",),
)

SORTED_SETS_BY_NAME = Family(
    "sorted sets by name",
    """
    6* ZADD {key} 0 {member} 0 {member} [0 {member}]... [0 {member}]...
    ZREM {key} {member}
    2* ZLEXCOUNT {key} {lex} {lex}
    5* ZRANGE {key} {lex} {lex} <BYLEX [REV] [LIMIT {limit} {limit}]>
    2* ZRANGEBYLEX {key} {lex} {lex} [LIMIT {limit} {limit}]
    2* ZREVRANGEBYLEX {key} {lex} {lex} [LIMIT {limit} {limit}]
    ZREMRANGEBYLEX {key} {lex} {lex}
    ZRANGESTORE {key} {key} {lex} {lex} <BYLEX [REV] [LIMIT {limit} {limit}]>
    ZRANGE {key} 0 -1
    """,
    _WORDS,
    prelude=("SET wrong x",),
)

SORTED_SET_ALGEBRA = Family(
    "sorted set algebra",
    """
    4* ZADD {key} {score} {member} [{score} {member}]... [{score} {member}]...
    2* SADD {key} {member} {member}...
    2* ZUNION {numkeys} {key} {key} <[WEIGHTS {weight} {weight}] [AGGREGATE {aggregate}] [WITHSCORES]>
    2* ZINTER {numkeys} {key} {key} <[WEIGHTS {weight} {weight}] [AGGREGATE {aggregate}] [WITHSCORES]>
    ZUNION {numkeys} {key} [{key}]... [WEIGHTS {weight}...] [WITHSCORES]
    2* ZDIFF {numkeys} {key} [{key}]... [WITHSCORES]
    ZUNIONSTORE {key} {numkeys} {key} {key} <[WEIGHTS {weight} {weight}] [AGGREGATE {aggregate}]>
    ZINTERSTORE {key} {numkeys} {key} {key} <[WEIGHTS {weight} {weight}] [AGGREGATE {aggregate}]>
    ZUNIONSTORE {key} {numkeys} {key} [{key}]... [WITHSCORES]
    ZDIFFSTORE {key} {numkeys} {key} [{key}]...
    2* ZINTERCARD {numkeys} {key} [{key}]... [LIMIT {limit}]
    3* ZRANGE {key} 0 -1 WITHSCORES
    ZSCORE {key} {member}
    TYPE {key}
    DEL {key}
    """,
    _WORDS,
    prelude=("SET wrong x",),
)

GEO = Family(
    "geo",
    """
    6* GEOADD {key} {longitude} {latitude} {place} [{longitude} {latitude} {place}]...
    2* GEOADD {key} <[NX|XX] [CH]> {longitude} {latitude} {place}
    GEOADD {key} (NX|XX|CH)... {longitude} {latitude} {place}
    2* GEOPOS {key} [{place}] {place}...
    2* GEODIST {key} {place} {place} [{unit}]
    GEOHASH {key} [{place}] {place}...
    4* GEOSEARCH {key} <(FROMMEMBER {place}|FROMLONLAT {longitude} {latitude}) (BYRADIUS {radius} {unit}|BYBOX \
        {radius} {radius} {unit}) [ASC|DESC] [COUNT {count} [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]>
    GEOSEARCH {key} <[FROMMEMBER {place}] [FROMLONLAT {longitude} {latitude}] [BYRADIUS {radius} {unit}] [BYBOX \
        {radius} {radius} {unit}]>
    2* GEOSEARCHSTORE {key} {key} <(FROMMEMBER {place}|FROMLONLAT {longitude} {latitude}) (BYRADIUS {radius} \
        {unit}|BYBOX {radius} {radius} {unit}) [ASC] [COUNT {count}] [STOREDIST]>
    2* GEORADIUS {key} {longitude} {latitude} {radius} {unit} <[WITHCOORD] [WITHDIST] [WITHHASH] [ASC|DESC] \
        [COUNT {count} [ANY]] [(STORE|STOREDIST) {key}]>
    2* GEORADIUSBYMEMBER {key} {place} {radius} {unit} <[WITHCOORD] [WITHDIST] [ASC|DESC] [COUNT {count}] \
        [(STORE|STOREDIST) {key}]>
    GEORADIUS_RO {key} {longitude} {latitude} {radius} {unit} <[WITHCOORD] [WITHDIST] [WITHHASH] [ASC|DESC] \
        [COUNT {count}]>
    GEORADIUSBYMEMBER_RO {key} {place} {radius} {unit} <[WITHCOORD] [WITHDIST] [DESC] [STORE {key}]>
    ZADD {key} {score} {place}
    ZRANGE {key} 0 -1
    ZSCORE {key} {place}
    ZREM {key} {place}
    DEL {key}
    """,
    vocabulary(
        key=words("a a a a b b wrong absent"),
        longitude=words("13.361389 15.087269 2.349014 -0.127758 0 180 -180 179.9 181 x nan", b""),
        latitude=words("38.115556 37.502669 48.864716 51.507351 0 85.05112878 -85.05112878 86 -1.5 x nan"),
        place=words("Palermo Catania Paris London Palermo Catania absent null"),
        unit=words("km m km mi ft KM x"),
        radius=words("200 1000 0 50000 1 100.5 -1 x nan 2000000"),
        score=words("1 3479099956230698 0 9007199254740991"),
    ),
    prelude=("SET wrong x",),
)

FAMILIES = (SORTED_SETS, SORTED_SETS_BY_NAME, SORTED_SET_ALGEBRA, GEO)
