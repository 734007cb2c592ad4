"""The processes a run starts: a Redis and a kv server of its own on one CPU, and what puts load on them on another.

Whatever is started here ends with the run, by the id it was started under.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
from builds import INSTALLED, Build, Unavailable

HERE: Final = Path(__file__).parent
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 5.0
SETTLE_TIMEOUT_S: Final = 2.0
SETTLE_S: Final = 0.02
LOOK_S: Final = 0.005


def cpus() -> tuple[int, int] | None:
    """The CPU for servers and the CPU for load; None where there are no two, or no way to choose."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


CPUS: Final = cpus()
SERVER: Final = 0
LOAD: Final = 1


@contextlib.contextmanager
def pinned(side: int) -> Iterator[None]:
    """What is started in here runs on the CPU of *side*, SERVER or LOAD, from its first instruction."""
    if CPUS is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CPUS[side]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def started(
    words: Sequence[str], side: int, *, folder: str | None = None, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run the program *words* with pipes for its input and output, and end it."""
    with pinned(side):
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


class Server:
    """A server that runs: where it listens, and what CPU time it has used."""

    def __init__(self, name: str, pid: int, port: int) -> None:
        self.name = name
        self.pid = pid
        self.port = port

    def times_s(self) -> tuple[float, float]:
        """Seconds that its threads have run until now, and that they were kept waiting for a CPU by others.

        As fine as the system tells it; where it does not tell who waits, nobody does.
        """
        ran = waited = 0
        try:
            for thread in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{thread}/schedstat") as figures:
                    one = figures.read().split()
                ran += int(one[0])
                waited += int(one[1])
        except FileNotFoundError:
            times = psutil.Process(self.pid).cpu_times()
            return float(times.user + times.system), 0.0
        return ran / 1e9, waited / 1e9

    def family_s(self) -> float:
        """CPU time of the process and of the children that it has outlived, as coarse as the system tells it."""
        times = psutil.Process(self.pid).cpu_times()
        children = (getattr(times, "children_user", 0.0), getattr(times, "children_system", 0.0))
        return float(times.user + times.system + sum(children))

    def resident(self) -> int:
        """Bytes of memory that it has."""
        return int(psutil.Process(self.pid).memory_info().rss)

    def settle(self) -> None:
        """Return once it has done what it does by itself after a call, such as freeing memory."""
        end, before = time.monotonic() + SETTLE_TIMEOUT_S, self.times_s()[0]
        while time.monotonic() < end:
            time.sleep(SETTLE_S)
            now = self.times_s()[0]
            if now - before < SETTLE_S / 20:
                return
            before = now


@contextlib.contextmanager
def redis(*options: str, folder: str | None = None) -> Iterator[Server]:
    """A Redis that keeps everything in memory alone unless *options* say otherwise, with its files in *folder*."""
    program = shutil.which("redis-server")
    if program is None or shutil.which("redis-benchmark") is None:
        raise Unavailable("Redis is missing: install redis-server and redis-benchmark (Debian: redis-server)")
    port = free_port()
    words = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--logfile",
        "log",
    ]
    with (
        tempfile.TemporaryDirectory() as spare,
        started([*words, *options], SERVER, folder=folder or spare) as process,
    ):
        wait_for_port(process, port)
        yield Server("Redis", process.pid, port)


@contextlib.contextmanager
def kv(*options: str, folder: str | None = None, build: Build = INSTALLED) -> Iterator[Server]:
    """The kv server of *build*, which keeps its data in *folder* if there is one."""
    words = [sys.executable, "-m", "kv_server", "--bind", "127.0.0.1:0", "--log-level", "warning", *options]
    if folder is not None:
        words += ["--data-dir", folder]
    with (
        tempfile.TemporaryDirectory() as spare,
        started(words, SERVER, folder=spare, env=build.environment()) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        place = re.search(r"127\.0\.0\.1:(\d+)", line)
        if place is None:
            raise Unavailable(f"kv-server did not come up; it said {line!r}")
        yield Server("kv", process.pid, int(place[1]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(process: subprocess.Popen[str], port: int) -> None:
    """Return once something listens on *port*."""
    for _ in range(int(START_TIMEOUT_S / LOOK_S)):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise Unavailable(f"the server ended at once with status {process.wait(LOOK_S)}")
    raise Unavailable(f"nothing listens on port {port} after {START_TIMEOUT_S:.0f} s")


class Child:
    """A Python program of this folder that answers each line of JSON with one."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._expect("ready")

    def ask(self, **question: Any) -> dict[str, float]:
        """Send *question* and return what the program measured."""
        self.tell(**question)
        return self.answer()

    def tell(self, **question: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable(f"{self._process.args!r} ended early; its reason is above")
        figures: dict[str, float] = json.loads(line)
        return figures

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line.strip() != word:
            raise Unavailable(f"{self._process.args!r} did not start; its reason is above")


@contextlib.contextmanager
def child(program: str, *words: str, build: Build = INSTALLED, side: int = LOAD) -> Iterator[Child]:
    """The program of this folder called *program*, with kv as of *build*, running until the block ends."""
    with started([sys.executable, str(HERE / program), *words], side, env=build.environment()) as process:
        yield Child(process)
