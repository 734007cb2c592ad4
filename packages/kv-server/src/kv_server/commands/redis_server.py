"""Words with which people look into a Redis: time, role, memory, objects, latency, and a few of DEBUG."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, Final

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import octets
from kv_server.engine.engine import Caller
from kv_server.engine.tx import Tx
from kv_server.model.entry import HASH, LIST, SCALAR, SET, STREAM, ZSET
from kv_server.model.table import ENTRY_BYTES
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_count, text_float, text_int
from kv_server.spec.command import ADMIN, FAST, READ, RESP_DOOR
from kv_server.spec.resp_kinds import OK, Simple, Verbatim
from kv_server.spec.types import OPTIONAL, Int, Octets, Size, SourceKey, Token

_EMBEDDED: Final = 44  # octets that Redis keeps inside the object
_COMPACT: Final = 128  # elements of a collection that Redis keeps in one piece, unless they are long
_ENCODINGS: Final = {HASH: ("listpack", "hashtable"), SET: ("listpack", "hashtable"), ZSET: ("listpack", "skiplist")}
_LONGEST_SLEEP_S: Final = 3_600


@command(READ | FAST, group="server", since="0.1", cost="O(1)", name="TIME", doors=RESP_DOOR, method=None)
def time_on_resp(tx: Tx, /) -> list[str]:
    """Return the server's clock: seconds since 1970, and microseconds beyond them."""
    return [str(tx.now_ms // 1000), str(tx.now_ms % 1000 * 1000)]


@command(READ | FAST, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def role(tx: Tx, /) -> list[Any]:
    """Return that this server follows no other, and that none follows it."""
    return [b"master", 0, []]


@command(READ | FAST, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def wait(tx: Tx, replicas: Int, timeout: Int, /) -> int:
    """Return how many replicas have heard of all writes: there are none."""
    if timeout < 0:
        raise InvalidArgument("timeout is negative")
    return 0


@command(READ, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def lolwut(tx: Tx, /, *words: Annotated[Octets, OPTIONAL]) -> Verbatim:
    """Return what there is to admire."""
    return Verbatim("kv ver. 0.1: keys, values, and a lock on every door.\n")


@command(READ | FAST, group="server", since="0.1", cost="O(1)", name="ACL WHOAMI", doors=RESP_DOOR, method=None)
def acl_whoami(tx: Tx, /) -> str:
    """Return the user that calls: there is one."""
    return "default"


# ---- objects and memory
@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT ENCODING", doors=RESP_DOOR, method=None)
def object_encoding(tx: Tx, key: SourceKey, /) -> str | None:
    """Return how Redis would keep what is at *key*; kv keeps it otherwise."""
    entry = tx.find(key)
    if entry is None:
        return None
    if entry.kind == SCALAR:
        return scalar_encoding(entry.value)
    if entry.kind in (LIST, STREAM):
        return "stream" if entry.kind == STREAM else "listpack" if len(entry.value) <= _COMPACT else "quicklist"
    small, large = _ENCODINGS[entry.kind]
    return small if len(entry.value) <= _COMPACT else large


@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT REFCOUNT", doors=RESP_DOOR, method=None)
def object_refcount(tx: Tx, key: SourceKey, /) -> int | None:
    """Return 1: nothing at any key is shared."""
    return 1 if tx.exists(key) else None


@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT IDLETIME", doors=RESP_DOOR, method=None)
def object_idletime(tx: Tx, key: SourceKey, /) -> int | None:
    """Return 0: reads leave no mark on keys."""
    return 0 if tx.exists(key) else None


@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT FREQ", doors=RESP_DOOR, method=None)
def object_freq(tx: Tx, key: SourceKey, /) -> int | None:
    """Refuse always: nothing is counted for an eviction that there is not."""
    if not tx.exists(key):
        return None
    raise InvalidArgument(
        "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust."
    )


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY USAGE", doors=RESP_DOOR, method=None)
def memory_usage(tx: Tx, key: SourceKey, /, *, samples: Annotated[Size, Token("SAMPLES")] = 5) -> int | None:
    """Return about how many octets *key* takes with what is there."""
    entry = tx.find(key)
    return None if entry is None else ENTRY_BYTES + len(key) + entry.bytes


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY DOCTOR", doors=RESP_DOOR, method=None)
def memory_doctor(tx: Tx, /) -> Verbatim:
    """Return that nothing is known to be wrong."""
    return Verbatim("No memory problem was looked for and none was found; see INFO memory.\n")


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY PURGE", doors=RESP_DOOR, method=None)
def memory_purge(tx: Tx, /) -> Simple:
    """Accept the word: memory is given back as it falls free."""
    return OK


@command(READ, group="server", since="0.1", cost="O(namespaces)", name="MEMORY STATS", doors=RESP_DOOR, method=None)
def memory_stats(tx: Tx, /) -> dict[str, Any]:
    """Return what keys and values are accounted for."""
    spaces = tx.store.namespaces.values()
    used = sum(table.bytes for space in spaces for table in space.live_tables())
    return {"total.allocated": used, "keys.count": sum(map(len, spaces)), "dataset.bytes": used}


# ---- latency and slow calls: not kept yet, and said so by being empty
@command(READ, group="server", since="0.1", cost="O(1)", name="LATENCY LATEST", doors=RESP_DOOR, method=None)
def latency_latest(tx: Tx, /) -> list[Any]:
    """Return no events: none are kept."""
    return []


@command(READ, group="server", since="0.1", cost="O(1)", name="LATENCY HISTORY", doors=RESP_DOOR, method=None)
def latency_history(tx: Tx, event: Octets, /) -> list[Any]:
    """Return no events: none are kept."""
    return []


@command(READ, group="server", since="0.1", cost="O(1)", name="LATENCY RESET", doors=RESP_DOOR, method=None)
def latency_reset(tx: Tx, /, *events: Annotated[Octets, OPTIONAL]) -> int:
    """Return how many events were forgotten: there were none."""
    return 0


@command(READ, group="server", since="0.1", cost="O(1)", name="LATENCY DOCTOR", doors=RESP_DOOR, method=None)
def latency_doctor(tx: Tx, /) -> Verbatim:
    """Return that latency is not watched."""
    return Verbatim("Latency monitoring is disabled; the loop's own lag is in INFO, section kv.\n")


@command(READ, group="server", since="0.1", cost="O(1)", name="SLOWLOG GET", doors=RESP_DOOR, method=None)
def slowlog_get(tx: Tx, count: Int = 10, /) -> list[Any]:
    """Return no calls: none are kept."""
    if count < -1:
        raise InvalidArgument("count should be greater than or equal to -1")
    return []


@command(READ | FAST, group="server", since="0.1", cost="O(1)", name="SLOWLOG LEN", doors=RESP_DOOR, method=None)
def slowlog_len(tx: Tx, /) -> int:
    """Return how many slow calls are kept: none."""
    return 0


@command(READ | FAST, group="server", since="0.1", cost="O(1)", name="SLOWLOG RESET", doors=RESP_DOOR, method=None)
def slowlog_reset(tx: Tx, /) -> Simple:
    """Accept the word: no slow calls are kept."""
    return OK


# ---- the harmless words of DEBUG
@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="DEBUG SLEEP", doors=RESP_DOOR, method=None)
def debug_sleep(session: Caller, seconds: Octets, /) -> object:
    """Let this connection, and no other, wait."""
    try:
        wait_s = text_float(seconds)
    except InvalidArgument:
        wait_s = 0.0
    if not isfinite(wait_s) or wait_s <= 0:
        return OK
    return session.later(int(min(wait_s, _LONGEST_SLEEP_S) * 1000), OK)


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(1)", name="DEBUG SET-ACTIVE-EXPIRE", doors=RESP_DOOR, method=None
)
def debug_set_active_expire(tx: Tx, switch: Octets, /) -> Simple:
    """Accept the word: what has expired is seen by nobody, dropped or not."""
    text_int(switch)
    return OK


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(1)", name="DEBUG STRINGMATCH-LEN", doors=RESP_DOOR, method=None
)
def debug_stringmatch_len(tx: Tx, length: Octets, pattern: Octets, /) -> Simple:
    """Accept the word: patterns are matched in one pass, whatever they are."""
    text_count(length, 0)
    return OK


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="DEBUG OBJECT", doors=RESP_DOOR, method=None)
def debug_object(tx: Tx, key: SourceKey, /) -> Simple:
    """Return how Redis would keep what is at *key*."""
    entry = tx.find(key)
    if entry is None:
        raise InvalidArgument("no such key")
    found = object_encoding(tx, key) or ""
    text = f"Value at:0 refcount:1 encoding:{found} serializedlength:{entry.bytes} lru:0 lru_seconds_idle:0"
    return Simple(text.encode())


def scalar_encoding(blob: bytes) -> str:
    """As Redis would keep the plain text of a value."""
    text = octets(blob)
    if len(text) <= 20 and is_int64(text):
        return "int"
    return "embstr" if len(text) <= _EMBEDDED else "raw"


def is_int64(text: bytes) -> bool:
    try:
        text_int(text)
    except InvalidArgument:
        return False
    return True
