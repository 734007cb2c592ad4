"""Who may: `kv` logs in by what files and the environment hold, and trusts the certificates that it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.program import running
from tests.net.certificates import Authority
from tests.shell.conftest import Run
from tests.shell.terminal import kv as command_line
from tests.shell.terminal import terminal

PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server that asks who comes."""
    with running("--log-level", "warning", KV_PASSWORD=PASSWORD) as process:
        yield f"kv://{process.place}"


@pytest.fixture
def password(tmp_path: Path) -> str:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    return str(tmp_path / "password")


def test_nobody_gets_in_without_a_password(kv: Run) -> None:
    refused = kv("ping")
    assert (refused.status, refused.err.split(": ")[1]) == (1, "UNAUTHENTICATED")
    assert kv("health").status == 1
    assert kv("stat", "--count", "1").status == 1


def test_a_password_comes_from_a_file(kv: Run, password: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KV_PASSWORD_FILE", password)
    assert kv("acl", "whoami").out == "default\n"
    assert kv("bench", "-n", "20", "-t", "set").status == 0
    assert kv("monitor", "--help").status == 0
    (tmp_path / "other").write_text("wrong")
    monkeypatch.setenv("KV_PASSWORD_FILE", str(tmp_path / "other"))
    refused = kv("ping")
    assert (refused.status, refused.err.split(": ")[1]) == (1, "LOGIN")
    assert "wrong" not in refused.err


def test_a_token_is_made_and_logs_in(
    kv: Run, password: str, server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KV_PASSWORD_FILE", password)
    (tmp_path / "rule").write_text(">a secret\n")
    assert kv("acl", "setuser", "ada", "on", f"@{tmp_path / 'rule'}", "allkeys", "allnamespaces", "+@all").status == 0
    token = kv("token", "create", "ada", "--ttl", "1h").out.strip()
    monkeypatch.setenv("KV_TOKEN", token)
    assert kv("acl", "whoami").out == "ada\n"
    monkeypatch.delenv("KV_TOKEN")
    (tmp_path / "token").write_text(token)
    monkeypatch.setenv("KV_TOKEN_FILE", str(tmp_path / "token"))
    assert kv("acl", "whoami").out == "ada\n"
    monkeypatch.delenv("KV_TOKEN_FILE")
    (tmp_path / "hers").write_text("a secret")
    monkeypatch.setenv("KV_PASSWORD_FILE", str(tmp_path / "hers"))
    assert kv("-u", server.replace("kv://", "kv://ada@"), "acl", "whoami").out == "ada\n"


def test_the_prompt_and_top_log_in_too(server: str, password: str, tmp_path: Path) -> None:
    state = str(tmp_path)
    with terminal(command_line(), KV_URL=server, KV_PASSWORD_FILE=password, XDG_STATE_HOME=state) as prompt:
        prompt.wait_for(r">$")
        prompt.line("acl whoami")
        prompt.wait_for(r"^default$")
        prompt.line("top --interval 0.1")
        prompt.wait_for(r"^NAMESPACE ")
        prompt.type("q")
        prompt.wait_for(r">$")
        assert PASSWORD not in prompt.screen()


def test_tls_trusts_whom_it_is_told_to(kv: Run, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    paths = authority.write()
    words = [word for name in paths for word in (f"--{name.replace('_', '-')}", paths[name])]
    with running("--bind", "tls://127.0.0.1:0", "--log-level", "warning", *words) as process:
        url = f"kvs://localhost:{process.port}"
        assert kv("-u", url, "--ca", authority.file, "ping").out == "PONG\n"
        assert kv("-u", url, "--ca", authority.file, "bench", "-n", "20", "-t", "get").status == 0
        stranger = kv("-u", url, "ping")
        assert stranger.status == 3
        assert "the server's certificate was refused" in stranger.err
        plain = kv("-u", url.replace("kvs", "kv"), "ping")
        assert plain.status == 1
        assert "kvs://" in plain.err
    assert kv("-u", url, "--ca", str(tmp_path / "nowhere"), "ping").status == 2
    (tmp_path / "empty").write_text("")
    assert "certificates cannot be read" in kv("-u", url, "--ca", str(tmp_path / "empty"), "ping").err


def test_a_certificate_says_who_comes(kv: Run, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    paths = authority.write()
    own = authority.write("default", into="own")
    words = [word for name in paths for word in (f"--{name.replace('_', '-')}", paths[name])]
    words += ["--tls-client-ca", authority.file]
    with running("--bind", "tls://127.0.0.1:0", "--log-level", "warning", *words) as process:
        options = ["-u", f"kvs://localhost:{process.port}", "--ca", authority.file]
        assert kv(*options, "ping").status != 0
        shown = kv(*options, "--cert", own["tls_certificate"], "--key", own["tls_key"], "ping")
        assert shown == (0, "PONG\n", "")
