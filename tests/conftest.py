"""How this suite runs: `async def` tests under trio, on a virtual clock if they ask for one. Knows no package of kv."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import hypothesis
import pytest
import trio
import trio.testing

ASYNC_TEST_TIMEOUT_S = 60.0  # real seconds, whatever the test's own clock says

hypothesis.settings.register_profile(
    "kv",
    deadline=None,  # shared machines stall: a slow example is no failure
    derandomize="CI" in os.environ,  # a red run is red again for whoever looks into it
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],  # the clock is made anew for each example
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],  # it traces every line
)
hypothesis.settings.load_profile("kv")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contest with Redis")
    group.addoption("--contest-seconds", type=float, default=2.0, help="how long each family of calls is compared")
    group.addoption("--contest-seed", type=int, default=None, help="which sequences of calls are drawn")


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """The clock the test runs on: when every task waits, it jumps to the next deadline."""
    return trio.testing.MockClock(autojump_threshold=0)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function, bare or below `@given`, as one trio program."""
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    given = getattr(pyfuncitem.obj, "hypothesis", None)
    if given is not None:
        if inspect.iscoroutinefunction(given.inner_test):
            given.inner_test = _program(given.inner_test, fresh_clock="autojump_clock" in arguments)
        return None  # hypothesis draws the arguments and calls the program
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    _program(pyfuncitem.obj)(**arguments)
    return True


def _program(test: Callable[..., Awaitable[None]], *, fresh_clock: bool = False) -> Callable[..., None]:
    """*test* as a plain function that runs it to its end under trio; with *fresh_clock* each run starts at zero."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        if fresh_clock:
            kwargs["autojump_clock"] = trio.testing.MockClock(autojump_threshold=0)
        trio.run(_within_time_limit, functools.partial(test, *args, **kwargs), clock=kwargs.get("autojump_clock"))

    return run


async def _within_time_limit(body: Callable[[], Awaitable[None]]) -> None:
    """Run *body*; cancel it by a timer of its own thread, since trio's deadlines follow the test's clock."""
    token = trio.lowlevel.current_trio_token()
    with trio.CancelScope() as scope:
        timer = threading.Timer(ASYNC_TEST_TIMEOUT_S, _cancel_soon, args=(token, scope))
        timer.daemon = True
        timer.start()
        try:
            await body()
        finally:
            timer.cancel()
    if scope.cancelled_caught:
        pytest.fail(f"still running after {ASYNC_TEST_TIMEOUT_S:.0f} s", pytrace=False)


def _cancel_soon(token: trio.lowlevel.TrioToken, scope: trio.CancelScope) -> None:
    try:
        token.run_sync_soon(scope.cancel)
    except trio.RunFinishedError:
        return
