"""Hashes, lists and sets."""

from tests.redis.family import Family, pick, scan
from tests.redis.vocabulary import vocabulary, words

HASHES = Family(
    "hashes",
    """
    4* HSET {key} {field} {value} [{field} {value}]...
    HSET {key} {field}
    HMSET {key} {field} {value} [{field} {value}]...
    HSETNX {key} {field} {value}
    3* HGET {key} {field}
    2* HMGET {key} {field} {field}...
    2* HDEL {key} {field} {field}...
    HEXISTS {key} {field}
    HLEN {key}
    HSTRLEN {key} {field}
    HKEYS {key}
    HVALS {key}
    2* HGETALL {key}
    4* HINCRBY {key} {field} {int}
    4* HINCRBYFLOAT {key} {field} {float}
    = HRANDFIELD {key} 0
    TYPE {key}
    DEL {key}
    EXPIRE {key} {seconds}
    TTL {key}
    """,
    vocabulary(
        field=words("m m n n o p") + words("1", b"", b"\x00\xfe", b"z" * 70),
        value=words("1 5 x 10.5 3.0 9223372036854775807 -9223372036854775808 1e2", b"", b" 1", b"\x00\xff", b"y" * 70),
    ),
    composed=(
        pick("HGETALL {key}", "HRANDFIELD {key} [{count} [WITHVALUES]]"),
        pick("HGETALL {key}", "HRANDFIELD {key} {count} [WITHVALUES|x]"),
        scan("HSCAN {key}", "<[MATCH {glob}] [COUNT {positive}]>"),
    ),
    prelude=("SET wrong x",),
)

_ELEMENTS = words("x y z x 1 10 -5 007 3.5", b"", b"\x00\xff", b"w" * 70)

LISTS = Family(
    "lists",
    """
    3* RPUSH {key} {element} {element}... {element}...
    3* LPUSH {key} {element} {element}...
    LPUSHX {key} {element} {element}...
    RPUSHX {key} {element} {element}...
    2* LPOP {key} [{count}]
    2* RPOP {key} [{count}]
    LLEN {key}
    4* LRANGE {key} {index} {index}
    2* LINDEX {key} {index}
    2* LSET {key} {index} {element}
    2* LTRIM {key} {index} {index}
    2* LREM {key} {index} {element}
    2* LINSERT {key} (BEFORE|AFTER|before|x) {element} {element}
    3* LPOS {key} {element} <[RANK {index}] [COUNT {count}] [MAXLEN {count}]>
    RPOPLPUSH {key} {key}
    2* LMOVE {key} {key} {side} {side}
    2* LMPOP {numkeys} {key} [{key}]... {side} [COUNT {count}]
    TYPE {key}
    DEL {key}
    """,
    vocabulary(element=_ELEMENTS, side=words("LEFT RIGHT left RIGHT LEFT x"), numkeys=words("1 1 2 3 0 -1 x")),
    prelude=("SET wrong x",),
)

SETS = Family(
    "sets",
    """
    5* SADD {key} {member} {member}... {member}...
    2* SREM {key} {member} {member}...
    SCARD {key}
    2* SISMEMBER {key} {member}
    SMISMEMBER {key} {member} {member}...
    3* SMEMBERS {key}
    2* SMOVE {key} {key} {member}
    = SPOP {key} (0|100|{nocount})
    SINTER {key} {key} {key}...
    SUNION {key} {key} {key}...
    SDIFF {key} {key} {key}...
    SINTERSTORE {key} {key} {key}...
    SUNIONSTORE {key} {key} {key}...
    SDIFFSTORE {key} {key} {key}...
    2* SINTERCARD {numkeys} {key} [{key}]... [LIMIT {count}]
    TYPE {key}
    DEL {key}
    """,
    vocabulary(numkeys=words("1 1 2 2 3 0 -1 x"), nocount=words("-1 x 9223372036854775808", b"")),
    composed=(
        pick("SMEMBERS {key}", "SRANDMEMBER {key} [{count}]"),
        pick("SMEMBERS {key}", "SPOP {key} [{count}]", "DEL {key}"),
        scan("SSCAN {key}", "<[MATCH {glob}] [COUNT {positive}]>"),
    ),
    prelude=("SET wrong x",),
)

HYPERLOGLOG = Family(
    "hyperloglog",
    """
    4* PFADD {key} [{member}] [{member}]... [{member}]...
    3* PFCOUNT {key} {key}...
    2* PFMERGE {key} {key}...
    PFMERGE {key}
    EXISTS {key}
    TYPE {key}
    DEL {key}
    SET {key} {value}
    EXPIRE {key} {seconds}
    TTL {key}
    RENAME {key} {key}
    COPY {key} {key}
    """,
    vocabulary(key=words("a a b b c wrong absent")),
    prelude=("RPUSH wrong x",),
)

FAMILIES = (HASHES, LISTS, SETS, HYPERLOGLOG)
