"""What several connections do together: transactions, publishing, notifications, waiting."""

from tests.redis.family import Family
from tests.redis.vocabulary import vocabulary, words

TRANSACTIONS = Family(
    "transactions",
    """
    6* MULTI
    6* EXEC
    DISCARD
    3* WATCH {key} [{key}]...
    UNWATCH
    4* SET {key} {value}
    2* GET {key}
    3* INCR {key}
    DEL {key}
    2* RPUSH {key} {value}
    LPOP {key}
    LRANGE {key} 0 -1
    HSET {key} f {value}
    SADD {key} {value}
    ZADD {key} 1 m
    BLPOP {key} 0
    BLMOVE {key} {key} LEFT RIGHT 0
    BZPOPMIN {key} 0
    EXPIRE {key} {seconds}
    PEXPIREAT {key} 1
    RENAME {key} {key}
    COPY {key} {key} REPLACE
    FLUSHDB
    FLUSHALL
    SELECT (0|1)
    SWAPDB 0 1
    MOVE {key} 1
    NOSUCH {key}
    GET
    SET {key}
    PING
    RESET
    PUBLISH {key} {value}
    SUBSCRIBE {key}
    MSET {key} {value} {key} {value}
    XADD {key} 1-1 f v
    """,
    vocabulary(
        key=words("a a a b b c"),
        value=words("1 x 10", b""),
        seconds=(b"100", b"0", b"-1"),
    ),
    connections=2,
)

_CHANNELS = vocabulary(
    key=words("a b c"),
    channel=words("one one two three", b"h\xffx"),
    pattern=words("* o* t[wh]* one ?ne", b"x\\*"),
    payload=words("hello 1", b"", b"\x00\xff", b"a\r\nb"),
)

PUBSUB = Family(
    "pub/sub",
    """
    4* SUBSCRIBE {channel} [{channel}]...
    2* UNSUBSCRIBE [{channel}] [{channel}]...
    3* PSUBSCRIBE {pattern} [{pattern}]...
    2* PUNSUBSCRIBE [{pattern}] [{pattern}]...
    2* SSUBSCRIBE {channel} [{channel}]...
    SUNSUBSCRIBE [{channel}] [{channel}]...
    8* PUBLISH {channel} {payload}
    3* SPUBLISH {channel} {payload}
    PUBSUB CHANNELS [{pattern}]
    PUBSUB NUMSUB [{channel}] [{channel}]
    PUBSUB NUMPAT
    PUBSUB SHARDCHANNELS [{pattern}]
    PUBSUB SHARDNUMSUB [{channel}] [{channel}]
    2* PING [{payload}]
    GET {key}
    SET {key} {payload}
    MULTI
    EXEC
    RESET
    SELECT 1
    """,
    _CHANNELS,
    connections=3,
)

NOTIFICATIONS = Family(
    "notifications",
    """
    2* 0> PSUBSCRIBE __key*
    0> SUBSCRIBE __keyevent@0__:set
    3* 1> SET {key} {value} [EX 100]
    1> DEL {key} {key}
    2* 1> EXPIRE {key} {seconds}
    1> PERSIST {key}
    1> RENAME {key} {key}
    1> COPY {key} {key}
    1> MOVE {key} 1
    1> INCR {key}
    1> INCRBYFLOAT {key} 1.5
    1> APPEND {key} x
    1> SETRANGE {key} 1 y
    1> GETDEL {key}
    1> GETEX {key} (EX 100|PERSIST|EXAT 1)
    1> MSET {key} 1 {key} 2
    1> SETBIT {key} 3 1
    1> BITOP NOT {key} {key}
    1> BITFIELD {key} SET u8 0 5
    2* 1> RPUSH {key} x y
    1> LPUSH {key} x
    1> LPOP {key}
    1> RPOP {key} 2
    1> LMOVE {key} {key} LEFT RIGHT
    1> LSET {key} 0 z
    1> LTRIM {key} 1 -1
    1> LREM {key} 0 x
    1> LINSERT {key} BEFORE x w
    2* 1> HSET {key} f 1
    1> HDEL {key} f
    1> HINCRBY {key} f 1
    1> HINCRBYFLOAT {key} f 1.5
    2* 1> SADD {key} m n
    1> SREM {key} m
    1> SMOVE {key} {key} m
    1> SUNIONSTORE {key} {key}
    1> SINTERSTORE {key} {key} {key}
    1> SDIFFSTORE {key} {key} {key}
    2* 1> ZADD {key} 1 m
    1> ZADD {key} INCR 1 m
    1> ZINCRBY {key} 1 m
    1> ZREM {key} m
    1> ZPOPMIN {key}
    1> ZREMRANGEBYRANK {key} 0 -1
    1> ZUNIONSTORE {key} 1 {key}
    1> ZRANGESTORE {key} {key} 0 -1
    1> GEOADD {key} 1 1 p
    1> PFADD hll x
    1> PFMERGE hll hll
    1> SORT {key} ALPHA STORE {key}
    2* 1> XADD {key} {id} f v
    1> XDEL {key} 1-1
    1> XTRIM {key} MAXLEN 0
    1> XGROUP CREATE {key} g 0
    1> XGROUP DESTROY {key} g
    1> XGROUP CREATECONSUMER {key} g c
    1> XSETID {key} 9-9
    1> SETEX {key} 100 x
    1> SET {key} 1 KEEPTTL
    1> SETNX {key} 1
    1> GETSET {key} 1
    1> INCRBY {key} 2
    1> DECR {key}
    1> MSETNX {key} 1 {key} 2
    1> PEXPIREAT {key} 1
    1> RENAMENX {key} {key}
    1> UNLINK {key}
    1> COPY {key} {key} DB 1
    1> SWAPDB 0 1
    1> HSETNX {key} f 1
    1> HMSET {key} f 1 g 2
    1> LPUSHX {key} x
    1> RPOPLPUSH {key} {key}
    1> LMPOP 1 {key} LEFT COUNT 2
    1> SPOP {key} 9
    1> SMISMEMBER {key} m
    1> ZPOPMAX {key}
    1> ZMPOP 1 {key} MIN
    1> ZREMRANGEBYSCORE {key} 0 9
    1> ZREMRANGEBYLEX {key} - +
    1> ZINTERSTORE {key} 1 {key}
    1> ZDIFFSTORE {key} 1 {key}
    1> GEOSEARCHSTORE {key} {key} FROMLONLAT 1 1 BYRADIUS 5 km
    1> GEORADIUS {key} 1 1 5 km STORE {key}
    1> GEORADIUSBYMEMBER {key} p 5 km STOREDIST {key}
    1> XADD {key} MAXLEN 1 * f v
    1> XTRIM {key} MINID 2
    1> XGROUP SETID {key} g 0
    1> XGROUP DELCONSUMER {key} g c
    1> XREADGROUP GROUP g c STREAMS {key} {new}
    1> XACK {key} g 1-1
    1> XCLAIM {key} g d 0 1-1
    1> GET {key}
    1> MULTI
    1> EXEC
    1> FLUSHDB
    1> CONFIG SET notify-keyspace-events (KEA|E$|Kl|KEAm|KEAn|KEg|AKE|x|Ez|KExe)
    1> CONFIG GET notify-keyspace-events
    """,
    vocabulary(
        key=words("a a b c"),
        value=(b"1", b"x"),
        seconds=(b"100", b"-1"),
        id=(b"1-1", b"2-1"),
        new=(b">",),
    ),
    prelude=("CONFIG SET notify-keyspace-events KEA",),
    connections=2,
    spoils=False,
)

