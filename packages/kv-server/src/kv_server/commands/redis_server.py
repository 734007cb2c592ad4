"""Words with which people look into a Redis: time, role, memory, objects, latency, and a few of DEBUG."""

from __future__ import annotations

from typing import Annotated, Any, Final

from kv_protocol.errors import InvalidArgument
from kv_protocol.values import from_octets, octets
from kv_server.commands.counters import spells_int
from kv_server.commands.redis_session import REDIS_VERSION
from kv_server.engine.engine import Caller
from kv_server.engine.tx import Tx
from kv_server.model.entry import ENTRY_BYTES, HASH, LIST, SCALAR, SET, STREAM, ZSET
from kv_server.spec.catalog import command
from kv_server.spec.checks import no_such_line, text_float, text_int, text_size
from kv_server.spec.command import ADMIN, FAST, READ, RESP_DOOR
from kv_server.spec.resp_kinds import OK, RespError, Simple, Verbatim
from kv_server.spec.types import OPTIONAL, Int, Octets, Size, SourceKey, Token

_EMBEDDED: Final = 44  # octets that Redis keeps inside the object
_COMPACT: Final = 64  # octets of an element beyond which Redis keeps no collection in one piece
_COMPACT_LIST: Final = 8_192
_MOST_NUMBERS: Final = 512
_ENCODINGS: Final = {HASH: (512, "hashtable"), SET: (128, "hashtable"), ZSET: (128, "skiplist")}
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
    return Verbatim(f"keys, values, and a lock on every door\nRedis ver. {REDIS_VERSION}\n")


@command(READ, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def cluster(tx: Tx, word: Octets, /, *words: Annotated[Octets, OPTIONAL]) -> object:
    """Refuse always, in the words by which clients know a server that is no part of a cluster."""
    raise InvalidArgument("This instance has cluster support disabled")


@command(
    READ | FAST, group="server", since="0.1", cost="O(1)", aliases=("READWRITE", "ASKING"), doors=RESP_DOOR, method=None
)
def readonly(tx: Tx, /) -> object:
    """Refuse always, in the same words."""
    raise InvalidArgument("This instance has cluster support disabled")


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", name="MODULE LIST", doors=RESP_DOOR, method=None)
def module_list(tx: Tx, /) -> list[Any]:
    """Return that nothing is loaded: the server takes no modules."""
    return []


# ---- objects and memory
@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT ENCODING", doors=RESP_DOOR, method=None)
def object_encoding(tx: Tx, key: SourceKey, /) -> str | None:
    """Return how Redis would keep what is at *key*; kv keeps it otherwise."""
    entry = tx.find(key)
    if entry is None:
        return None
    return scalar_encoding(entry.value) if entry.kind == SCALAR else collection_encoding(entry.kind, entry.value)


@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT REFCOUNT", doors=RESP_DOOR, method=None)
def object_refcount(tx: Tx, key: SourceKey, /) -> int | None:
    """Return 1: nothing at any key is shared."""
    return 1 if tx.exists(key) else None


@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT IDLETIME", doors=RESP_DOOR, method=None)
def object_idletime(tx: Tx, key: SourceKey, /) -> int | None:
    """Return for how many seconds *key* was not used, if its namespace is a cache that evicts by that; else 0."""
    if tx.habit() == "lru":
        return tx.used(key)
    return 0 if tx.exists(key) else None


@command(READ, group="keys", since="0.1", cost="O(1)", name="OBJECT FREQ", doors=RESP_DOOR, method=None)
def object_freq(tx: Tx, key: SourceKey, /) -> int | None:
    """Return how often *key* was used, on a scale of its own, if its namespace is a cache that evicts by that."""
    if tx.habit() == "lfu":
        return tx.used(key)
    if not tx.exists(key):
        return None
    raise InvalidArgument(
        "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust."
    )


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY USAGE", method="memory_usage")
def memory_usage(tx: Tx, key: SourceKey, /, *, samples: Annotated[Size, Token("SAMPLES")] = 5) -> int | None:
    """Return about how many octets *key* takes with what is there."""
    entry = tx.find(key)
    return None if entry is None else ENTRY_BYTES + len(key) + entry.bytes


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY DOCTOR", doors=RESP_DOOR, method=None)
def memory_doctor(tx: Tx, /) -> Verbatim:
    """Return that nothing is known to be wrong."""
    return Verbatim("No memory problem was looked for and none was found; see INFO memory.\n")


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY MALLOC-STATS", doors=RESP_DOOR, method=None)
def memory_malloc_stats(tx: Tx, /) -> Verbatim:
    """Return that nothing is known of the allocator."""
    return Verbatim("Stats not supported for the current allocator\n")


@command(READ, group="server", since="0.1", cost="O(1)", name="MEMORY PURGE", doors=RESP_DOOR, method=None)
def memory_purge(tx: Tx, /) -> Simple:
    """Accept the word: memory is given back as it falls free."""
    return OK


@command(READ | ADMIN, group="server", since="0.1", cost="O(1)", doors=RESP_DOOR, method=None)
def debug(session: Caller, word: Octets, /, *words: Annotated[Octets, OPTIONAL]) -> object:
    """Do one of the harmless things that tests of clients ask for.

    `SLEEP seconds` lets this connection wait, and no other; `ERROR text` fails with that text; `OBJECT key` tells how
    Redis would keep what is there; `SET-ACTIVE-EXPIRE` and `STRINGMATCH-LEN` are accepted and change nothing.
    """
    match [word.upper(), *words]:
        case b"SLEEP", seconds:
            return session.later(sleep_ms(seconds), OK)
        case b"ERROR", text:
            raise RespError(text.decode("utf-8", "surrogateescape"))
        case b"OBJECT", key:
            return about_object(session.engine.tx, key)
        case b"SET-ACTIVE-EXPIRE", switch:
            text_int(switch)
            return OK
        case b"STRINGMATCH-LEN", length, _:
            text_size(length)
            return OK
    raise no_such_line([b"DEBUG", word])


def sleep_ms(seconds: bytes) -> int:
    try:
        return int(min(max(text_float(seconds), 0.0), _LONGEST_SLEEP_S) * 1000)
    except InvalidArgument:
        return 0


def about_object(tx: Tx, key: bytes) -> Simple:
    entry = tx.find(key)
    if entry is None:
        raise InvalidArgument("no such key")
    found = object_encoding(tx, key) or ""
    text = f"Value at:0 refcount:1 encoding:{found} serializedlength:{entry.bytes} lru:0 lru_seconds_idle:0"
    return Simple(text.encode())


def scalar_encoding(blob: bytes) -> str:
    """As Redis would keep the plain text of a value."""
    if spells_int(blob):
        return "int"
    return "embstr" if len(octets(blob)) <= _EMBEDDED else "raw"


def collection_encoding(kind: int, value: Any) -> str:
    """As Redis would keep a collection, by the limits that it begins with."""
    if kind == STREAM:
        return "stream"
    if kind == LIST:
        few = len(value) <= _COMPACT_LIST
        return "listpack" if few and sum(map(len, value.dump())) <= _COMPACT_LIST else "quicklist"
    if kind == SET and len(value) <= _MOST_NUMBERS and all(map(is_int, value)):
        return "intset"
    most, large = _ENCODINGS[kind]
    if len(value) > most:
        return large
    longest = max(map(len, value))
    if kind == HASH:
        longest = max(longest, *(len(octets(blob)) for blob in value.values()))
    return "listpack" if longest <= _COMPACT else large


def is_int(word: bytes) -> bool:
    return spells_int(from_octets(word))
