"""A server for the tests of the shell, and the shell itself: within this process, or as one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

import kv_client.sync
from kv_client.shell._program import main
from tests.app.program import running


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server, one for each module."""
    with running("--log-level", "warning") as process:
        yield f"kv://{process.place}"


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """The same, in a namespace of the test's own."""
    return f"{server}/{request.node.name.partition('[')[0]}"


@pytest.fixture
def client(url: str) -> Iterator[kv_client.sync.Client]:
    with kv_client.sync.connect(url) as opened:
        yield opened


@pytest.fixture
def kv(url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run `kv` in this process, where its output goes to a pipe."""
    for name in os.environ:
        if name.startswith("KV_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KV_URL", url)

    def run(*words: str) -> Outcome:
        capfd.readouterr()
        try:
            status = main(words)
        except SystemExit as end:
            status = int(end.code or 0)
        return Outcome(status, *capfd.readouterr())

    return run


@pytest.fixture
def program(url: str) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run `kv` as a program."""

    def run(*words: str, given: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("KV_")}
        words = (sys.executable, "-m", "kv_client.shell", *words)
        return subprocess.run(
            words, input=given, capture_output=True, timeout=30, env={**kept, "KV_URL": url, **variables}, check=False
        )

    return run