BLOCKING = Family(
    "blocking",
    """
    3* BLPOP {key} [{key}]... {forever}
    3* BRPOP {key} [{key}]... {forever}
    2* BLMOVE {key} {key} {side} {side} {forever}
    2* BRPOPLPUSH {key} {key} {forever}
    2* BLMPOP {forever} {numkeys} {key} [{key}]... {side} [COUNT {size}]
    2* BZPOPMIN {key} [{key}]... {forever}
    2* BZPOPMAX {key} [{key}]... {forever}
    2* BZMPOP {forever} {numkeys} {key} [{key}]... (MIN|MAX) [COUNT {size}]
    2* XREAD [COUNT {size}] BLOCK {still} STREAMS {key} {after}
    2* XREADGROUP GROUP g c [COUNT {size}] BLOCK {still} STREAMS {key} (>|0)
    XGROUP CREATE {key} g {after} MKSTREAM
    XGROUP DESTROY {key} g
    3* RPUSH {key} {value} {value}...
    2* LPUSH {key} {value} {value}...
    2* ZADD {key} {score} {value}
    2* XADD {key} {id} f v
    SET {key} {value}
    DEL {key}
    LRANGE {key} 0 -1
    ZRANGE {key} 0 -1
    RENAME {key} {key}
    COPY {key} {key}
    LMOVE {key} {key} LEFT RIGHT
    RPOPLPUSH {key} {key}
    SORT {key} ALPHA STORE {key}
    ZUNIONSTORE {key} 1 {key}
    MULTI
    EXEC
    FLUSHDB
    PING
    """,
    vocabulary(
        key=words("a a b c"),
        value=words("x y z 1"),
        score=(b"1", b"2"),
        forever=words("0 0 0 0.0 -1 x 1e400"),
        still=words("0 0 0 -1 x"),
        side=words("LEFT RIGHT"),
        numkeys=(b"1", b"2", b"0"),
        size=words("1 2 0 10"),
        after=(b"$", b"0", b"1-1"),
        id=(b"1-1", b"2-1", b"3-1"),
    ),
    connections=3,
    spoils=False,
)

TIMEOUTS = Family(
    "timeouts",
    """
    BLPOP {key} {key} {soon}
    BRPOP {key} {soon}
    BLMOVE {key} {key} LEFT RIGHT {soon}
    BRPOPLPUSH {key} {key} {soon}
    BLMPOP {soon} 1 {key} LEFT
    BZPOPMIN {key} {soon}
    BZPOPMAX {key} {soon}
    BZMPOP {soon} 1 {key} MIN
    XREAD BLOCK {ms} STREAMS {key} $
    RPUSH {key} x
    PING
    """,
    vocabulary(key=words("a b"), soon=(b"0.01", b"0.001", b"1e-3"), ms=(b"1", b"10")),
    spoils=False,
    keyed=False,
)

FAMILIES = (TRANSACTIONS, PUBSUB, NOTIFICATIONS, BLOCKING, TIMEOUTS)
