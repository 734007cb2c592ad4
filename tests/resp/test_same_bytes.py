"""The same bytes to a real Redis and to kv: what comes back is the same, byte for byte, in both versions of RESP."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator

import pytest

from tests.redis.client import pack
from tests.redis.servers import Server

LIMIT_S = 10.0
END = pack((b"ECHO", b"the end")), b"$7\r\nthe end\r\n"

SESSIONS = {
    "scalars": """
        SET k v|GET k|GET none|SET k 5 EX 100|TTL k|SET k 6 KEEPTTL|TTL k|PTTL none|TTL none|SET k v NX
        SET k v XX GET|SET n v NX GET|SET k v EX 0|SET k v EX -1|SET k v EX x|SET k v PX|SET k v EX 1 PX 1|SET k
        SET k v GET NX XX|SETNX k v|SETNX new v|SETEX k 10 v|SETEX k 0 v|PSETEX k 100 v|PSETEX k -1 v|GETSET k w
        GETSET absent w|GETDEL k|GETDEL k|GETEX n EX 10|GETEX n PERSIST|GETEX none|APPEND n x|APPEND fresh abc
        STRLEN fresh|STRLEN none|GETRANGE fresh 0 1|GETRANGE fresh -2 -1|SUBSTR fresh 1 1|SETRANGE fresh 5 z
        GETRANGE fresh 0 -1|SETRANGE fresh -1 z|MSET a 1 b 2|MSET a|MSET a 1 b|MGET a b none|MSETNX a 1 c 3
        MSETNX x 1 y 2|LCS a b|MSET l1 ohmytext l2 mynewtext|LCS l1 l2|LCS l1 l2 LEN|LCS l1 l2 IDX
        LCS l1 l2 IDX MINMATCHLEN 4 WITHMATCHLEN|LCS l1 l2 LEN IDX|LCS l1 l2 IDX WITHMATCHLEN|LCS none l2
        LCS l1 l2 NOPE""",
    "counting": """
        INCR c|INCRBY c 5|DECR c|DECRBY c 2|INCRBY c x|INCRBY c 9223372036854775807|INCRBY c 9223372036854775807
        DECRBY c -9223372036854775808|SET t abc|INCR t|INCRBYFLOAT t 1|INCRBYFLOAT f 1.5|INCRBYFLOAT f -0.25
        INCRBYFLOAT f 5.0e3|INCRBYFLOAT f x|INCRBYFLOAT f inf|INCRBYFLOAT f nan|GET f|SET s 3.0|INCRBYFLOAT s 1.1
        SET i 10|INCRBYFLOAT i 0.1|SET z 0010|INCR z|SET w 11|INCRBY w 0|INCR""",
    "keys": """
        MSET a 1 b 2|EXISTS a b a none|TOUCH a none|DEL a none|UNLINK b|TYPE a|SET a 1|TYPE a|EXPIRE a 100
        EXPIRE a 50 GT|EXPIRE a 200 GT|TTL a|EXPIRE a 100 NX|EXPIRE a 10 XX|EXPIRE a 5 LT|EXPIRE a 500 LT
        PERSIST a|PERSIST a|PERSIST none|EXPIRE none 10|EXPIRE a 10 GT|EXPIRE a 10 LT|EXPIRE a 10 NX XX
        EXPIRE a 10 GT LT|EXPIRE a 10 WHEN|EXPIRE a x|EXPIRE a 9223372036854775807|PEXPIRE a 100000
        EXPIREAT a 33177117420|EXPIRETIME a|PEXPIREAT a 33177117420000|PEXPIRETIME a|PEXPIRETIME none|EXPIRE a -1
        GET a|SET a 1|EXPIREAT a 1|GET a|SET a 1|RENAME a b|RENAME a b|RENAME b b|SET c 2|RENAMENX b c
        RENAMENX b d|RENAMENX none d|COPY d e|COPY d e|COPY d e REPLACE|COPY none f|COPY d d|COPY d g DB 3
        COPY d g DB 3|COPY d g DB 99|SELECT 3|GET g|SELECT 0|MOVE d 3|MOVE d 3|MOVE c 99|SWAPDB 0 3|GET g
        SWAPDB 0 99|DBSIZE|KEYS z*|KEYS [g]|SCAN 0 MATCH nothing|SCAN x|SCAN 0 COUNT x|SCAN 0 TYPE hash
        RANDOMKEY none|FLUSHDB ASYNC|FLUSHDB NOW|DBSIZE|RANDOMKEY|KEYS *|SCAN 0|FLUSHALL SYNC|OBJECT ENCODING none
        SET i 12|OBJECT ENCODING i|SET r short|OBJECT ENCODING r|OBJECT REFCOUNT none|OBJECT FREQ i|OBJECT
        OBJECT NOPE i|WAIT 0 0|EXISTS|DEL|TTL""",
    "words": """
        PING|PING hello|PING a b|ECHO a b|ECHO hey|SELECT 1|SELECT 16|SELECT -1|SELECT 0|AUTH a|AUTH a b|HELLO 9
        HELLO x|HELLO 2 WHAT|HELLO 2 SETNAME|CLIENT GETNAME|CLIENT SETNAME me|CLIENT GETNAME|CLIENT NOPE|CLIENT
        CLIENT KILL 1.2.3.4:5|CLIENT KILL ID 9999999|CLIENT KILL TYPE what|CLIENT PAUSE x|CLIENT PAUSE -1
        CLIENT UNBLOCK 99999999|CLIENT LIST TYPE what|CLIENT LIST ID x|CLIENT GETREDIR|CLIENT TRACKINGINFO
        CLIENT NO-EVICT ON|CLIENT REPLY ON|CONFIG GET nothing|CONFIG SET nothing x|CONFIG GET
        CONFIG GET appendonly|CONFIG GET save|CONFIG RESETSTAT|COMMAND GETKEYS GET a|COMMAND GETKEYS MSET a 1 b 2
        COMMAND GETKEYS NOPE a|COMMAND GETKEYS PING x|COMMAND INFO nothing|COMMAND LIST NOPE|LATENCY LATEST
        LATENCY RESET|LATENCY HISTORY x|SLOWLOG LEN|SLOWLOG GET -5|MEMORY USAGE none|ROLE|DEBUG SLEEP 0|RESET|NOPE
        NOPE a b|GET|get|Get k v|QUIT now|ACL WHOAMI""",
}  # fmt: skip


class Raw:
    """A connection that returns what was said as it came."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S)

    def ask(self, data: bytes) -> bytes:
        """What is said to *data*: all of it, as an echo comes behind, or as the connection ends."""
        self._socket.sendall(data + END[0])
        said = b""
        while not said.endswith(END[1]):
            piece = self._socket.recv(65_536)
            if not piece:
                return said + b"(end)"
            said += piece
        return said.removesuffix(END[1])

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def both(kv: Server, redis: Server) -> Iterator[tuple[Raw, Raw]]:
    pair = Raw(redis), Raw(kv)
    for each in pair:
        each.ask(pack((b"FLUSHALL",)))
    yield pair
    for each in pair:
        each.close()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_reads_the_same(both: tuple[Raw, Raw], name: str, protocol: int) -> None:
    redis, kv = both
    if protocol == 3:
        for each in both:
            assert each.ask(pack((b"HELLO", b"3"))).startswith(b"%7")
    different = []
    for line in re.split(r"[|\n]", SESSIONS[name]):
        if words := tuple(line.encode().split()):
            theirs, ours = redis.ask(pack(words)), kv.ask(pack(words))
            if theirs != ours:
                different.append(f"{line.strip()}: Redis says {theirs!r}, kv {ours!r}")
    assert not different, "\n".join(different)


