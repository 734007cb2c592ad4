"""redis-cli and redis-py over TLS, with a certificate of their own where one is demanded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.program import running
from tests.net.certificates import Authority
from tests.smoke.conftest import program, run

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    authority = Authority(tmp_path_factory.mktemp("smoke"))
    server, client = authority.write(), authority.write("ada@example.org", into="client")
    return {
        "ca": authority.file, "certificate": server["tls_certificate"], "key": server["tls_key"],
        "own_certificate": client["tls_certificate"], "own_key": client["tls_key"],
    }  # fmt: skip


@pytest.fixture(params=["anybody", "certificates demanded"])
def port(request: pytest.FixtureRequest, files: dict[str, str]) -> Iterator[int]:
    words = ["--tls-certificate", files["certificate"], "--tls-key", files["key"]]
    if request.param != "anybody":
        words += ["--tls-client-ca", files["ca"]]
    with running("--bind", "tls://127.0.0.1:0", *words) as server:
        yield server.port


def test_redis_cli(port: int, files: dict[str, str], tmp_path: Path) -> None:
    shown = ["--cacert", files["ca"], "--cert", files["own_certificate"], "--key", files["own_key"]]
    words = [program("redis-cli"), "-p", str(port), "--tls", *shown]
    assert run(*words, "set", "k", "x" * 100_000) == "OK\n"
    assert run(*words, "get", "k") == "x" * 100_000 + "\n"


def test_redis_py(port: int, files: dict[str, str]) -> None:
    import redis
    import redis.asyncio

    own = {"ssl_certfile": files["own_certificate"], "ssl_keyfile": files["own_key"], "ssl_ca_certs": files["ca"]}
    with redis.Redis(port=port, host="127.0.0.1", ssl=True, **own) as client:
        assert client.set("k", b"x" * 2_000_000)
        assert client.get("k") == b"x" * 2_000_000
        with client.pipeline(transaction=False) as pipeline:
            for _ in range(1_000):
                pipeline.incr("n")
            assert pipeline.execute() == list(range(1, 1_001))

    async def elsewhere() -> object:
        async with redis.asyncio.Redis(port=port, host="127.0.0.1", ssl=True, **own) as client:
            return await client.get("n")

    assert asyncio.run(elsewhere()) == b"1000"
