"""How long a full collection of Python's garbage takes, as a program that holds an engine with many keys of one type.

    collector.py        answers each line {"kind": ..., "keys": ...} with {"pause_ms": ...}; one line for each process

The keys come in by the door of Redis's protocol, and the collector is set as the server sets it.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Final

from kv_server.commands import CATALOG
from kv_server.engine.engine import Engine, Start
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.resp_door import RespDoor

AT_ONCE: Final = 500
TIMES: Final = 3
MIB: Final = 1 << 20
LIMITS: Final = Limits(frame=64 * MIB, batch=MIB, parked=1_000, output=64 * MIB)

Words = Callable[[bytes], list[bytes]]

KINDS: Final[dict[str, Words]] = {
    "strings": lambda key: [b"SET", key, b"x" * 100],
    "strings that expire": lambda key: [b"SET", key, b"x" * 100, b"EX", b"100000"],
    "hashes": lambda key: [b"HSET", key, b"name", b"Ada", b"visits", b"5", b"mail", b"ada@example.org"],
    "lists": lambda key: [b"RPUSH", key, b"one", b"two", b"three"],
    "sets": lambda key: [b"SADD", key, b"one", b"two", b"three"],
    "sorted sets": lambda key: [b"ZADD", key, b"1", b"one", b"2", b"two", b"3", b"three"],
    "streams": lambda key: [b"XADD", key, b"*", b"user", b"Ada"],
}


def filled(words: Words, keys: int) -> Engine:
    """An engine with so many keys."""
    start = Start(now_ms=1, elapsed_ms=1, epoch=1, seed=bytes(16), dice=random.Random(1))
    engine = Engine(CATALOG, start=start)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    connection = RespDoor(engine, LIMITS, time.perf_counter).connect(lambda: None, lambda: False)
    numbers = iter(range(keys))
    while part := list(itertools.islice(numbers, AT_ONCE)):
        data = bytearray()
        for number in part:
            call = words(b"key:%012d" % number)
            data += b"*%d\r\n" % len(call) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in call)
        connection.receive_data(bytes(data))
        while connection.stalled:
            connection.resume()
        while answers := connection.data_to_send():
            if answers.startswith(b"-") or b"\n-" in answers:
                raise SystemExit(f"the engine refused: {answers[:200]!r}")
    return engine


def main() -> None:
    print("ready", flush=True)
    for question in map(json.loads, sys.stdin):
        engine = filled(KINDS[question["kind"]], question["keys"])
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            gc.collect()
            took.append(time.perf_counter() - began)
        assert engine.store is not None
        print(json.dumps({"pause_ms": min(took) * 1e3}), flush=True)


if __name__ == "__main__":
    main()
