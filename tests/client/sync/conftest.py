"""A real server for the tests of the blocking client, and a scripted one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

import kv_client.sync
from tests.client.sync.peers import Peer
from tests.faults.conftest import server
from tests.faults.processes import Server

__all__ = ["server"]

NUMBERS = count()


@pytest.fixture
def url(server: Server) -> str:
    """A namespace of its own on the server."""
    return server.url(f"sync{next(NUMBERS)}")


@pytest.fixture
def client(url: str) -> Iterator[kv_client.sync.Client]:
    """An open client with time enough for a busy machine."""
    with kv_client.sync.connect(url, timeout=60, connect_timeout=30) as opened:
        yield opened


@pytest.fixture
def other(url: str) -> Iterator[kv_client.sync.Client]:
    """Another one."""
    with kv_client.sync.connect(url, timeout=60, connect_timeout=30) as opened:
        yield opened


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.close()