@pytest.mark.parametrize(
    "data",
    [
        b"PING\r\n", b"\r\n\r\nPING\r\n", b"ping\n", b'echo "a b"\r\n', b"echo 'it\\'s'\r\n",
        b'echo "\\x41\\n"\r\n', b"echo a'b'\r\n", b'echo "a\r\n', b"*0\r\n", b"*-1\r\n", b"*1\r\n$4\r\nPING\r\n",
        b"*a\r\n", b"*9999999999\r\n", b"*3\r\nSET\r\n", b"*1\r\n$-10\r\n", b"*1\r\n$2000000000\r\n",
        b"*1\r\n$x\r\n", b"POST / HTTP/1.1\r\n", b"Host: x\r\n", b"*2\r\n$4\r\nECHO\r\n$3\r\n\r\n!\r\n",
        b"nope a b\r\n", b"PING\r\nPING a\r\nPING a b\r\n",
    ],
    ids=lambda data: repr(data[:12]),
)  # fmt: skip
def test_the_protocol_itself_is_read_the_same(both: tuple[Raw, Raw], data: bytes) -> None:
    redis, kv = both
    try:
        theirs = redis.ask(data)
    except ConnectionError:
        theirs = b"(end)"
    try:
        ours = kv.ask(data)
    except ConnectionError:
        ours = b"(end)"
    assert ours == theirs
