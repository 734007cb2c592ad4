"""How HTTP is asked for: where it may be served, who logs in where others reach it, what a start without it spares."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from tests.app.program import Ended, environment, run, running
from tests.app.test_http import HOST, get


def test_a_public_address_is_refused() -> None:
    ended = run("--bind", "127.0.0.1:0", "--http", "0.0.0.0")
    assert ended.status == 2 and ended.err.startswith("kv-server: http: other machines can reach 0.0.0.0:7441 (flag")
    assert ended.err.count("\n") == 1


def test_at_a_public_address_those_may_read_who_may_call_info(tmp_path: Path) -> None:
    users = tmp_path / "users"
    hashed = [sha256(password).hexdigest() for password in (b"s:cret", b"other")]
    users.write_text(f"user default off\nuser ada on #{hashed[0]} +info\nuser bob on #{hashed[1]} +get\n")
    users.chmod(0o600)
    words = ("--bind", "127.0.0.1:0", "--http", "0.0.0.0:0", "--users", str(users))
    with running(*words) as server:
        found = re.search(r", http on 0\.0\.0\.0:(\d+)\)", server.ready)
        assert found is not None, server.ready

        def status(login: str | None) -> int:
            headers = {} if login is None else {"authorization": "Basic " + b64encode(login.encode()).decode()}
            return get(int(found[1]), "/metrics", headers)[0].status

        assert [status(login) for login in (None, "ada:s:cret", "ada:wrong", "bob:other")] == [401, 200, 401, 403]


def test_an_address_that_is_taken_ends_the_start() -> None:
    with socket.create_server((HOST, 0)) as sock:
        ended = run("--bind", "127.0.0.1:0", "--http", f"{HOST}:{sock.getsockname()[1]}")
    assert ended.status == 2 and "another server listens there" in ended.err


def without(*names: str, words: tuple[str, ...]) -> Ended:
    """The program where the packages *names* cannot be imported."""
    code = f"import sys; sys.modules.update(dict.fromkeys({names!r})); from kv_server.app.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=20, env=environment(), check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr, 0)


@pytest.mark.parametrize("missing", ["hypercorn", "prometheus_client"])
def test_without_its_packages_the_start_ends_with_what_to_install(missing: str) -> None:
    ended = without(missing, words=("--bind", "127.0.0.1:0", "--http", "127.0.0.1:0"))
    assert ended.status == 2 and ended.err.count("\n") == 1
    assert "pip install 'kv-server[http]'" in ended.err and missing in ended.err


def test_who_does_not_ask_for_it_imports_nothing_of_it() -> None:
    code = (
        "import sys, kv_server.app.wiring as w; assert not {'hypercorn', 'prometheus_client', 'h11'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
