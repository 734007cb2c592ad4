"""The two commands of a clean clone: `python3 dev.py serve` and `python3 dev.py test`. Needs Python alone.

Both make `.venv` beside this file, fill it from `requirements/` (pinned, with hashes) and install the packages
editable; where there is a C compiler they build the native floors into `build/native`, unless PURE_PYTHON=1 is set.
They do so again only when what they made it from has changed. Keeps to the standard library and to
syntax that an older Python 3 can read, so that it can say what it misses.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from typing import Iterator, NoReturn  # noqa: UP035

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
NATIVE = os.path.join(ROOT, "build", "native")
PACKAGES = ("kv-protocol", "kv-server", "kv-client", "kv-pool")
SERVED_BY = {"serve": ("serve", "test"), "test": ("test",)}  # an environment for tests can serve too

CHECKS = (
    ("format", ("ruff", "format", "--check", "--output-format", "concise", ".")),
    ("lint", ("ruff", "check", "--quiet", "--output-format", "concise", ".")),
    ("types", ("mypy",)),
    ("generated files", ("python", os.path.join("tools", "generate.py"), "--check")),
)

NOT_OF_BUILDS = ("--ignore", "tests/house", "--ignore", "tests/packaging", "--ignore", "tests/test_dev.py")


class Trouble(Exception):
    """Something the caller must change; its text is the whole message."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="dev.py", description="Run or test kv from a clone.")
    parser.add_argument("command", choices=("serve", "test"))
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="options of kv-server, or of pytest")
    arguments = parser.parse_args()
    try:
        check_python()
        environment = clean_environment()
        with one_at_a_time():
            prepare(arguments.command, environment)
            native = build(environment)
        if arguments.command == "serve":
            serve(arguments.rest, native or environment)
        return test(arguments.rest, environment, native)
    except Trouble as trouble:
        sys.stderr.write(f"dev.py: {trouble}\n")
        return 2
    except KeyboardInterrupt:
        return 130


def check_python() -> None:
    """Refuse a Python that is too old or that cannot make an environment, and say what to do."""
    if sys.version_info < OLDEST:
        newer = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if shutil.which(name)]
        advice = f"run it as `{newer[0]} dev.py`" if newer else "install Python 3.11 or newer"
        raise Trouble(f"this is Python {sys.version.split()[0]}, kv needs 3.11: {advice}")
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise Trouble(f"Python's module {missing[0]} is missing; on Debian and Ubuntu: apt-get install {package}")


