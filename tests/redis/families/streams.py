"""Streams and their consumer groups."""

from tests.redis.family import Family
from tests.redis.vocabulary import vocabulary, words

_WORDS = vocabulary(
    id=words(
        "1-1 2-1 2-2 3-0 5-* 5-5 7 0-1 0-0 0 4-18446744073709551615 4-* "
        "18446744073709551615-18446744073709551615 18446744073709551616-0 x 1-x - 1-1-1 -1-1 01-1",
        b"",
    ),
    from_=words("- 0 1-1 2 (1-1 (2 2-1 3-0 + (- x (x 18446744073709551615-18446744073709551615 ($"),
    to=words("+ 5 2-1 (3-0 2 3-0 - (+ x 0-0"),
    after=words("0 0-0 1-1 2 2-1 $ 3-0 x > - +"),
    new=words("> > > > 0 0-0 1-1 $ x"),
    group=words("g1 g1 g1 g2 nogroup"),
    consumer=words("c1 c1 c2 c3"),
    old=words("1-1 2-1 3-0 2-2 5-5 9-9 x 0"),
    idle=words("0 0 0 100000 -1 x"),
    time=(b"0", b"1000", b"1700000000000"),
    threshold=words("0 1 2 5 -1 x"),
    minid=words("0 1-1 2 3-0 x"),
    size=words("1 2 10 0 -1 x"),
    key=words("a a a a a b b absent wrong"),
    bytes=words("v 1", b"", b"\x00\xff"),
)

STREAMS = Family(
    "streams",
    """
    8* XADD {key} {id} f {bytes} [g {bytes}]
    2* XADD {key} <[NOMKSTREAM] [MAXLEN [=] {threshold}|MINID [=] {minid}]> {id} f {bytes}
    XADD {key} MAXLEN ~ {threshold} LIMIT {size} {id} f v
    XADD {key} {id} f
    2* XLEN {key}
    3* XRANGE {key} {from_} {to} [COUNT {count}]
    3* XREVRANGE {key} {to} {from_} [COUNT {count}]
    2* XDEL {key} {old} {old}...
    2* XTRIM {key} (MAXLEN [=] {threshold}|MINID [=] {minid})
    XTRIM {key} (MAXLEN|MINID) (~|=) 100 [LIMIT {size}]
    2* XREAD <[COUNT {size}]> STREAMS {key} {after}
    2* XREAD [COUNT {size}] STREAMS {key} {key} {after} {after}
    XREAD STREAMS {key} {key} {after}
    2* XSETID {key} {id} [ENTRIESADDED {threshold}] [MAXDELETEDID {old}]
    XINFO STREAM {key} [FULL [COUNT {size}]]
    TYPE {key}
    DEL {key}
    COPY {key} {key}
    """,
    _WORDS,
    prelude=("SET wrong x",),
)

GROUPS = Family(
    "stream groups",
    """
    5* XADD {key} {id} f {bytes}
    2* XGROUP CREATE {key} {group} {after} <[MKSTREAM] [ENTRIESREAD {threshold}]>
    XGROUP CREATE {key} g1 0 MKSTREAM
    XGROUP SETID {key} {group} {after} [ENTRIESREAD {threshold}]
    XGROUP DESTROY {key} {group}
    XGROUP CREATECONSUMER {key} {group} {consumer}
    XGROUP DELCONSUMER {key} {group} {consumer}
    6* XREADGROUP GROUP {group} {consumer} <[COUNT {size}] [NOACK]> STREAMS {key} {new}
    XREADGROUP GROUP {group} {consumer} STREAMS {key} {key} {new} {new}
    2* XACK {key} {group} {old} {old}...
    2* XPENDING {key} {group}
    3* XPENDING {key} {group} [IDLE {idle}] {from_} {to} {size} [{consumer}]
    3* XCLAIM {key} {group} {consumer} {idle} {old} {old}... <[IDLE {idle}] [TIME {time}] [RETRYCOUNT {size}] \
        [FORCE] [JUSTID] [LASTID {old}]>
    3* XAUTOCLAIM {key} {group} {consumer} {idle} {from_} <[COUNT {size}] [JUSTID]>
    XDEL {key} {old} {old}...
    XTRIM {key} MAXLEN {threshold}
    XINFO GROUPS {key}
    XINFO CONSUMERS {key} {group}
    XINFO STREAM {key} [FULL [COUNT {size}]]
    XRANGE {key} - +
    DEL {key}
    """,
    _WORDS,
    prelude=("SET wrong x", "XADD a 1-1 f v", "XADD a 2-1 f v", "XGROUP CREATE a g1 0"),
)

FAMILIES = (STREAMS, GROUPS)
