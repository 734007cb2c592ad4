"""A kv and, where it is installed, a real Redis, as processes that all tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redis.servers import REDIS_SERVER, WITHOUT_REDIS, Server, kv_server, redis_server


@pytest.fixture(scope="session")
def kv() -> Iterator[Server]:
    with kv_server("--slow-log-threshold", "off") as server:  # what is slow here need not be slow there
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    if REDIS_SERVER is None:
        pytest.skip(WITHOUT_REDIS)
    with redis_server("--slowlog-log-slower-than", "-1") as server:
        yield server
