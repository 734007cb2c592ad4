"""`dev.py` says in one line what it misses, and prepares an environment only when something has changed."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The names of dev.py, working on a copy of the files it reads; what it would run is noted in `ran`."""
    names = runpy.run_path(str(ROOT / "dev.py"), run_name="dev")
    scope = names["main"].__globals__
    ran: list[str] = []

    def run(what: str, words: list[str], environment: dict[str, str]) -> None:
        ran.append(what)
        if what == "making .venv":
            (tmp_path / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
            (tmp_path / ".venv" / "bin" / "python").touch()

    for path in [*ROOT.glob("requirements/*.txt"), *ROOT.glob("packages/*/pyproject.toml")]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    changed = {"ROOT": str(tmp_path), "VENV": str(tmp_path / ".venv"), "run": run, "ran": ran}
    for name, thing in changed.items():
        monkeypatch.setitem(scope, name, thing)
    return scope


def complaint(dev: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What `dev.py test` says before it gives up."""
    monkeypatch.setattr(sys, "argv", ["dev.py", "test"])
    assert dev["main"]() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_an_old_python_is_told_so(
    dev: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    assert "kv needs 3.11" in complaint(dev, capsys, monkeypatch)


def test_a_missing_ensurepip_names_the_package_to_install(
    dev: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    assert f"apt-get install {package}" in complaint(dev, capsys, monkeypatch)


def test_an_environment_is_prepared_once(dev: dict[str, Any]) -> None:
    dev["prepare"]("test", {})
    assert dev["ran"] == ["making .venv", "installing requirements/test.txt", "installing the packages"]
    dev["prepare"]("test", {})
    dev["prepare"]("serve", {})
    assert len(dev["ran"]) == 3


def test_changed_requirements_are_installed_into_the_same_environment(dev: dict[str, Any]) -> None:
    dev["prepare"]("serve", {})
    dev["ran"].clear()
    with open(Path(dev["ROOT"]) / "requirements" / "serve.txt", "a") as pins:
        pins.write("\n")
    dev["prepare"]("serve", {})
    assert dev["ran"] == ["installing requirements/serve.txt", "installing the packages"]


def test_another_python_makes_the_environment_anew(dev: dict[str, Any]) -> None:
    dev["prepare"]("serve", {})
    dev["ran"].clear()
    dev["write_stamp"]("python", "another one")
    dev["prepare"]("serve", {})
    assert dev["ran"][0] == "making .venv"


def test_foreign_python_paths_stay_out(dev: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert "PYTHONPATH" not in dev["clean_environment"]()
