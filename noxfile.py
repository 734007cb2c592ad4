"""What there is to run, one session each; `nox -l` lists them. Bare `nox` checks what a change must pass."""

from __future__ import annotations

import pathlib
import tempfile

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["house", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PACKAGES = ["kv-protocol", "kv-server", "kv-client", "kv-pool"]
CLIENTS = [
    "cachelib==0.17.0",
    "coredis==6.9.0",
    "django==5.2.19",
    "flask==3.1.3",
    "flask-session==0.8.0",
    "redis[hiredis]==8.1.0",
    "valkey-glide==2.5.3",
]


def prepare(session: nox.Session, pins: str) -> None:
    """Install the pinned requirements of requirements/*pins*.txt and the packages, editable."""
    session.install("--require-hashes", "-r", f"requirements/{pins}.txt")
    sources = [word for package in PACKAGES for word in ("-e", f"packages/{package}")]
    session.install("--no-deps", "--no-build-isolation", *sources)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite, without the long fault runs; takes pytest's arguments."""
    prepare(session, "test")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def native(session: nox.Session) -> None:
    """The suite on the native build; takes pytest's arguments. It needs a C compiler."""
    prepare(session, "test")
    folder = pathlib.Path("build", f"native-{session.python}").absolute()
    session.run("python", "tools/native.py", str(folder))
    session.run(
        "pytest", "--ignore=tests/house", "--ignore=tests/packaging", *session.posargs, env={"PYTHONPATH": str(folder)}
    )


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, over all packages."""
    prepare(session, "test")
    session.run("mypy", *session.posargs)


@nox.session
def house(session: nox.Session) -> None:
    """The house rules: form, lint, generated files, floors, sizes, agreement of pages and source."""
    prepare(session, "test")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("python", "tools/generate.py", "--check")
    session.run("pytest", "tests/house", *session.posargs)


@nox.session
def long(session: nox.Session) -> None:
    """The long fault runs: minutes of random kills, stalls and torn connections."""
    prepare(session, "test")
    session.run("pytest", "-m", "long", *session.posargs)


@nox.session
def smoke(session: nox.Session) -> None:
    """What Redis users run, against kv: redis-cli, redis-benchmark, clients for Python and Node.js, session stores.

    Of the machine it needs redis-tools, nodejs and npm.
    """
    prepare(session, "test")
    session.install(*CLIENTS)
    session.run("pytest", "-m", "smoke", "tests/smoke", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """The suite on the oldest direct requirements that the packages declare."""
    prepare(session, "test")
    session.install("uv")
    sources = [f"packages/{package}" for package in PACKAGES]
    session.run("uv", "pip", "install", "--quiet", "--upgrade", "--resolution", "lowest-direct", *sources)
    session.run("pytest", "--ignore=tests/house", *session.posargs)


@nox.session
def wheels(session: nox.Session) -> None:
    """Build sdists and wheels into dist/ and use each wheel in an environment that holds nothing else."""
    session.install("--require-hashes", "-r", "requirements/serve.txt")
    dist = pathlib.Path("dist").absolute()
    for package in PACKAGES:
        with session.chdir(f"packages/{package}"):
            session.run("hatchling", "build", "--clean", "-d", str(dist / package))
    protocol, server, client, pool = (str(next((dist / package).glob("*.whl"))) for package in PACKAGES)
    needs = {
        "protocol": [protocol], "server": [protocol, f"{server}[http]"], "client": [protocol, f"{client}[shell]"],
        "pool": [protocol, client, pool],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for name, installed in needs.items():
            python = f"{folder}/{name}/bin/python"
            session.run("python", "-m", "venv", f"{folder}/{name}")
            session.run(python, "-m", "pip", "--quiet", "install", *installed, external=True)
            session.run(python, "tests/packaging/import_all.py", f"kv_{name}", external=True)
        session.run(f"{folder}/server/bin/kv-server", "--help", external=True, silent=True)
        session.run(f"{folder}/client/bin/kv", "help", "set", external=True, silent=True)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks against their peers; benchmarks/README.md says what they mean."""
    prepare(session, "bench")
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def generate(session: nox.Session) -> None:
    """Rewrite what is made from the table of commands: the client's methods, docs/commands.md."""
    prepare(session, "test")
    session.run("python", "tools/generate.py", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Compile requirements/*.in into pins with hashes, for all platforms and Pythons; `-- --upgrade` renews them."""
    session.install("uv")
    own = [word for package in PACKAGES for word in ("--no-emit-package", package)]
    silence = ["--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    everywhere = ["--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    for name in ("test", "serve", "bench"):
        same = [] if name == "test" else ["-c", "requirements/test.txt"]
        target = ["-o", f"requirements/{name}.txt", f"requirements/{name}.in"]
        session.run("uv", "pip", "compile", *everywhere, *silence, *own, *same, *target, *session.posargs)
