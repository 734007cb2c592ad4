"""Logins: their time tells nothing, floods of them harm nobody else, and no secret comes out anywhere."""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

from tests.app.program import running
from tests.attacks.conftest import PASSWORD, SECRET, Town
from tests.redis.client import Connection


def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    with running("--log-level", "warning", KV_PASSWORD=SECRET) as server:
        operator = Connection(server.port)
        operator.call(b"AUTH", SECRET.encode())
        operator.call(b"ACL", b"SETUSER", b"known", b"on", b">one", b">two")
        operator.call(b"ACL", b"SETUSER", b"off", b"off", b">one")
        operator.call(b"ACL", b"SETUSER", b"bare", b"on")
        spent: dict[bytes, list[float]] = {b"known": [], b"unknown": [], b"off": [], b"bare": []}
        line = Connection(server.port)
        for turn in range(12):
            for user, times in spent.items():
                began = time.perf_counter()
                assert line.call(b"AUTH", user, b"wrong%d" % turn).value.startswith(b"WRONGPASS")
                times.append(time.perf_counter() - began)
                time.sleep(max(0.0, 0.11 - times[-1]))  # slower than what is delayed
            if turn % 10 == 9:
                line.close()
                line = Connection(server.port)
        line.close()
        operator.close()
    typical = {user: statistics.median(times) for user, times in spent.items()}
    assert max(typical.values()) < 1.5 * min(typical.values()), typical


def test_a_flood_of_logins_leaves_neighbours_alone() -> None:
    with running("--log-level", "warning", KV_PASSWORD=SECRET) as server:
        neighbour = Connection(server.port)
        neighbour.call(b"AUTH", SECRET.encode())
        done = threading.Event()
        answers: list[bytes] = []

        def flood(number: int) -> None:
            while not done.is_set():
                line = Connection(server.port)
                for turn in range(60):
                    if done.is_set():
                        break
                    answers.append(line.call(b"AUTH", b"default", b"%d-%d" % (number, turn)).value[:9])
                line.close()

        threads = [threading.Thread(target=flood, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        slow = []
        for _ in range(200):
            began = time.perf_counter()
            assert neighbour.call(b"PING").value == b"PONG"
            slow.append(time.perf_counter() - began)
            time.sleep(0.01)
        done.set()
        for thread in threads:
            thread.join(30)
        neighbour.close()
    assert sorted(slow)[190] < 0.1, f"p95 {sorted(slow)[190] * 1000:.1f} ms"
    assert answers.count(b"WRONGPASS") <= 10 * 3 + 25
    assert set(answers) <= {b"WRONGPASS", b"ERR too m"}


def test_a_pool_is_let_in_at_once(town: Town) -> None:
    town.make(b"+@all")
    town.line(b"ada")
    began = time.perf_counter()
    for _ in range(50):
        town.line(b"ada")
    assert time.perf_counter() - began < 1.0, "who has shown a password before is not hashed again"


def test_no_secret_comes_out_anywhere(tmp_path: Path) -> None:
    users = tmp_path / "users"
    token = b""
    with running("--users", str(users), KV_PASSWORD=SECRET) as server:
        operator, monitor, ada = (Connection(server.port) for _ in range(3))
        for line in (operator, monitor):
            assert line.call(b"AUTH", SECRET.encode()).value == b"OK"
        operator.call(b"CONFIG", b"SET", b"slowlog-log-slower-than", b"0")
        monitor.call(b"MONITOR")
        heard = []
        operator.call(b"ACL", b"SETUSER", b"ada", b"on", b">" + PASSWORD, b"+@all", b"~*")
        operator.call(b"ACL", b"SETUSER", b"ada", b">" + PASSWORD, b"+nonsense")
        operator.call(b"ACL", b"SETUSER", b"ada", b"<" + PASSWORD + b"x")
        token = operator.call(*b"TOKEN CREATE ada".split()).value
        operator.call(b"FENCED", b"l", b"1", b"AUTH", b"ada", PASSWORD)
        operator.call(b"HELLO", b"3", b"SETNAME", b"a b", b"AUTH", b"ada", PASSWORD)
        operator.call(b"HELLO", b"9", b"AUTH", b"ada", PASSWORD)
        operator.call(b"CONFIG", b"SET", b"requirepass", PASSWORD)
        operator.call(b"MULTI")
        operator.call(b"AUTH", b"ada", PASSWORD)
        operator.call(b"EXEC")
        operator.call(b"AUTH", SECRET.encode())
        heard.append(ada.call(b"AUTH", b"ada", PASSWORD + b"x"))
        heard.append(ada.call(b"AUTH", b"ada", PASSWORD))
        for words in (b"ACL LIST", b"ACL GETUSER ada", b"ACL LOG", b"SLOWLOG GET 100", b"CLIENT LIST", b"INFO",
                      b"CONFIG GET *", b"TOKEN LIST", b"LATENCY LATEST", b"MEMORY STATS"):  # fmt: skip
            heard.append(operator.call(*words.split()))
        heard += monitor.arrived(1)
        for line in (operator, monitor, ada):
            line.close()
        server.process.terminate()
        end = server.wait()
        assert end.status == 0
    said = (repr(heard) + end.out + end.err + users.read_text()).encode()
    for secret in (SECRET.encode(), PASSWORD, token, token.split(b"_")[2]):
        assert secret not in said, said[max(0, said.index(secret) - 300) : said.index(secret) + 100]
    assert users.stat().st_mode & 0o777 == 0o600
    with running("--users", str(users), KV_PASSWORD=SECRET) as server:
        line = Connection(server.port)
        assert line.call(b"AUTH", b"ada", PASSWORD).value == b"OK"
        assert line.call(b"AUTH", b"token", token).value == b"OK"
        line.close()
