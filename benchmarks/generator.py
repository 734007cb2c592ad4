"""Drives the load generator, load.c where a C compiler is at hand, else its plain twin load.py; and redis-benchmark."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Final

from attrs import frozen
from processes import HERE, LOAD, Server, Unavailable, pinned, started

CONNECTIONS: Final = 50
KEYS: Final = 100_000
VALUE_BYTES: Final = 100


@frozen
class Load:
    """What one stretch of load did to a server."""

    operations: int
    seconds: float
    cpu_s: float
    waited_s: float

    @property
    def cpu_us(self) -> float:
        """The server's CPU time for one operation, in microseconds."""
        return self.cpu_s * 1e6 / self.operations

    def figures(self) -> dict[str, float]:
        return {
            "cpu_us": self.cpu_us,
            "ops_s": self.operations / self.seconds,
            "server_busy": self.cpu_s / self.seconds,
            "server_waited": self.waited_s / self.seconds,
        }


class Generator:
    """One kind of load generator, ready to run."""

    def __init__(self, words: list[str], kind: str) -> None:
        self._words = words
        self.kind = kind

    def run(
        self,
        server: Server,
        protocol: str,
        operation: str,
        pipeline: int,
        seconds: float,
        connections: int = CONNECTIONS,
    ) -> Load:
        """Load *server* for *seconds* and tell what that cost it; connecting is not counted."""
        with self._connected(server, protocol, operation, pipeline, seconds, 0, connections) as process:
            before = server.times_s()
            begin(process)
            line = answer(process)
            after = server.times_s()
        told = json.loads(line)
        if told["absent"]:
            raise Unavailable(f"{server.name} has lost {told['absent']} of the keys it was filled with")
        return Load(told["operations"], told["seconds"], after[0] - before[0], after[1] - before[1])

    def fill(self, server: Server, protocol: str) -> None:
        """Give *server* every key and every counter."""
        for operation in ("set", "incr"):
            self.run(server, protocol, operation, 16, 0)

    @contextlib.contextmanager
    def background(self, server: Server, protocol: str, rate: int, seconds: float) -> Iterator[None]:
        """Write to *server* *rate* times a second while the block runs, for at most *seconds*."""
        with self._connected(server, protocol, "set", 1, seconds, rate, 4) as process:
            begin(process)
            yield

    @contextlib.contextmanager
    def _connected(
        self, server: Server, protocol: str, operation: str, pipeline: int, seconds: float, rate: int, connections: int
    ) -> Iterator[subprocess.Popen[str]]:
        numbers = (connections, pipeline, KEYS, seconds, rate)
        words = [*self._words, protocol, str(server.port), operation, *map(str, numbers)]
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
    """The best generator this machine has."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        yield Generator([sys.executable, str(HERE / "load.py")], "plain Python")
        return
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/load"
        subprocess.run([compiler, "-O2", "-o", program, str(HERE / "load.c")], check=True)
        yield Generator([program], "C")


def redis_benchmark(server: Server, operation: str, pipeline: int, operations: int) -> Load:
    """The same load by redis-benchmark, which counts operations, not seconds."""
    numbers = {"-c": CONNECTIONS, "-P": pipeline, "-r": KEYS, "-d": VALUE_BYTES, "-n": operations, "-p": server.port}
    words = ["redis-benchmark", "--csv", "-t", operation, *(str(word) for pair in numbers.items() for word in pair)]
    before = server.times_s()
    with pinned(LOAD):
        done = subprocess.run(words, check=True, capture_output=True, text=True)
    after = server.times_s()
    rate = float(done.stdout.splitlines()[-1].split(",")[1].strip('"'))
    return Load(operations, operations / rate, after[0] - before[0], after[1] - before[1])
