"""A real server process for the tests of this folder, one per module."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.faults.processes import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server on a port of its own; it must live through the module and end well when told to."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kv_server", "--bind", "127.0.0.1:0", "--log-level", "warning"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert " ready on 127.0.0.1:" in ready, f"no ready line, but {ready!r}"
    yield Server(process.pid, int(ready.split("127.0.0.1:")[1].split()[0]))
    assert process.poll() is None, "the server ended during the tests"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    process.stdout.close()
