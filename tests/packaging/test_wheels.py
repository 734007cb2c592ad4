"""Each package is whole in its wheel: typed, licensed, free of tests, importable without what it must not need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDS = {
    "kv_protocol": ["kv_protocol"],
    "kv_server": ["kv_protocol", "kv_server"],
    "kv_client": ["kv_protocol", "kv_client"],
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each package, built from a copy of nothing but what git would hold."""
    found = {}
    for package in sorted((ROOT / "packages").iterdir()):
        target = tmp_path_factory.mktemp(package.name)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
        pure = {**os.environ, "PURE_PYTHON": "1"}
        subprocess.run(build, cwd=package, check=True, capture_output=True, env=pure)
        found[package.name.replace("-", "_")] = next(target.glob("*.whl"))
    return found


@pytest.mark.parametrize("package", NEEDS)
def test_a_wheel_holds_the_package_and_nothing_else(package: str, wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels[package]) as wheel:
        names = wheel.namelist()
        metadata = message_from_bytes(wheel.read(next(name for name in names if name.endswith(".dist-info/METADATA"))))
    assert f"{package}/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert {name.split("/")[0].partition("-")[0] for name in names} == {package}
    source = ROOT / "packages" / package.replace("_", "-") / "src"
    assert {name for name in names if name.endswith(".py")} == {
        path.relative_to(source).as_posix() for path in source.rglob("*.py")
    }
    assert metadata["Requires-Python"] == ">=3.11"
    required = {re.split("[^a-z-]", entry)[0].replace("-", "_") for entry in metadata.get_all("Requires-Dist", [])}
    assert {name for name in required if name.startswith("kv_")} == set(NEEDS[package]) - {package}


@pytest.mark.parametrize("package", NEEDS)
def test_a_wheel_works_without_the_other_packages(package: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    for needed in NEEDS[package]:
        with zipfile.ZipFile(wheels[needed]) as wheel:
            wheel.extractall(tmp_path)
    # Without `site` no .pth file is read: the requirements are found, this environment's editable packages are not.
    paths = os.pathsep.join([str(tmp_path), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    outcome = subprocess.run(
        [sys.executable, "-S", str(Path(__file__).with_name("import_all.py")), package],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert outcome.returncode == 0, outcome.stderr


def test_the_shell_runs_from_the_wheel_of_the_client(wheels: dict[str, Path], tmp_path: Path) -> None:
    for needed in NEEDS["kv_client"]:
        with zipfile.ZipFile(wheels[needed]) as wheel:
            wheel.extractall(tmp_path)
    (entries,) = tmp_path.glob("kv_client-*.dist-info/entry_points.txt")
    assert "kv = kv_client.shell._program:main" in entries.read_text()
    paths = os.pathsep.join([str(tmp_path), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    outcome = subprocess.run(
        [sys.executable, "-S", "-m", "kv_client.shell", "help", "set"],
        env={**os.environ, "PYTHONPATH": paths}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.stdout.startswith("usage: kv set KEY VALUE"), outcome.stderr
