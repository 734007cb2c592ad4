"""ioredis, node-redis and connect-redis: one program each in js/, with what npm installs for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.redis.servers import Server
from tests.smoke.conftest import program, run

pytestmark = pytest.mark.smoke

SOURCES = Path(__file__).parent / "js"
INSTALL_S = 300.0


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs and their packages."""
    folder = tmp_path_factory.mktemp("js")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    run(program("npm"), "install", "--prefix", str(folder), *quiet, limit_s=INSTALL_S)
    return folder


@pytest.mark.parametrize("name", ["ioredis", "node-redis", "sessions"])
def test_a_program_for_node_talks_to_kv(kv: Server, programs: Path, name: str) -> None:
    assert run(program("node"), str(programs / f"{name}.js"), str(kv.port)) == "all passed\n"
