"""The prompt of `kv` and `kv top` and `kv bench`, as a person at a terminal meets them."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kv_client.sync
from tests.app.program import environment, running
from tests.shell.terminal import Terminal, kv, terminal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def prompt(url: str, state: Path) -> Iterator[Terminal]:
    with terminal(kv(), columns=100, rows=40, KV_URL=url, XDG_STATE_HOME=str(state)) as opened:
        opened.wait_for(r"Ctrl-D leaves\n.*>$")
        yield opened


def anew(prompt: Terminal) -> None:
    """Leave the line as it is and wait for the next prompt, so that no key comes between the two."""
    prompts = prompt.screen().count("> ")
    prompt.type("C-c")
    prompt.wait_for(rf"(?s)\A(.*?> ){{{prompts}}}.*>\s*\Z")


def test_a_conversation(prompt: Terminal, client: kv_client.sync.Client) -> None:
    prompt.line('set user:1 \'{"name": "Ada"}\' --ttl 1h')
    prompt.line("get user:1")
    prompt.wait_for(r'^\{"name": "Ada"\}$')
    prompt.line("hset cart apples 2 pears '\"3\"'")
    prompt.line("HGETALL cart")
    prompt.wait_for(r'^apples  2\npears   "3"$')
    prompt.line("get nothing")
    prompt.wait_for(r"^\(nil\)$")
    prompt.line("gett nothing")
    prompt.wait_for(r"^there is no command 'gett'; did you mean GET\?$")
    prompt.line("incr user:1")
    prompt.wait_for(r"^NOT_NUMBER: ")
    prompt.line("set a 'open")
    prompt.wait_for(r"^No closing quotation$")
    prompt.line("set a -")
    prompt.wait_for(r"^there is no input to read here")
    prompt.line("timing on")
    prompt.line("ping")
    prompt.wait_for(r"^PONG\n\([0-9.]+ ms\)$")
    prompt.line("use elsewhere")
    prompt.wait_for(r"/elsewhere>$")
    prompt.line("incr b --by 41")
    prompt.wait_for(r"^41$")
    assert client.ns("elsewhere").get("b") == 41
    prompt.line("use")
    prompt.wait_for(r"^write use NAMESPACE$")
    prompt.line("help get")
    prompt.wait_for(r"^usage: kv get KEY$")
    prompt.type("C-d")
    prompt.wait_for(r"^\$$")


def test_tab_completes(prompt: Terminal, client: kv_client.sync.Client) -> None:
    client.mset({"customer:ada": 1, "cust*": 2, "other": 3})
    client.ns("warehouse").set("a", 1)
    client.acquire_lock("invoice", ttl=60)
    prompt.type("hgeta", "Tab")
    prompt.wait_for(r"> hgetall$")
    anew(prompt)
    prompt.type("get customer", "Tab")
    prompt.wait_for(r"> get customer:ada$")
    anew(prompt)
    prompt.type("set customer:ada 1 --ke", "Tab")
    prompt.wait_for(r"--keep-ttl$")
    anew(prompt)
    prompt.type("use ware", "Tab")
    prompt.wait_for(r"> use warehouse$")
    anew(prompt)
    prompt.type("unlock inv", "Tab")
    prompt.wait_for(r"> unlock invoice$")
    anew(prompt)
    prompt.type("lmove a b LE", "Tab")
    prompt.wait_for(r"> lmove a b LEFT$")
    anew(prompt)
    prompt.type("client li", "Tab")
    prompt.wait_for(r"> client list$")


def test_ctrl_c_cancels_the_call_and_nothing_else(prompt: Terminal, client: kv_client.sync.Client) -> None:
    prompt.line("blpop queue")
    while not any(info.parked for info in client.clients()):
        pass
    prompt.type("C-c")
    prompt.wait_for(r"cancelled$")
    client.rpush("queue", "kept")
    prompt.line("lrange queue 0 -1")
    prompt.wait_for(r'^1\) "kept"$')
    prompt.type("half a line", "C-c")
    prompt.line("ping")
    prompt.wait_for(r"^PONG$")


def test_ctrl_c_between_two_lines_ends_nothing(prompt: Terminal) -> None:
    program = prompt.child()
    for _ in range(10):
        prompt.line("ping")
        for _ in range(1_000):
            os.kill(program, signal.SIGINT)
    prompt.line("echo here")
    prompt.wait_for(r'^"here"$')


def test_history_is_kept_for_its_owner_without_secrets(prompt: Terminal, url: str, state: Path) -> None:
    prompt.line("set kept 1")
    prompt.line("set api-token abc")
    prompt.line("auth ada hunter2")
    prompt.line("exit")
    prompt.wait_for(r"^\$$")
    file = state / "kv" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "set kept 1" in file.read_text()
    assert not re.search("abc|hunter2", file.read_text())
    prompt.line(f"clear; {kv()}")
    prompt.wait_for(r"Ctrl-D leaves\n.*>$")
    prompt.type("Up", "Up")
    prompt.wait_for(r"> set kept 1$")


def test_tools_run_within_the_prompt(prompt: Terminal, client: kv_client.sync.Client) -> None:
    client.set("alone", 1)
    prompt.line("scan")
    prompt.wait_for(r"^alone$")
    prompt.line("stat --interval 0.05")
    prompt.wait_for(r"calls/s")
    prompt.type("C-c")
    prompt.wait_for(r">$")
    prompt.line("health")
    prompt.wait_for(r"^ok: ")


def test_the_prompt_survives_the_server(state: Path) -> None:
    with running("--log-level", "warning") as first:
        with terminal(kv("-u", f"kv://{first.place}"), columns=100, XDG_STATE_HOME=str(state)) as prompt:
            prompt.wait_for(r">$")
            first.process.kill()
            first.process.wait()
            prompt.line("nonsense")
            prompt.wait_for(r"there is no command")
            with running("--bind", first.place, "--log-level", "warning"):
                prompt.line("set a 5")
                prompt.wait_for(r"^\d{10,}$|^CONNECTION_LOST")
                prompt.line("get a")
                prompt.wait_for(r"^5$|^\(nil\)$")


def test_nobody_there_is_told_at_once(state: Path) -> None:
    with terminal(kv("-u", "kv://127.0.0.1:1") + "; echo status $?", XDG_STATE_HOME=str(state)) as opened:
        opened.wait_for(r"^kv: CONNECTION_LOST: ")
        opened.wait_for(r"^status 3$")


def test_without_its_package_the_prompt_says_what_to_install(url: str, tmp_path: Path) -> None:
    (tmp_path / "prompt_toolkit.py").write_text("raise ModuleNotFoundError(name='prompt_toolkit')")
    path = f"{tmp_path}:{':'.join(path for path in sys.path if path)}"
    with terminal(kv("-u", url) + "; echo status $?", PYTHONPATH=path) as opened:
        opened.wait_for(r"^kv: the prompt needs one more package: pip install 'kv-client\[shell\]'$")
        opened.wait_for(r"^status 2$")
    done = subprocess.run(
        [sys.executable, "-m", "kv_client.shell", "-u", url, "ping"],
        env=environment(PYTHONPATH=path), capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.stdout == "PONG\n"


# ---- the whole screen
def test_top_is_live_and_leaves_the_terminal_as_it_was(url: str, client: kv_client.sync.Client) -> None:
    client.acquire_lock("held", ttl=60)
    client.set("a", 1)
    with terminal(f"echo before; {kv('-u', url, 'top', '--interval', '0.1')}; echo status $?") as opened:
        screen = opened.wait_for(r"^NAMESPACE ")
        assert screen.startswith("kv top  kv://127.0.0.1:")
        assert opened.in_full_screen()
        assert not opened.cursor_is_visible()
        space = re.escape(url.rpartition("/")[2][:20])
        opened.wait_for(rf"^{space}")
        opened.wait_for(r"^held ")
        assert re.search(r"^calls/s +[1-9]", opened.wait_for(r"^calls/s +[1-9]"), re.MULTILINE)
        client.mset({f"key:{number}": 1 for number in range(4321)})
        opened.wait_for(r"keys 4,3\d\d")
        opened.resize(60, 12)
        assert len(opened.wait_for(r"^calls/s").splitlines()) <= 12
        opened.type("q")
        opened.wait_for(r"^status 0$")
        assert "before" in opened.screen()
        assert opened.cursor_is_visible()
        assert not opened.in_full_screen()


def test_top_waits_for_a_server_that_is_gone() -> None:
    with running("--log-level", "warning") as first:
        with terminal(kv("-u", f"kv://{first.place}", "top", "--interval", "0.1")) as opened:
            opened.wait_for(r"^calls/s")
            first.process.kill()
            first.process.wait()
            opened.wait_for(r"trying again$")
            with running("--bind", first.place, "--log-level", "warning"):
                opened.wait_for(r"^calls/s")
                opened.type("C-c")
                opened.wait_for(r"^\$$")


def test_bench_in_a_terminal(url: str) -> None:
    with terminal(
        kv("-u", url, "bench", "-n", "200", "-c", "5", "-t", "set,get") + "; echo status $?", columns=110
    ) as opened:
        screen = opened.wait_for(r"^status 0$")
        assert re.search(
            r"^test +calls +seconds +calls_per_s +avg_ms +p50_ms +p95_ms +p99_ms +max_ms", screen, re.MULTILINE
        )
        assert re.search(r"^set +200 ", screen, re.MULTILINE)
        assert re.search(r"^get +200 ", screen, re.MULTILINE)


def test_latency_is_live_in_a_terminal(url: str) -> None:
    with terminal(kv("-u", url, "latency", "--interval", "0.001") + "; echo status $?", columns=110) as opened:
        opened.wait_for(r"^min [0-9.]+, avg .* p99 .*\(\d\d+ round trips\)")
        opened.type("C-c")
        opened.wait_for(r"^status 0$")
