"""Every test of this folder is written once, as an async function, and runs on each face of the client: `face` is all
of them, `async_face` those whose tasks can be cancelled, `asyncio_face` those that run on a loop of asyncio.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
from tools.emitters.blocking import blocking

from tests.faces.faces import FACES, AsyncioFace, Face
from tests.faces.servers import Between, Process

FIXTURES = {
    "face": list(FACES),
    "async_face": [name for name, face in FACES.items() if not face.blocking],
    "asyncio_face": [name for name, face in FACES.items() if issubclass(face, AsyncioFace)],
}

_numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, names in FIXTURES.items():
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, names, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    face = next((each for each in arguments.values() if isinstance(each, Face)), None)
    if face is None or not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    test = _rewritten(pyfuncitem.module.__file__)[pyfuncitem.originalname] if face.blocking else pyfuncitem.obj
    face.run(partial(test, **arguments))
    return True


@cache
def _rewritten(path: str) -> dict[str, Callable[..., Any]]:
    """The functions of a test module, in their blocking form."""
    namespace: dict[str, Any] = {"__name__": f"{Path(path).stem}_blocking"}
    exec(compile(blocking(Path(path).read_text("utf-8"), ""), f"{path} (blocking)", "exec"), namespace)
    return namespace


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    """The server of all tests of one worker; it must live through them and end well when told to."""
    server = Process()
    server.start()
    yield server
    assert server.running is not None
    assert server.running.poll() is None, "the server ended during the tests"
    assert server.end() == 0


@pytest.fixture
def face(request: pytest.FixtureRequest, process: Process) -> Face:
    return FACES[request.param](process.url(f"t{next(_numbers)}"), process.port)


@pytest.fixture
def async_face(request: pytest.FixtureRequest, process: Process) -> Face:
    return FACES[request.param](process.url(f"t{next(_numbers)}"), process.port)


@pytest.fixture
def asyncio_face(request: pytest.FixtureRequest, process: Process) -> Face:
    return FACES[request.param](process.url(f"t{next(_numbers)}"), process.port)


@pytest.fixture
def between(process: Process) -> Iterator[Between]:
    """A proxy before the server."""
    with Between(process.port) as made:
        yield made


@pytest.fixture(scope="session")
def own_server() -> Iterator[Process]:
    """Another server, which tests may kill and start again."""
    server = Process()
    server.start()
    yield server
    if server.running is not None:
        server.end()
