"""Drives what puts load on servers: redis-benchmark, and load.c, which speaks both protocols."""

from __future__ import annotations

import contextlib
import csv
import json
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Final

from attrs import frozen
from builds import Unavailable, compiler
from processes import HERE, LOAD, Server, pinned, started

CONNECTIONS: Final = 50
KEYS: Final = 100_000
VALUE_BYTES: Final = 100


@frozen
class Load:
    """What one stretch of load did to a server. *sender_s* is the CPU time of who sent it, 0 where nobody asks."""

    operations: int
    seconds: float
    cpu_s: float
    waited_s: float
    sender_s: float = 0.0

    def figures(self) -> dict[str, float]:
        return {
            "cpu_us": self.cpu_s * 1e6 / self.operations,
            "ops_s": self.operations / self.seconds,
            "server_busy": self.cpu_s / self.seconds,
            "server_waited": self.waited_s / self.seconds,
            "sender_busy": self.sender_s / self.seconds,
        }

    def __add__(self, other: Load) -> Load:
        return Load(
            self.operations + other.operations,
            self.seconds + other.seconds,
            self.cpu_s + other.cpu_s,
            self.waited_s + other.waited_s,
            self.sender_s + other.sender_s,
        )


class Generator:
    """load.c, compiled."""

    def __init__(self, program: str) -> None:
        self._program = program

    def run(
        self,
        server: Server,
        protocol: str,
        operation: str,
        pipeline: int,
        seconds: float,
        connections: int = CONNECTIONS,
        keys: int = KEYS,
    ) -> Load:
        """Load *server* for *seconds* and tell what that cost it; connecting is not counted."""
        with self._connected(server, protocol, operation, pipeline, seconds, 0, connections, keys) as process:
            before = server.times_s()
            begin(process)
            line = answer(process)
            after = server.times_s()
        told = json.loads(line)
        if told["absent"]:
            raise Unavailable(f"{server.name} has lost {told['absent']} of the keys it was filled with")
        return Load(told["operations"], told["seconds"], after[0] - before[0], after[1] - before[1])

    def fill(self, server: Server, operation: str = "set", keys: int = KEYS) -> None:
        """Give *server* every key, or every counter for *operation* incr."""
        self.run(server, "resp", operation, 16, 0, keys=keys)

    @contextlib.contextmanager
    def background(self, server: Server, protocol: str, rate: int, seconds: float) -> Iterator[None]:
        """Write to *server* *rate* times a second while the block runs, for at most *seconds*."""
        with self._connected(server, protocol, "set", 1, seconds, rate, 4, KEYS) as process:
            begin(process)
            yield

    @contextlib.contextmanager
    def _connected(
        self,
        server: Server,
        protocol: str,
        operation: str,
        pipeline: int,
        seconds: float,
        rate: int,
        connections: int,
        keys: int,
    ) -> Iterator[subprocess.Popen[str]]:
        numbers = (connections, pipeline, keys, seconds, rate)
        words = [self._program, protocol, str(server.port), operation, *map(str, numbers)]
        with started(words, LOAD) as process:
            if answer(process) != "ready":
                raise Unavailable(f"the load generator did not start on {server.name}; its reason is above")
            yield process


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise Unavailable("the load generator failed; its reason is above")
    return line


@contextlib.contextmanager
def generator() -> Iterator[Generator]:
    """The load generator, compiled for this run."""
    compile_ = compiler()
    if compile_ is None:
        raise Unavailable("the load generator needs a C compiler: install cc, gcc or clang (Debian: gcc)")
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/load"
        subprocess.run([compile_, "-O2", "-o", program, str(HERE / "load.c")], check=True)
        yield Generator(program)


def redis_benchmark(
    server: Server,
    words: tuple[str, ...],
    pipeline: int,
    operations: int,
    keys: int = KEYS,
    connecting_s: float = 0.0,
) -> Load:
    """So many *operations* by redis-benchmark: *words* name one of its own tests, or are a command.

    Of what they cost the server *connecting_s* is taken off.
    """
    numbers = {"-c": CONNECTIONS, "-P": pipeline, "-r": keys, "-d": VALUE_BYTES, "-n": operations, "-p": server.port}
    called = ["redis-benchmark", "--csv", *(str(word) for pair in numbers.items() for word in pair), *words]
    before, sender = server.times_s(), sender_s()
    with pinned(LOAD):
        done = subprocess.run(called, check=True, capture_output=True, text=True)
    after = server.times_s()
    if "rror" in done.stdout + done.stderr:
        raise Unavailable(f"redis-benchmark, {' '.join(words)} on {server.name}: {done.stdout}{done.stderr}")
    rate = float(next(csv.DictReader(done.stdout.splitlines()))["rps"])
    cpu_s = after[0] - before[0] - connecting_s
    return Load(operations, operations / rate, cpu_s, after[1] - before[1], sender_s() - sender)


def sender_s() -> float:
    """CPU time of the programs that were run here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
