"""The programs of docs/recipes.md do what the page says, as they stand there, against a real server."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import kv_client.sync as kv
from tests.redis.servers import kv_server

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
TEXT = PAGE.read_text("utf-8")
PROGRAMS: dict[str, str] = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", TEXT, re.M | re.S))


@pytest.fixture
def url() -> Iterator[str]:
    with kv_server() as server:
        yield f"kv://127.0.0.1:{server.port}"


@pytest.fixture
def program(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a program of the page, which then speaks to the server of this test."""

    def load(name: str) -> ModuleType:
        file = tmp_path / name
        file.write_text(PROGRAMS[name].replace("kv://127.0.0.1:7440", url))
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, file.stem, module)
        spec.loader.exec_module(module)
        return module

    return load


def test_every_program_of_the_page_is_run_here() -> None:
    assert PROGRAMS.keys() == {"shop.py", "mailer.py", "views.py", "report.py", "test_report.py"}
    assert len(PROGRAMS) == TEXT.count("```python")


def test_products_are_sold_no_more_often_than_there_are(program: Callable[[str], ModuleType]) -> None:
    from fastapi.testclient import TestClient

    with TestClient(program("shop.py").app) as http:
        assert http.get("/products/lamp").status_code == 404
        assert http.post("/products/lamp/sales").status_code == 404
        assert http.put("/products/lamp", json={"name": "Lamp", "stock": 3}).json() > 0
        assert http.put("/products/lamp", json={"name": "Lamp"}).status_code == 422
        told = []
        sellers = [threading.Thread(target=lambda: told.append(http.post("/products/lamp/sales"))) for _ in range(8)]
        for seller in sellers:
            seller.start()
        for seller in sellers:
            seller.join()
        assert sorted(answer.status_code for answer in told) == [200] * 3 + [409] * 5
        assert http.get("/products/lamp").json() == {"name": "Lamp", "stock": 0}


def test_mails_are_sent_and_those_of_a_killed_service_put_back(url: str, tmp_path: Path) -> None:
    source = PROGRAMS["mailer.py"].replace("kv://127.0.0.1:7440", url).replace("client.lease(10,", "client.lease(0.5,")
    body = '    """What the service is there for."""\n'
    assert body in source
    file = tmp_path / "mailer.py"
    sends = '    print(mail, flush=True)\n    if mail == "stuck":\n        await trio.sleep_forever()\n'
    file.write_text(source.replace(body, sends))

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True, env=os.environ)

    with kv.connect(f"{url}/mail") as client:
        mails = client.list("mails")
        with start() as first:
            mails.push_right("one", "stuck")
            assert first.stdout is not None
            assert {first.stdout.readline(), first.stdout.readline()} == {"one\n", "stuck\n"}
            (own,) = client.keys("taken:*")
            while client.list(own).range(0, -1) != ["stuck"]:
                pass
            first.kill()
        with client.watch("mailers:" + own.removeprefix("taken:")) as changes:
            if client.exists("mailers:" + own.removeprefix("taken:")):
                assert next(changes).kind != "set"
        with start() as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "stuck\n"
            second.send_signal(signal.SIGTERM)
            assert second.wait(20) == 0
        assert not client.exists(own)


def test_a_page_counts_its_visits_and_turns_away_who_comes_too_often(url: str, tmp_path: Path) -> None:
    """In a process of its own, for Django is configured once."""
    (tmp_path / "views.py").write_text(PROGRAMS["views.py"].replace("kv://127.0.0.1:7440", url))
    (tmp_path / "visits.py").write_text(
        "import django\n"
        "from django.conf import settings\n"
        "settings.configure(ROOT_URLCONF='views', ALLOWED_HOSTS=['*'], SECRET_KEY='x')\n"
        "django.setup()\n"
        "from django.test import Client\n"
        "for _ in range(4):\n"
        "    answer = Client().get('/pages/home')\n"
        "    print(answer.status_code, answer.content.decode())\n"
    )
    done = subprocess.run([sys.executable, "visits.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        '200 {"visits": 1, "first": true}',
        '200 {"visits": 2, "first": false}',
        '200 {"visits": 3, "first": false}',
        "429 too many requests",
    ]


def test_a_report_is_made_by_one_of_many(program: Callable[[str], ModuleType], url: str) -> None:
    report = program("report.py")

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(report.main() for _ in range(8)))

    assert asyncio.run(all_at_once()).count(True) == 1
    with kv.connect(f"{url}/reports") as client:
        assert client.get("report:today")["users"] == 0


def test_the_test_of_the_page_passes(program: Callable[[str], ModuleType]) -> None:
    program("test_report.py").test_the_lock_is_lost_and_the_report_is_not_overwritten()
