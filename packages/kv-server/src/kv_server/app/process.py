"""One server as a process: its ready line, its signals, its garbage collector, its end."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

import trio

from kv_server import __version__
from kv_server.app.config import Config
from kv_server.app.storage import CannotStart
from kv_server.app.supervisor import beat, tell
from kv_server.app.users import WrongUsers
from kv_server.app.wiring import apply_budgets, serve
from kv_server.net.listen import CannotListen
from kv_server.net.server import Server
from kv_server.surfaces.events import events_of
from kv_server.surfaces.trace import trace_of

__all__ = ["run"]

_FAILED: Final = 1
_WRONG_USE: Final = 2
_SPARE_DESCRIPTORS: Final = 64  # for listeners, logs and what the runtime needs

log = events_of("kv.process")


def run(config: Config, read_again: Callable[[], Config]) -> int:
    """Serve until a signal ends it; the exit status. *read_again* gives the configuration as it is written now."""
    _raise_descriptor_limit(config.max_connections)
    status = _FAILED
    try:
        status = trio.run(_main, config, read_again)
    except* (CannotListen, CannotStart, WrongUsers) as group:
        status = _WRONG_USE
        print(f"kv-server: {_first_of(group)}", file=sys.stderr)  # noqa: T201
    except* Exception as group:
        log.critical("the server failed", trace=trace_of(_first_of(group)))
    return status


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _main(config: Config, read_again: Callable[[], Config]) -> int:
    status = 0
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as starting:
                starting.start_soon(_end_early, signals, nursery.cancel_scope)
                server: Server = await nursery.start(serve, config)
                starting.cancel_scope.cancel()
            server.reloaders["budgets"] = lambda: apply_budgets(server.engine, read_again())
            _settle_garbage()
            _say_ready(server, config)
            tell("READY=1")
            nursery.start_soon(beat)
            status = await _until_signalled(server, signals, config.drain_timeout / 1000)
            nursery.cancel_scope.cancel()
    return status


async def _end_early(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    """Stop at once at a signal that comes before the server serves."""
    await _signal_to_end(signals)
    scope.cancel()


async def _until_signalled(server: Server, signals: AsyncIterator[int], drain_timeout_s: float) -> int:
    """Drain at the first signal to end; at the second, stop."""
    await _signal_to_end(signals, server.reload)
    tell("STOPPING=1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain, server, drain_timeout_s, nursery.cancel_scope)
        number = await _signal_to_end(signals)
        log.warning("stopping at once")
        nursery.cancel_scope.cancel()
        return 128 + number
    return 0


async def _signal_to_end(signals: AsyncIterator[int], hung_up: Callable[[], None] = lambda: None) -> int:
    """Wait for SIGTERM or SIGINT. SIGHUP, also that of a terminal, is no reason to end."""
    while True:
        number = await anext(signals)
        log.info("was signalled", signal=signal.Signals(number).name)
        if number != signal.SIGHUP:
            return number
        hung_up()


async def _drain(server: Server, timeout_s: float, scope: trio.CancelScope) -> None:
    await server.drain(timeout_s)
    scope.cancel()


def _say_ready(server: Server, config: Config) -> None:
    """Print the one line that says where the server listens. Nobody has to be there to read it."""
    places = ", ".join(map(str, server.addresses))
    kept = f"data in {config.data_dir}, fsync {config.fsync}" if config.data_dir else "memory only"
    kept += f", http on {', '.join(map(str, server.http))}" if server.http else ""
    try:
        print(f"kv-server {__version__} ready on {places} ({config.shards} shards, {kept})", flush=True)  # noqa: T201
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # so that the interpreter does not stumble over it at its end
    if any(address.public and not (address.tls and config.tls_client_ca) for address in (*config.bind, *config.http)):
        log.warning("other machines can reach this server and nobody has to log in", bind=places)


def _settle_garbage() -> None:
    """Take what was made until now out of the collector's sight, and let it look at the rest, more rarely.

    Calls leave no cycles behind, so most collections find nothing; what they cost grows with the objects that they walk
    over, and a full one would walk over every entry of the store.
    """
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)
    gc.enable()


def _raise_descriptor_limit(connections: int) -> None:
    """Let the process have a descriptor for every connection, as far as the system allows."""
    wanted = connections + _SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    if most < wanted:
        log.warning("too few descriptors for max_connections", limit=most, wanted=wanted)