def clean_environment() -> dict[str, str]:
    """The environment, less what would let other installations in."""
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment["VIRTUAL_ENV"] = VENV
    environment["PATH"] = os.pathsep.join((os.path.join(VENV, "bin"), environment.get("PATH", os.defpath)))
    environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return environment


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep a second dev.py out while this one makes the environment."""
    try:
        import fcntl
    except ImportError:
        raise Trouble("kv runs on Linux, macOS and other POSIX systems") from None
    with open(os.path.join(ROOT, ".venv.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(kind: str, environment: dict[str, str]) -> None:
    """Make or refresh `.venv` for *kind*, unless its stamps say that nothing has changed."""
    interpreter = f"{sys.version} {ROOT}"
    python = os.path.join(VENV, "bin", "python")
    if not os.path.exists(python) or read_stamp("python") != interpreter:
        say("making .venv")
        run("making .venv", [sys.executable, "-m", "venv", "--clear", VENV], environment)
        write_stamp("python", interpreter)
    if any(read_stamp(name) == fingerprint(name) for name in SERVED_BY[kind]):
        return
    began = time.monotonic()
    pins = os.path.join("requirements", kind + ".txt")
    say(f"installing {pins} and the packages; needed again only when they change")
    pip = [python, "-m", "pip", "--quiet", "install"]
    run(f"installing {pins}", [*pip, "--require-hashes", "-r", pins], environment)
    sources = [word for package in PACKAGES for word in ("-e", os.path.join("packages", package))]
    run("installing the packages", [*pip, "--no-deps", "--no-build-isolation", *sources], environment)
    write_stamp(kind, fingerprint(kind))
    say(f"ready after {time.monotonic() - began:.0f} s")


def build(environment: dict[str, str]) -> dict[str, str] | None:
    """Build the native floors, and return the environment that runs on them; None where they cannot be built."""
    missing = unbuildable()
    if missing:
        say(f"everything runs as plain Python: {missing}")
        return None
    if read_stamp("native") != (wanted := native_fingerprint()):
        say("compiling the native floors, some minutes; PURE_PYTHON=1 goes without them")
        words = [os.path.join(VENV, "bin", "python"), os.path.join("tools", "native.py"), NATIVE]
        if subprocess.call(words, cwd=ROOT, env=environment) != 0:
            say("they could not be compiled, see above: everything runs as plain Python")
            return None
        write_stamp("native", wanted)
    return {**environment, "PYTHONPATH": NATIVE}


def unbuildable() -> str:
    """Why nothing can be compiled, or nothing."""
    if os.environ.get("PURE_PYTHON"):
        return "PURE_PYTHON is set"
    if not any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        return "there is no C compiler"
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-dev"
        return f"the headers of Python are missing; on Debian and Ubuntu: apt-get install {package}"
    return ""


def native_fingerprint() -> str:
    """A digest of everything that the native floors are made from."""
    digest = hashlib.sha256(f"{sys.version} {NATIVE}".encode())
    for folder, folders, names in os.walk(os.path.join(ROOT, "packages")):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".py", ".pyx", ".pxd", ".h", ".toml")):
                with open(os.path.join(folder, name), "rb") as source:
                    digest.update(hashlib.sha256(source.read()).digest())
    return digest.hexdigest()


def fingerprint(kind: str) -> str:
    """A digest of everything that an installation of *kind* is made from."""
    digest = hashlib.sha256()
    for path in [
        os.path.join("requirements", kind + ".txt"),
        *(os.path.join("packages", package, "pyproject.toml") for package in PACKAGES),
    ]:
        with open(os.path.join(ROOT, path), "rb") as source:
            digest.update(source.read())
    return digest.hexdigest()


def read_stamp(name: str) -> str:
    try:
        with open(os.path.join(VENV, f"kv-{name}.stamp")) as stamp:
            return stamp.read()
    except FileNotFoundError:
        return ""


def write_stamp(name: str, text: str) -> None:
    with open(os.path.join(VENV, f"kv-{name}.stamp"), "w") as stamp:
        stamp.write(text)


def serve(options: list[str], environment: dict[str, str]) -> NoReturn:
    """Become the server, so that signals and the exit status are its own."""
    program = os.path.join(VENV, "bin", "kv-server")
    os.execve(program, [program, *options], environment)


def test(options: list[str], environment: dict[str, str], native: dict[str, str] | None) -> int:
    """Run every check, then the tests, on both builds if there are two; all of them: one run is to tell everything."""
    failed = []
    suite: tuple[str, ...] = ("pytest", "-n", "auto", "--dist", "worksteal", *options)
    steps: list[tuple[str, tuple[str, ...], dict[str, str]]] = [(name, words, environment) for name, words in CHECKS]
    if native is not None:
        steps.append(("tests, native build", (*suite, *NOT_OF_BUILDS), native))
        suite = (*suite, "--contest-seconds", "1")
    steps.append(("tests, plain build", suite, environment))
    for name, words, where in steps:
        say(name)
        program = os.path.join(VENV, "bin", words[0])
        if subprocess.call([program, *words[1:]], cwd=ROOT, env=where) != 0:
            failed.append(name)
    say("failed: " + ", ".join(failed) if failed else "all passed")
    return 1 if failed else 0


def run(what: str, words: list[str], environment: dict[str, str]) -> None:
    if subprocess.call(words, cwd=ROOT, env=environment) != 0:
        raise Trouble(f"{what} failed; the reason is above")


def say(text: str) -> None:
    sys.stderr.write(f"== {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
