"""redis-cli: at a terminal, in a script, and each of its modes; redis-benchmark with all that it asks for."""

from __future__ import annotations

import re

import pytest

from tests.redis.servers import Server
from tests.smoke.conftest import program, run
from tests.smoke.terminal import terminal

pytestmark = pytest.mark.smoke


def cli(server: Server, *words: str, text: str | None = None) -> str:
    """What redis-cli prints."""
    return run(program("redis-cli"), "-p", str(server.port), *words, text=text)


def test_it_is_at_home_at_a_terminal(kv: Server) -> None:
    plain = rf"127\.0\.0\.1:{kv.port}"
    with terminal(program("redis-cli"), "-p", str(kv.port)) as screen:

        def ask(line: str, answer: str, prompt: str) -> None:
            screen.type(line)
            screen.wait_for(rf"{answer}\s+{prompt}> ")

        screen.wait_for(plain + "> ")
        ask('set k "a word"', "OK", plain)
        ask("get k", '"a word"', plain)
        ask("hset h a 1 b 2", r"\(integer\) 2", plain)
        ask("hgetall h", r'1\) "a"\s+2\) "1"\s+3\) "b"\s+4\) "2"', plain)
        ask("get none", r"\(nil\)", plain)
        ask("nope", r"\(error\) ERR unknown command 'nope', with args beginning with: ", plain)
        ask("help set", r"SET key value .*\s+summary: [^\r]+\s+since: [^\r]+\s+group: string", plain)
        third = plain + r"\[3\]"
        ask("select 3", "OK", third)
        ask("multi", "OK", third + r"\(TX\)")
        ask("incr n", "QUEUED", third + r"\(TX\)")
        ask("exec", r"1\) \(integer\) 1", third)
        ask("multi", "OK", third + r"\(TX\)")
        ask("discard", "OK", third)
        ask("hello 3", r'"proto" => \(integer\) 3[^>]*(=> [^>]*)*', third)
        ask("hgetall none", r"\(empty hash\)", third)
        screen.type("subscribe news")
        screen.wait_for(r'"subscribe"\s+2\) "news"\s+3\) \(integer\) 1')
        assert cli(kv, "publish", "news", "hello") == "1\n"
        screen.wait_for(r'"message"\s+2\) "news"\s+3\) "hello"')


def test_it_says_what_it_is_told_in_a_script(kv: Server) -> None:
    assert cli(kv, "set", "k", "v") == "OK\n"
    assert cli(kv, "--no-raw", "get", "k") == '"v"\n'
    assert cli(kv, "-3", "--no-raw", "get", "none") == "(nil)\n"
    assert cli(kv, "-n", "3", "dbsize") == "0\n"
    assert cli(kv, text="incr n\nincr n\nget n\n") == "1\n2\n2\n"
    assert cli(kv, "-r", "3", "incr", "n") == "3\n4\n5\n"
    assert cli(kv, "-x", "set", "x", text="from the pipe") == "OK\n"
    assert cli(kv, "--csv", "mget", "k", "x") == '"v","from the pipe"\n'
    cli(kv, "hset", "h", "a", "1")
    assert cli(kv, "-3", "--json", "hgetall", "h") == '{"a":"1"}\n'
    assert cli(kv, "-u", f"redis://127.0.0.1:{kv.port}/0", "get", "k") == "v\n"
    assert "name=me" in cli(kv, text="client setname me\nclient list\n")
    assert "redis_version:7.2." in cli(kv, "info", "server")
    assert cli(kv, "-e", "get", "k") == "v\n"


def test_its_tours_of_the_keys_end_with_a_summary(kv: Server) -> None:
    cli(kv, text="set s v\nrpush l a b c\nhset h a 1\nsadd t a b\nzadd z 1 a\nxadd x * a 1\n")
    assert sorted(cli(kv, "--scan").split()) == ["h", "l", "s", "t", "x", "z"]
    assert sorted(cli(kv, "--scan", "--pattern", "[hl]").split()) == ["h", "l"]
    assert re.search(r"Biggest +list found .*l.* has 3 items", cli(kv, "--bigkeys"))
    assert re.search(r"Biggest +hash found .*h.* has \d+ bytes", cli(kv, "--memkeys"))
    with terminal(program("redis-cli"), "-p", str(kv.port), "--hotkeys") as screen:
        screen.wait_for("Error: ERR An LFU maxmemory policy is not selected")


def test_its_views_of_the_server_run(kv: Server) -> None:
    with terminal(program("redis-cli"), "-p", str(kv.port), "--stat", "-i", "0.2") as screen:
        screen.wait_for("------- data ------ -+ load")
        for _ in range(3):
            screen.wait_for(r"\d+ +[\d.]+[BKMG] +\d+ +\d+ +\d+ \(\+\d+\) +\d+")
    with terminal(program("redis-cli"), "-p", str(kv.port), "--latency-history", "-i", "1") as screen:
        screen.wait_for(r"min: \d+, max: \d+, avg: [\d.]+ \([5-9]\d samples\) -- 1.\d+ seconds range")
    assert re.fullmatch(r"\d+ \d+ [\d.]+ \d+\s*", cli(kv, "--raw", "--latency"))
    assert "Max latency so far" in cli(kv, "--intrinsic-latency", "1")


def test_its_pipe_counts_replies_and_errors(kv: Server) -> None:
    lines = "".join(f"SET p{number} {number}\r\n" for number in range(10_000))
    assert "errors: 0, replies: 10000" in cli(kv, "--pipe", text=lines)
    assert cli(kv, "dbsize") == "10000\n"


def test_its_monitor_shows_every_call(kv: Server) -> None:
    with terminal(program("redis-cli"), "-p", str(kv.port), "monitor") as screen:
        screen.wait_for("OK")
        cli(kv, "-n", "2", "set", "k", 'a "b" \n\x01é')
        screen.wait_for(r'\d{10}\.\d{6} \[2 127\.0\.0\.1:\d+\] "set" "k" "a \\"b\\" \\n\\x01\\xc3\\xa9"')
        cli(kv, text="multi\nincr n\nexec\nauth default secret\nconfig get save\nget last\n")
        shown = screen.wait_for('"get" "last"')
        assert re.findall(r'\] ("[aegim].*?)\s*$', shown + "\n", re.MULTILINE) == [
            '"multi"', '"incr" "n"', '"exec"', '"auth" "(redacted)" "(redacted)"', '"get" "last"',
        ]  # fmt: skip


@pytest.mark.parametrize("pipeline", [1, 16])
def test_redis_benchmark_runs_all_its_tests_without_a_complaint(kv: Server, pipeline: int) -> None:
    words = ["-p", str(kv.port), "-n", "2000", "-c", "20", "-P", str(pipeline)]
    said = run(program("redis-benchmark"), *words, "--csv", limit_s=240)
    assert not re.search("warning|error", said, re.IGNORECASE), said
    rows = [row.split(",") for row in said.splitlines()[1:]]
    assert len(rows) == 20
    assert all(float(row[1].strip('"')) > 0 for row in rows)
    plain = run(program("redis-benchmark"), *words, "-t", "set,get", limit_s=60)
    assert 'host configuration "save": \n' in plain
    assert 'host configuration "appendonly": no' in plain
    assert "WARNING" not in plain
