"""The two servers as real processes on ports of their own, each ended by its own handle."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

START_S = 20.0

REDIS_SERVER = shutil.which("redis-server")
WITHOUT_REDIS = "redis-server is not installed (Debian, Ubuntu: apt-get install redis-server)"


class Server(NamedTuple):
    """A server that listens."""

    name: str
    port: int
    process: subprocess.Popen[str]


@contextlib.contextmanager
def redis_server(*options: str) -> Iterator[Server]:
    """A Redis that saves nothing and allows DEBUG."""
    assert REDIS_SERVER is not None, WITHOUT_REDIS
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    words += ["--enable-debug-command", "yes", "--hz", "500", *options]
    words = [REDIS_SERVER, *words]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)
        with ended(process):
            wait_for(process, "Ready to accept connections")
            yield Server("Redis", port, process)


@contextlib.contextmanager
def kv_server(*options: str) -> Iterator[Server]:
    """A kv on the port that the kernel gave it."""
    words = [sys.executable, "-m", "kv_server", "--bind", "127.0.0.1:0", "--log-level", "warning", *options]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    with ended(process):
        ready = wait_for(process, " ready on 127.0.0.1:")
        yield Server("kv", int(ready.split("127.0.0.1:")[1].split()[0]), process)


@contextlib.contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """End *process* with the block, and not kindly if it does not listen."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def wait_for(process: subprocess.Popen[str], sign: str) -> str:
    """The first line that *process* prints with *sign* in it."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if sign in line:
            return line
    raise AssertionError(f"the server ended before it was ready:\n{said}")


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
