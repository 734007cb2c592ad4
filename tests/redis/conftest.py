"""A Redis and a kv for the tests of this folder, how long they are compared, and with which sequences."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.redis.contest import Contest
from tests.redis.servers import REDIS_SERVER, WITHOUT_REDIS, Server, kv_server, redis_server


@pytest.fixture(scope="session")
def seconds(request: pytest.FixtureRequest) -> float:
    """How long each family is compared."""
    return float(request.config.getoption("--contest-seconds"))


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """Which sequences are drawn: always the same in CI, so that a red run is red again."""
    asked = request.config.getoption("--contest-seed")
    if asked is None:
        asked = 0 if "CI" in os.environ else random.randrange(1 << 30)
    return int(asked)


@pytest.fixture(scope="session")
def redis() -> Iterator[Server]:
    """A real Redis."""
    if REDIS_SERVER is None:
        pytest.skip(WITHOUT_REDIS)
    with redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def kv(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real kv, with a place to save to."""
    with kv_server("--data-dir", str(tmp_path_factory.mktemp("kv"))) as server:
        yield server
        assert server.process.poll() is None, "kv ended during the tests"


@pytest.fixture(scope="session")
def contest(redis: Server, kv: Server) -> Iterator[Contest]:
    """Both, to be asked the same."""
    both = Contest(redis, kv)
    yield both
    both.close()
