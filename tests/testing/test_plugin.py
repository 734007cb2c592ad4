"""The pytest plugin: its fixtures in a suite of a user, run by pytest in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kv_server import pytest_plugin

FOR_TRIO = """
import kv_client, pytest, trio, trio.testing

@pytest.fixture
def anyio_backend():
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

@pytest.fixture
def kv_settings(tmp_path):
    return {"data_dir": tmp_path, "fsync": "always"}

@pytest.mark.anyio
@pytest.mark.parametrize("time", [1, 2])
async def test_on_a_virtual_clock(kv, time):
    async with kv_client.connect(kv.url, dial=kv.dial) as client:
        assert await client.incr("n") == 1
        await client.expire("n", 86_400)
        await kv.crash()
        await kv.recover()
        await trio.sleep(600)
        assert await client.get("n") == 1
        kv.clock.advance(86_400 - 600)
        assert await client.get("n") is None

@pytest.mark.anyio
async def test_with_a_fault_that_never_happens(kv):
    kv.faults.refuse()
"""

FOR_OTHERS = """
import asyncio, pytest

def call(kv_thread):
    with kv_thread.socket() as sock:
        sock.sendall(b"INCR n\\r\\n")
        return sock.recv(100)

@pytest.mark.parametrize("time", [1, 2])
def test_synchronous(kv_thread, time):
    assert call(kv_thread) == b":1\\r\\n"

@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_under_asyncio(kv_thread, anyio_backend):
    reader, writer = await asyncio.open_connection(sock=await kv_thread.dial())
    writer.write(b"INCR n\\r\\n")
    assert await reader.readline() == b":1\\r\\n"
    writer.close()

def test_with_a_fault_that_never_happens(kv_thread):
    kv_thread.faults.refuse()
"""


def outcome(folder: Path, **modules: str) -> str:
    """What pytest says of the suite made of *modules*."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    plugin = ("-p", "no:kv", "-p", "kv_server.pytest_plugin")  # whether or not its entry point is installed here
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, "--rootdir", str(folder), str(folder))
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder, env=os.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_every_test_has_a_server_of_its_own_under_trio_and_elsewhere(tmp_path: Path) -> None:
    said = outcome(tmp_path, test_trio=FOR_TRIO, test_others=FOR_OTHERS)
    assert "7 passed, 2 errors" in said, said
    assert said.count("AssertionError: faults that never happened: refuse connection") >= 2


def test_the_plugin_costs_those_nothing_who_do_not_use_it() -> None:
    code = f"import sys, {pytest_plugin.__name__}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"trio", "attrs", "msgpack", "kv_protocol", "kv_server.testing"} & set(done.stdout.split())
