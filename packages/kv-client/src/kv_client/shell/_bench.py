"""`kv bench`: tasks that call as fast as they get answers, and how long each call took."""

import asyncio
import sys
from collections.abc import Callable, Sequence
from random import Random
from time import perf_counter
from typing import Any, Final, NamedTuple

from kv_client import aio
from kv_client.shell._flags import count, flags, seconds_of
from kv_client.shell._notation import written
from kv_client.shell._replies import columns, write_line
from kv_client.shell._table import WrongUse, hint
from kv_client.shell._target import Target

__all__ = ["TESTS", "bench"]

PREFIX: Final = "bench:"
_FIELDS: Final = ("test", "calls", "seconds", "calls_per_s", "avg_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")
_SOME: Final = 10  # what one MSET sets
_AT_ONCE: Final = 1_000  # names that one DEL deletes


class Load(NamedTuple):
    """What calls are made of."""

    value: str
    keyspace: int
    dice: Random

    def key(self, kind: str) -> str:
        return f"{PREFIX}{kind}:{self.dice.randrange(self.keyspace)}"


Ask = Callable[[Any, Load], Any]
"""Makes a call of a client, or of a batch: they have the same methods."""

TESTS: Final[dict[str, Ask]] = {
    "ping": lambda to, load: to.ping(),
    "set": lambda to, load: to.set(load.key("string"), load.value),
    "get": lambda to, load: to.get(load.key("string")),
    "incr": lambda to, load: to.incr(load.key("counter")),
    "mset": lambda to, load: to.mset({load.key("string"): load.value for _ in range(_SOME)}),
    "hset": lambda to, load: to.hset(f"{PREFIX}hash", {load.key("field"): load.value}),
    "hget": lambda to, load: to.hget(f"{PREFIX}hash", load.key("field")),
    "lpush": lambda to, load: to.lpush(f"{PREFIX}list", load.value),
    "lpop": lambda to, load: to.lpop(f"{PREFIX}list"),
    "sadd": lambda to, load: to.sadd(f"{PREFIX}set", load.key("member")),
    "spop": lambda to, load: to.spop(f"{PREFIX}set"),
    "zadd": lambda to, load: to.zadd(f"{PREFIX}zset", {load.key("member"): load.dice.random()}),
}
_SINGLE: Final = ("hash", "list", "set", "zset")
_MANY: Final = ("string", "counter")


def bench(words: Sequence[str], target: Target) -> int:
    """Run the tests, one after the other, and write what they took."""
    parser = flags("bench", f"Call as fast as answers come. Keys begin with {PREFIX} and are deleted at the end.")
    parser.add_argument("-c", "--tasks", type=count, default=50, help="tasks that call (%(default)s)")
    parser.add_argument("-n", "--calls", type=count, default=100_000, help="calls of each test (%(default)s)")
    parser.add_argument("-P", "--batch", type=count, default=1, help="calls a task sends together (%(default)s)")
    parser.add_argument("-d", "--size", type=count, default=64, help="characters of a value (%(default)s)")
    parser.add_argument("-r", "--keyspace", type=count, default=10_000, help="how many different keys (%(default)s)")
    parser.add_argument("-t", "--tests", default="ping,set,get,incr", help=f"of {','.join(TESTS)} (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="for the keys that are drawn (%(default)s)")
    parser.add_argument("--csv", action="store_true", help="one line for each test, after one that names the columns")
    given = parser.parse_args(words)
    tests = given.tests.lower().split(",")
    for name in tests:
        if name not in TESTS:
            raise WrongUse(f"bench has no test {name!r}{hint(name, TESTS)}")
    load = Load("x" * given.size, given.keyspace, Random(given.seed))
    _write(asyncio.run(_run(target, tests, given, load)), csv=given.csv, json=given.json)
    return 0


async def _run(target: Target, tests: list[str], given: Any, load: Load) -> list[dict[str, Any]]:
    rows = []
    async with aio.connect(target.url, name="kv bench", **target.connect_options()) as client:
        space = client.ns(target.namespace)
        try:
            for name in tests:
                _progress(f"{name} ...")
                rows.append({"test": name, **await _measure(space, TESTS[name], given, load)})
        finally:
            _progress("")
            await _clear(space, load)
    return rows


async def _measure(space: Any, ask: Ask, given: Any, load: Load) -> dict[str, Any]:
    """Let the tasks share the calls."""
    spent: list[float] = []
    left = given.calls

    async def caller() -> None:
        nonlocal left
        while left > 0:
            size = min(given.batch, left)
            left -= size
            start = perf_counter()
            if given.batch == 1:
                await ask(space, load)
            else:
                async with space.batch() as batch:
                    replies = [ask(batch, load) for _ in range(size)]
                for reply in replies:
                    reply.result()
            spent.append(perf_counter() - start)

    began = perf_counter()
    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(given.tasks, given.calls)):
                tasks.create_task(caller())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    total = perf_counter() - began
    spent.sort()
    times = {"avg_ms": sum(spent) / len(spent), "p50_ms": seconds_of(spent, 0.5), "p95_ms": seconds_of(spent, 0.95),
             "p99_ms": seconds_of(spent, 0.99), "max_ms": spent[-1]}  # fmt: skip
    rate = {"calls": given.calls, "seconds": round(total, 3), "calls_per_s": round(given.calls / total)}
    return rate | {name: round(time * 1000, 3) for name, time in times.items()}


async def _clear(space: Any, load: Load) -> None:
    """Delete every key that the tests may have made."""
    names = [f"{PREFIX}{kind}" for kind in _SINGLE]
    names += [f"{PREFIX}{kind}:{number}" for kind in _MANY for number in range(load.keyspace)]
    for at in range(0, len(names), _AT_ONCE):
        await space.delete(*names[at : at + _AT_ONCE])


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _write(rows: list[dict[str, Any]], *, csv: bool, json: bool) -> None:
    if json:
        for row in rows:
            write_line(written(row))
        return
    lines = [[str(row[name]) for name in _FIELDS] for row in rows]
    for line in [",".join(line) for line in [list(_FIELDS), *lines]] if csv else columns([list(_FIELDS), *lines]):
        write_line(line)
