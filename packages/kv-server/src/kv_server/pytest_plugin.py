"""Fixtures for those who test against kv: a server for each test, and with it a store that nobody else has seen.

`kv` is for tests that run under trio, by pytest-trio or by anyio's plugin; `kv_thread` for all others. Both take the
settings of the server from `kv_settings`, which a module or a conftest may define anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kv_server.testing import ThreadServer, TrioServer

__all__ = ["kv", "kv_settings", "kv_thread"]


@pytest.fixture
def kv_settings() -> dict[str, Any]:
    """The settings of the server under test, as `kv_server.testing.server` takes them."""
    return {}


@pytest.fixture
async def kv(kv_settings: dict[str, Any]) -> AsyncIterator[TrioServer]:
    """A server in the trio run of the test."""
    from kv_server.testing import server

    async with server(**kv_settings) as made:
        yield made


@pytest.fixture
def kv_thread(kv_settings: dict[str, Any]) -> Iterator[ThreadServer]:
    """A server in a thread of its own."""
    from kv_server.testing import thread_server

    with thread_server(**kv_settings) as made:
        yield made
