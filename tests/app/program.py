"""The real program `kv-server`, run by the tests as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

WAIT_S = 20


class Ended(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float


class Running:
    """A server that listens; *place* is the first address of its ready line."""

    def __init__(self, process: subprocess.Popen[str], ready: str) -> None:
        self.process = process
        self.ready = ready
        self.place = ready.split(" ready on ")[1].split(" (")[0].split(", ")[0]

    @property
    def port(self) -> int:
        return int(self.place.rpartition(":")[2])

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> Ended:
        """Its end."""
        began = time.perf_counter()
        out, err = self.process.communicate(timeout=WAIT_S)
        return Ended(self.process.returncode, out, err, time.perf_counter() - began)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "kv_server", *words]


def environment(**variables: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("KV_")}
    return {**kept, **variables}


def run(*words: str, **variables: str) -> Ended:
    """Run the program to its end."""
    began = time.perf_counter()
    done = subprocess.run(
        command(*words), capture_output=True, text=True, timeout=WAIT_S, env=environment(**variables), check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.perf_counter() - began)


@contextmanager
def running(*words: str, **variables: str) -> Iterator[Running]:
    """A server on a free port unless *words* say where."""
    words = words if "--bind" in words else ("--bind", "127.0.0.1:0", *words)
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**variables)
    )
    try:
        assert process.stdout is not None
        yield Running(process, process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
