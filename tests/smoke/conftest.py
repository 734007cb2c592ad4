"""A kv process that all smoke tests share, empty at the beginning of each, and what they need of the machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.redis.servers import Server, kv_server

LIMIT_S = 60.0


@pytest.fixture(scope="session")
def shared_kv() -> Iterator[Server]:
    with kv_server() as server:
        yield server


@pytest.fixture
def kv(shared_kv: Server) -> Server:
    """The server, with nothing in it."""
    run(program("redis-cli"), "-p", str(shared_kv.port), "flushall")
    return shared_kv


def program(name: str) -> str:
    """Where a program is. A smoke test does not pass for want of one."""
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed (Debian, Ubuntu: apt-get install redis-tools nodejs npm)"
    return found


def run(*words: str, text: str | None = None, limit_s: float = LIMIT_S) -> str:
    """What a program prints; it must end well, and say nothing on its standard error."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", done.stderr
    return done.stdout
