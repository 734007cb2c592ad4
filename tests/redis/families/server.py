"""Connection and server: greetings, names, databases, configuration, the table of commands."""

from tests.redis.family import Family
from tests.redis.vocabulary import vocabulary, words

CONNECTION = Family(
    "connection",
    """
    2* PING [{value}]
    ECHO {value}
    2* SELECT {db}
    HELLO [2|3|1|4|x] <[AUTH default {value}] [SETNAME {label}]>
    AUTH {value}
    AUTH default {value}
    AUTH {label} {value}
    2* CLIENT SETNAME {label}
    2* CLIENT GETNAME
    CLIENT ID
    CLIENT INFO
    CLIENT LIST [TYPE (normal|x)|ID {count}]
    CLIENT NO-EVICT (on|off|x)
    CLIENT REPLY ON
    CLIENT UNPAUSE
    CLIENT KILL ID {dead}
    CLIENT KILL 127.0.0.1:1
    CLIENT KILL TYPE (normal|x) ID {dead}
    CLIENT TRACKINGINFO
    CLIENT GETREDIR
    CLIENT TRACKING OFF
    = CLIENT PAUSE {ms} [WRITE|ALL|x]
    CLIENT NO-EVICT
    ACL WHOAMI
    ROLE
    LOLWUT
    READONLY
    ACL HELP
    CLIENT HELP
    CONFIG HELP
    XGROUP HELP
    XINFO HELP
    CONFIG
    MEMORY DOCTOR
    MEMORY PURGE
    MEMORY STATS
    LATENCY DOCTOR
    LATENCY HISTORY command
    MULTI
    EXEC
    DISCARD
    WATCH {key}
    CLIENT NOSUCH
    CLIENT UNBLOCK {dead} [TIMEOUT|ERROR|x]
    RESET
    SET {key} {label}
    GET {key}
    DBSIZE
    TIME
    LASTSAVE
    = WAIT 0 {ms}
    INFO [{section}] [{section}]
    CONFIG GET {option} [{option}]
    CONFIG RESETSTAT
    CONFIG SET notify-keyspace-events (x|KEA)
    CONFIG SET {absent} 1
    CONFIG NOSUCH
    MEMORY USAGE absent
    MEMORY NOSUCH
    OBJECT NOSUCH {key}
    OBJECT FREQ
    OBJECT
    LATENCY RESET
    LATENCY LATEST
    SLOWLOG RESET
    SLOWLOG GET
    SLOWLOG LEN
    FLUSHDB
    FLUSHALL
    SWAPDB {db} {db}
    = DEBUG SLEEP 0
    DEBUG {value}
    NOSUCH {value}
    {weird}
    """,
    vocabulary(
        label=words("me other", b"", b"with space", b"line\r\nbreak", b"tabs\t", b"\xff"),
        dead=words("9999999 -1 x 0"),
        section=words("server clients memory stats replication keyspace all everything default x"),
        option=words("maxmemory save appendonly timeout databases notify-keyspace-events nosuch* port* max* *"),
        absent=(b"nosuch", b""),
        ms=(b"0", b"1"),
        weird=words("'quoted'", b"NO\r\nSUCH", b"get\xff", b"", b"x" * 200),
    ),
    keyed=False,
)

COMMANDS = Family(
    "command table",
    """
    COMMAND COUNT
    3* COMMAND INFO {command} {command}...
    2* COMMAND DOCS {command} {command}...
    COMMAND LIST FILTERBY (ACLCAT|PATTERN|MODULE|x) {filter}
    5* COMMAND GETKEYS {call}
    2* COMMAND GETKEYS (ZUNIONSTORE d 2 a b|SINTERCARD 2 a b LIMIT 1|BLMPOP 0 2 a b LEFT|SORT a STORE b|MSET a 1 b 2)
    2* COMMAND GETKEYS (XREAD COUNT 1 STREAMS a b 0 0|XREADGROUP GROUP g c STREAMS a {greater})
    COMMAND GETKEYS GEORADIUS a 1 1 1 m STORE b
    COMMAND GETKEYSANDFLAGS {call}
    COMMAND NOSUCH
    COMMAND GETKEYS
    """,
    vocabulary(
        command=words("get set GET lpush zadd nosuch config config|get object|encoding xadd del mget eval"),
        call=(b"PING", b"GET", b"nosuch"),
        filter=words("read nosuch* z* @all x"),
        greater=(b">",),
    ),
    keyed=False,
)

FAMILIES = (CONNECTION, COMMANDS)
