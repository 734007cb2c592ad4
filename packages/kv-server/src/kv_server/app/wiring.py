"""Puts a server together: the only place that constructs its parts, and where each learns of the others."""

from __future__ import annotations

import time
from random import Random, SystemRandom

import trio

from kv_server import __version__
from kv_server.app.config import Config
from kv_server.app.node import ServerNode
from kv_server.app.storage import Storage
from kv_server.commands import CATALOG
from kv_server.durability.journal import Origin
from kv_server.engine.engine import Engine, Start
from kv_server.engine.engine import Limits as EngineLimits
from kv_server.net.accept import Acceptor
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections, NetLimits
from kv_server.net.listen import Listener, open_listeners
from kv_server.net.loop import Loop
from kv_server.net.readiness import Readiness, open_readiness
from kv_server.net.server import Server
from kv_server.surfaces.hello import Limits as SurfaceLimits
from kv_server.surfaces.native import NativeDoor
from kv_server.surfaces.resp import RespDoor

__all__ = ["NATIVE", "RESP", "run", "serve"]

NATIVE = 0x00
"""The first byte of a native client: its first frame is shorter than 16 MiB."""

RESP = (*b"\r\n ", *range(0x21, 0x7F))
"""The first bytes of a client of Redis: `*`, or the beginning of a line as people type it."""


async def serve(config: Config, *, task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED) -> None:
    """Run a server until it is drained or cancelled; *task_status* gets it once it serves. Raises `CannotListen`, or
    `CannotStart`.
    """
    storage = Storage(config) if config.data_dir else None
    try:
        listeners = open_listeners(config.bind)
    except BaseException:
        if storage is not None:
            storage.disk.close_folder()
        raise
    try:
        clock = Clock(floor=storage.floor if storage is not None else (0, 0))
        await run(config, listeners, storage, clock, SystemRandom(), task_status=task_status)
    finally:
        for listener in listeners:
            listener.close()


async def run(
    config: Config,
    listeners: list[Listener],
    storage: Storage | None,
    clock: Clock,
    dice: Random,
    *,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a server on *listeners*, which stay the caller's; *storage* is closed at the end. Else as `serve`."""
    async with open_readiness() as readiness:
        server = build(config, listeners, readiness, storage, clock, dice)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run, server, nursery.cancel_scope)
                if storage is not None:
                    await storage.recover(server, origin_of(config, server.engine))
                    assert storage.keeper is not None
                    nursery.start_soon(storage.keeper.run)
                task_status.started(server)
        finally:
            server.close()
            if storage is not None:
                storage.close(server)


async def _run(server: Server, scope: trio.CancelScope) -> None:
    await server.run()
    scope.cancel()


def origin_of(config: Config, engine: Engine) -> Origin:
    """What the files of *engine* say of it."""
    return Origin(engine.epoch, engine.store.seed, config.shards)


def build(
    config: Config,
    listeners: list[Listener],
    readiness: Readiness,
    storage: Storage | None,
    clock: Clock,
    dice: Random,
) -> Server:
    """A server that listens already and has yet to run. All chance in it is *dice*."""
    now_ms, elapsed_ms = clock.read()
    origin = storage.found.origin if storage is not None else None
    epoch, seed = dice.getrandbits(53), dice.randbytes(16)
    if origin is not None:
        epoch, seed = origin.epoch, origin.seed
    engine = Engine(
        CATALOG,
        start=Start(now_ms, elapsed_ms, epoch, seed, dice),
        shards=config.shards,
        limits=EngineLimits(namespaces=config.max_namespaces, parked=config.max_parked),
    )
    if storage is not None:
        storage.bar(engine)
    surface_limits = SurfaceLimits(config.max_frame, config.max_batch, config.max_parked, config.max_output)
    native = NativeDoor(engine, surface_limits, f"kv-server {__version__}", time.perf_counter)
    resp = RespDoor(engine, surface_limits, time.perf_counter)
    limits = NetLimits(config.max_connections, config.hello_timeout, config.frame_timeout, config.idle_timeout)
    connections = Connections(readiness, {NATIVE: native.connect} | dict.fromkeys(RESP, resp.connect), limits)
    acceptor = Acceptor(listeners, connections, readiness)
    loop = Loop(engine, clock, readiness, connections, acceptor)
    addresses = [listener.address for listener in listeners]
    engine.node = ServerNode(
        engine, config, addresses, connections, clock, loop.pulse, storage, lambda: trouble(native, resp)
    )
    return Server(engine, connections, acceptor, loop)


def trouble(native: NativeDoor, resp: RespDoor) -> tuple[int, int]:
    """How often clients broke a protocol, and how often we failed them."""
    broken, failed = native.trouble()
    broken_too, failed_too = resp.trouble()
    return broken + broken_too, failed + failed_too
