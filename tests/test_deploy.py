"""The files operators deploy with: what they name exists, what they start is safe, and they fit the program."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path

import pytest
import yaml

from kv_server.app.config import SETTINGS, Config
from tests.app.test_http import observed, samples

DEPLOY = Path(__file__).parents[1] / "deploy"
WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
FUNCTIONS = {
    "abs", "by", "histogram_quantile", "increase", "rate", "sum", "time", "topk", "and", "or"
}  # fmt: skip


def alerts() -> list[dict[str, str]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, str]]:
    return list(json.loads((DEPLOY / "grafana/kv.json").read_text())["panels"])


def queries() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])  # type: ignore[attr-defined]


def words(query: str) -> set[str]:
    """The names in a query, after it was seen that its brackets fit: without labels, spans and text."""
    text = re.sub(r'"[^"]*"', "", query)
    for opening, closing in ("()", "[]", "{}"):
        assert text.count(opening) == text.count(closing), query
    text = re.sub(r"\{[^}]*\}|\[[^]]*\]|\bby \([^)]*\)", "", text)
    assert re.fullmatch(r"[\w\s().,*/+<>=-]+", text), query
    return set(WORD.findall(text)) - FUNCTIONS


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The metrics of a server that keeps its data."""
    with observed("--data-dir", str(tmp_path_factory.mktemp("data"))) as (_, port):
        found = samples(port)
    return {name for name, _ in found} | OF_CALLS


OF_CALLS = {
    "kv_command_calls_total", "kv_command_failures_total", "kv_errors_total", "kv_namespace_keys",
    "kv_namespace_memory_bytes", "kv_namespace_locks", "kv_command_duration_seconds_bucket",
    "kv_command_duration_seconds_sum", "kv_command_duration_seconds_count",
}  # fmt: skip
"""Those that have samples only after calls; tests of metrics see them."""


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_every_metric_that_is_asked_for_exists(query: str, known: set[str]) -> None:
    asked = words(query) - {"up"}
    assert asked or query.startswith("up")
    assert asked <= known


def test_alerts_say_what_to_do() -> None:
    rules = alerts()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 12
    for rule in rules:
        assert rule["labels"]["severity"] in ("page", "warn", "info")  # type: ignore[index]
        assert set(rule["annotations"]) == {"summary", "action"}  # type: ignore[comparison-overlap]


def test_the_board_shows_every_panel_once_and_in_its_place() -> None:
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    places: set[tuple[int, int]] = set()
    for panel in found:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}  # type: ignore[index]
        assert not cells & places and max(cells)[0] < 24
        places |= cells


def test_the_page_names_metrics_that_exist(known: set[str]) -> None:
    page = (DEPLOY.parent / "docs/operating.md").read_text("utf-8")
    named = set(re.findall(r"`(kv_[a-z_]*[a-z])`", page))
    assert len(named) > 30
    of_namespaces = {"kv_namespace_expiring_keys", "kv_namespace_evicted_keys_total", "kv_command_duration_seconds"}
    assert named - of_namespaces <= known


# ---- systemd
@pytest.fixture
def unit() -> RawConfigParser:
    made = RawConfigParser(strict=False)
    made.optionxform = str  # type: ignore[assignment,method-assign]
    made.read(DEPLOY / "systemd/kv-server.service")
    return made


def test_the_unit_is_understood() -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze here")
    words = [program, "verify", str(DEPLOY / "systemd/kv-server.service")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "kv-server.service" not in done.stderr, done.stderr


def test_the_unit_fits_the_program(unit: RawConfigParser) -> None:
    service = unit["Service"]
    assert service["Type"] == "notify" and service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert int(service["TimeoutStopSec"].removesuffix("s")) * 1000 > Config().drain_timeout
    assert int(service["LimitNOFILE"]) > Config().max_connections
    assert int(service["WatchdogSec"].removesuffix("s")) > 10
    for option in re.findall(r"--([a-z-]+)", service["ExecStart"]):
        assert option == "config" or option.replace("-", "_") in SETTINGS


def test_the_unit_has_no_rights_that_it_does_not_need(unit: RawConfigParser) -> None:
    service = unit["Service"]
    assert service["User"] == service["Group"] == "kv" and service["StateDirectoryMode"] == "0700"
    assert service["CapabilityBoundingSet"] == "" and service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict" and service["ProtectHome"] == "yes"


# ---- Docker
def steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "docker/Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_is_built_of_this_repository_and_runs_without_rights() -> None:
    found = steps()
    starts = [at for at, (word, _) in enumerate(found) if word == "FROM"]
    assert [rest for word, rest in found if word == "FROM"] == ["python:3.13-slim AS build", "python:3.13-slim"]
    last = dict(found[starts[-1] :])
    assert last["USER"] == "kv" and last["VOLUME"] == "/data" and last["STOPSIGNAL"] == "SIGTERM"
    assert "--gid 7440 kv" in last["RUN"] and "--uid 7440" in last["RUN"]
    for form in (last["ENTRYPOINT"], last["CMD"], last["HEALTHCHECK"].partition("CMD ")[2]):
        assert all(isinstance(word, str) for word in json.loads(form)), "exec form: signals reach the server itself"
    for option in re.findall(r'"--([a-z-]+)"', last["CMD"]):
        assert option.replace("-", "_") in SETTINGS
    root = DEPLOY.parent
    assert "./packages/kv-server[http]\n" in (root / "requirements/serve.in").read_text()
    for word, rest in found[: starts[-1]]:
        if word == "COPY":
            assert all((root / name).exists() for name in rest.split()[:-1])


def test_the_image_holds_no_secret_and_knows_no_index() -> None:
    text = (DEPLOY / "docker/Dockerfile").read_text()
    assert not re.search(r"(?i)password|token|secret|index|https://", text)
    assert "--require-hashes" in text
