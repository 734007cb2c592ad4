"""Keys of every type: existence, expiry, renaming, copying, dumping, sorting, scanning."""

from tests.redis.family import Family, move, scan
from tests.redis.vocabulary import vocabulary, words

_FILL = """
    2* SET {key} {value}
    RPUSH {key} {value} {value}...
    SADD {key} {member} {member}...
    ZADD {key} {score} {member} [{score} {member}]...
    HSET {key} {field} {value}
    XADD {key} 1-1 f v
    PFADD {key} {member}
"""
_SCORE = words("1 2 -1 1.5")

KEYS = Family(
    "keys",
    _FILL
    + """
    2* DEL {key} {key}...
    UNLINK {key} {key}...
    2* EXISTS {key} {key}...
    TOUCH {key} {key}...
    2* TYPE {key}
    3* EXPIRE {key} {seconds} [NX|XX|GT|LT]
    2* PEXPIRE {key} {millis} [NX|XX|GT|LT]
    2* EXPIREAT {key} {at} [NX|XX|GT|LT]
    2* PEXPIREAT {key} {at_ms} [NX|XX|GT|LT]
    EXPIRE {key} {seconds} (NX|XX|GT|LT) (NX|XX|GT|LT)
    3* TTL {key}
    3* PTTL {key}
    2* EXPIRETIME {key}
    2* PEXPIRETIME {key}
    2* PERSIST {key}
    3* RENAME {key} {key}
    2* RENAMENX {key} {key}
    3* COPY {key} {key} <[DB {db}] [REPLACE]>
    2* MOVE {key} {db}
    2* SELECT {db}
    SWAPDB {db} {db}
    FLUSHDB [SYNC|ASYNC]
    FLUSHALL [SYNC|ASYNC|{junk}]
    2* KEYS {glob}
    RANDOMKEY
    DBSIZE
    OBJECT ENCODING {key}
    OBJECT REFCOUNT absent
    OBJECT IDLETIME {key}
    OBJECT FREQ absent
    MEMORY USAGE {key} [SAMPLES {count}]
    GET {key}
    LRANGE {key} 0 -1
    SMEMBERS {key}
    HGETALL {key}
    ZRANGE {key} 0 -1 WITHSCORES
    XLEN {key}
    PFCOUNT {key}
    """,
    vocabulary(key=words("a a a b b c") + words("absent ab [x] a*b", b"", b"\xff\x00k"), score=_SCORE),
)

SCANS = Family(
    "scan",
    _FILL
    + """
    SADD {key} {member} {member}... {member}... {member}...
    HSET {key} {field} {value} [{field} {value}]... [{field} {value}]...
    ZADD {key} {score} {member} [{score} {member}]... [{score} {member}]...
    SADD {key} 1 2 3 4 5 6
    DEL {key}
    SREM {key} {member}
    HDEL {key} {field}
    SCAN {cursor} <[MATCH {glob}] [COUNT {count}] [TYPE {type}]>
    SSCAN {key} {cursor} <[MATCH {glob}] [COUNT {count}]>
    HSCAN {key} {cursor} <[MATCH {glob}] [COUNT {count}]>
    ZSCAN {key} {cursor} <[MATCH {glob}] [COUNT {count}]>
    KEYS {glob}
    """,
    vocabulary(
        score=_SCORE, cursor=words("0 0 x -1 1.0", b"", b" 0"), type=words("string list set zset hash stream x")
    ),
    composed=tuple(
        scan(
            line,
            "<[MATCH {glob}] [COUNT {positive}]" + more,
            vocabulary(type=words("string list set zset hash stream x STRING")),
        )
        for line, more in (
            ("SCAN", " [TYPE {type}]>"),
            ("SSCAN {key}", ">"),
            ("HSCAN {key}", ">"),
            ("ZSCAN {key}", ">"),
        )
    )
    * 2,
)

_SORTED = vocabulary(
    value=words("1 2 3 10 -5 1.5 a b B 1e2 m", b""),
    member=words("1 2 3 10 -5 1.5 a m"),
    score=_SCORE,
    by=words("w_* h_*->f nosort * w_*_* h_*-> absent* x"),
    get=words("# w_* h_*->f h_*->g * absent #x s_*"),
    offset=words("0 1 -1 2 100"),
    limit=words("1 2 -1 0 100"),
)
SORT = Family(
    "sort",
    """
    3* RPUSH {key} {value} {value}... {value}...
    2* SADD {key} {member} {member}...
    2* ZADD {key} {score} {member} [{score} {member}]...
    SET w_1 5
    SET w_2 -1
    SET w_3 1.5
    SET w_10 x
    SET w_a 7
    HSET h_1 f 9 g one
    HSET h_2 f 8
    HSET h_a f 3 g three
    8* SORT {key} <[BY {by}] [LIMIT {offset} {limit}] [GET {get}]... [ASC|DESC] [ALPHA]>
    2* SORT {key} <ALPHA [LIMIT {offset} {limit}] [GET {get}]... [ASC|DESC]>
    2* SORT {key} <[LIMIT {offset} {limit}] [GET {get}]... [DESC] ALPHA STORE {key}>
    2* SORT {key} <[BY {by}] [LIMIT {offset} {limit}] [GET {get}]... [DESC] STORE {key}>
    2* SORT_RO {key} <[BY {by}] [LIMIT {offset} {limit}] [GET {get}] [DESC] ALPHA>
    SORT_RO {key} ALPHA STORE {key}
    2* LRANGE {key} 0 -1
    DEL {key}
    """,
    _SORTED,
    prelude=("SET wrong x",),
)

_LIFE = vocabulary(millis=words("100000 5000000 0 -1 x 1.5"))
_MOVES = (
    move("{millis} <[REPLACE] [ABSTTL] [IDLETIME {count}|FREQ {count}]>", _LIFE),
    move("0 [REPLACE]", _LIFE),
    move("0 REPLACE", _LIFE),
    move("0 REPLACE", _LIFE),
    move("{at_ms} REPLACE ABSTTL", _LIFE),
)

DUMPS = Family(
    "dump",
    _FILL
    + """
    EXPIRE {key} {seconds}
    DUMP {key}
    RESTORE {key} 0 {value}
    2* TTL {key}
    TYPE {key}
    GET {key}
    LRANGE {key} 0 -1
    SMEMBERS {key}
    HGETALL {key}
    ZRANGE {key} 0 -1 WITHSCORES
    XRANGE {key} - +
    XINFO STREAM {key} FULL
    XGROUP CREATE {key} g1 0
    XREADGROUP GROUP g1 c1 STREAMS {key} {greater}
    PFCOUNT {key}
    DEL {key}
    """,
    vocabulary(score=_SCORE, greater=(b">",)),
    composed=_MOVES,
)


FAMILIES = (KEYS, SCANS, SORT, DUMPS)
