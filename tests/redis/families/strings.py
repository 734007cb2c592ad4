"""Strings, counters and bitmaps."""

from tests.redis.family import Family
from tests.redis.vocabulary import INT64, vocabulary, words

STRINGS = Family(
    "strings",
    """
    4* SET {key} {value}
    4* SET {key} {value} <[NX|XX] [GET] [EX {seconds}|PX {millis}|EXAT {at}|PXAT {at_ms}|KEEPTTL]>
    SET {key} {value} <(NX|XX|GET|KEEPTTL)... (EX {seconds}|PX {millis})...>
    3* GET {key}
    SETNX {key} {value}
    SETEX {key} {seconds} {value}
    PSETEX {key} {millis} {value}
    GETSET {key} {value}
    GETDEL {key}
    GETEX {key} [EX {seconds}|PX {millis}|EXAT {at}|PXAT {at_ms}|PERSIST]
    GETEX {key} (EX {seconds}|PERSIST)...
    2* MGET {key} {key}...
    MSET {key} {value} [{key} {value}]...
    MSETNX {key} {value} [{key} {value}]...
    2* APPEND {key} {value}
    STRLEN {key}
    2* GETRANGE {key} {index} {index}
    SUBSTR {key} {index} {index}
    2* SETRANGE {key} {offset} {value}
    LCS {key} {key} [LEN|IDX|IDX WITHMATCHLEN|IDX MINMATCHLEN {index}]
    LCS {key} {key} <[LEN] [IDX] [WITHMATCHLEN] [MINMATCHLEN {count}]>
    TTL {key}
    PTTL {key}
    EXISTS {key} {key}...
    TYPE {key}
    DEL {key}
    """,
    vocabulary(offset=words("0 1 3 10 70 -1 536870912 9223372036854775807 x", b"")),
    prelude=("RPUSH wrong x",),
)

COUNTERS = Family(
    "counters",
    """
    3* SET {key} {number} [EX {seconds}]
    3* INCR {key}
    3* DECR {key}
    3* INCRBY {key} {int}
    3* DECRBY {key} {int}
    4* INCRBYFLOAT {key} {float}
    3* GET {key}
    APPEND {key} (0|1|.|5)
    STRLEN {key}
    TTL {key}
    DEL {key}
    """,
    vocabulary(
        number=words(
            "0 1 -1 41 9223372036854775806 -9223372036854775807 1.5 3.0 5.0e3 1e400 +1 01 abc -0 0.1 nan inf -0.5 1_0",
            *INT64,
            b" 1",
            b"1 ",
            b"",
        ),
    ),
    prelude=("RPUSH wrong x",),
)

_OFFSETS = words("0 1 7 8 9 15 31 100 555 -1 4294967296 9223372036854775807 x 1.0")
_TYPES = words("u8 i8 u1 i1 u4 i5 u16 i16 u31 u32 i32 u63 i63 i64 u64 i65 u0 i0 U8 x8 8 u i u-1 u08")

BITMAPS = Family(
    "bitmaps",
    """
    4* SETBIT {key} {offset} {bit}
    3* GETBIT {key} {offset}
    2* SET {key} {bytes}
    2* GET {key}
    2* BITCOUNT {key} [{index} {index} [BYTE|BIT]]
    BITCOUNT {key} {index} [{index}] [{junk}]
    3* BITPOS {key} {bit} [{index} [{index} [BYTE|BIT]]]
    2* BITOP (AND|OR|XOR|NOT) {key} {key}
    2* BITOP (AND|OR|XOR) {key} {key} {key}...
    BITOP {junk} {key} {key}
    4* BITFIELD {key} [GET {type} {bitoffset}] [OVERFLOW {overflow}] (SET {type} {bitoffset} {number}|INCRBY \
        {type} {bitoffset} {number})...
    2* BITFIELD {key} (GET {type} {bitoffset}|OVERFLOW {overflow}|SET {type} {bitoffset} {number}|INCRBY {type} \
        {bitoffset} {number})...
    BITFIELD_RO {key} [GET {type} {bitoffset}]...
    BITFIELD_RO {key} (SET|GET|INCRBY) {type} {bitoffset} [{number}]
    STRLEN {key}
    GETRANGE {key} {index} {index}
    SETRANGE {key} {byteoffset} {bytes}
    DEL {key}
    """,
    vocabulary(
        offset=_OFFSETS,
        byteoffset=words("0 1 5 30"),
        bitoffset=words("0 1 3 7 8 100 #0 #1 #7 #12 -1 #-1 x # 9223372036854775807", b""),
        bit=words("0 1 1 2 -1 x 01", b""),
        bytes=words(
            "foobar 10 -5", b"", b"\xff", b"\x00\x00\x00", b"\xff\xff\xff", b"\xaa" * 9, b"\x00\xff\xf0", b"\x7f"
        ),
        type=_TYPES[:15] * 2 + _TYPES,
        overflow=words("WRAP SAT FAIL wrap x"),
        number=words("0 1 -1 255 256 100 -128 -129 65535 4294967295 x 1.5", *INT64),
    ),
    prelude=("RPUSH wrong x",),
)

FAMILIES = (STRINGS, COUNTERS, BITMAPS)
