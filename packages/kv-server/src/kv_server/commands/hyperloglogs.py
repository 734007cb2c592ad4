"""HyperLogLogs: counting different elements in little room. A sketch is a bytes value, which any command may copy."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from kv_protocol.errors import WrongType
from kv_protocol.values import bytes_blob, octets
from kv_server.commands.resp_views import AS_OK
from kv_server.engine.tx import Tx
from kv_server.model import hyperloglog
from kv_server.spec.catalog import command
from kv_server.spec.command import FAST, GROWS, READ, SLOW, WRITE
from kv_server.spec.resp_kinds import RespError
from kv_server.spec.types import OPTIONAL, Key, Name, SourceKey, TakenKey


@command(WRITE | GROWS | FAST, group="hyperloglog", since="0.1", cost="O(elements)", handle="add", event="pfadd")
def pfadd(tx: Tx, key: Key, /, *elements: Annotated[Name, OPTIONAL]) -> bool:
    """Let the sketch at *key* have seen *elements*; False if that changes nothing of it. An absent key is made.

    >>> await client.pfadd("visitors", "ann", "bob"), await client.pfadd("visitors", "ann")
    (True, False)
    """
    old = tx.value(key)
    if old is not None:
        registers(old)
    sketch = hyperloglog.EMPTY if old is None else octets(old)
    changed = hyperloglog.add(sketch, elements)
    if old is not None and changed is sketch:
        return False
    put(tx, key, changed)
    return True


@command(READ | SLOW, group="hyperloglog", since="0.1", cost="O(keys)", handle="count")
def pfcount(tx: Tx, /, *keys: SourceKey) -> int:
    """Return about how many different elements were added to the sketches at *keys* together.

    >>> await client.pfadd("monday", "ann", "bob"), await client.pfadd("tuesday", "bob", "cid")
    (True, True)
    >>> await client.pfcount("monday"), await client.pfcount("monday", "tuesday")
    (2, 3)
    """
    if len(keys) == 1:
        blob = tx.value(keys[0])
        return 0 if blob is None else counted(blob)
    merged = hyperloglog.merged(sketches(tx, keys))
    return hyperloglog.estimate(registers(bytes_blob(merged)))


@command(
    WRITE | GROWS | SLOW, group="hyperloglog", since="0.1", cost="O(keys)", views=(AS_OK,), handle="merge",
    event="pfadd",
)  # fmt: skip
def pfmerge(tx: Tx, target: TakenKey, /, *sources: Annotated[SourceKey, OPTIONAL]) -> None:
    """Let the sketch at *target* have seen whatever those at *sources* have. An absent *target* is made.

    >>> await client.pfadd("monday", "ann", "bob"), await client.pfadd("tuesday", "bob", "cid")
    (True, True)
    >>> await client.pfmerge("week", "monday", "tuesday")
    >>> await client.pfcount("week")
    3
    """
    put(tx, target, hyperloglog.merged(sketches(tx, (target, *sources))))


def put(tx: Tx, key: bytes, sketch: bytes) -> None:
    """Store *sketch* with the expiry that the key has."""
    entry = tx.find(key)
    tx.key_put(key, bytes_blob(sketch), entry.expires_ms if entry is not None else 0)


def sketches(tx: Tx, keys: tuple[bytes, ...]) -> list[bytes]:
    """The registers of the sketches at those of *keys* that are there."""
    return [registers(blob) for key in keys if (blob := tx.value(key)) is not None]


def registers(blob: bytes) -> bytes:
    """The registers of the sketch in *blob*."""
    try:
        found = hyperloglog.registers_of(octets(blob))
    except ValueError:
        raise RespError("INVALIDOBJ Corrupted HLL object detected") from None
    if found is None:
        raise WrongType("Key is not a valid HyperLogLog string value.", {"expected": "hyperloglog", "found": "scalar"})
    return found


@lru_cache(maxsize=256)
def counted(blob: bytes) -> int:
    """What the sketch in *blob* counts; asked again it costs next to nothing."""
    return hyperloglog.estimate(registers(blob))
