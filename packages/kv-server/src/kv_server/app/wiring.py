"""Puts a server together: the only place that constructs its parts, and where each learns of the others."""

from __future__ import annotations

import secrets
import time
from random import SystemRandom

import trio

from kv_server import __version__
from kv_server.app.config import Config
from kv_server.app.node import ServerNode
from kv_server.commands import CATALOG
from kv_server.engine.engine import Engine, Start
from kv_server.engine.engine import Limits as EngineLimits
from kv_server.net.accept import Acceptor
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections, NetLimits
from kv_server.net.listen import Listener, open_listeners
from kv_server.net.loop import Loop
from kv_server.net.readiness import Readiness, open_readiness
from kv_server.net.server import Server
from kv_server.surfaces.hello import Limits as NativeLimits
from kv_server.surfaces.native import NativeDoor

__all__ = ["NATIVE", "serve"]

NATIVE = 0x00
"""The first byte of a native client: its first frame is shorter than 16 MiB."""


async def serve(config: Config, *, task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED) -> None:
    """Run a server until it is drained or cancelled; *task_status* gets it once it listens. Raises `CannotListen`."""
    listeners = open_listeners(config.bind)
    try:
        async with open_readiness() as readiness:
            server = build(config, listeners, readiness)
            task_status.started(server)
            try:
                await server.run()
            finally:
                server.close()
    finally:
        for listener in listeners:
            listener.close()


def build(config: Config, listeners: list[Listener], readiness: Readiness) -> Server:
    """A server that listens already and has yet to run."""
    clock = Clock()
    now_ms, elapsed_ms = clock.read()
    engine = Engine(
        CATALOG,
        start=Start(now_ms, elapsed_ms, secrets.randbits(53), secrets.token_bytes(16), SystemRandom()),
        shards=config.shards,
        limits=EngineLimits(namespaces=config.max_namespaces, parked=config.max_parked),
    )
    native = NativeDoor(
        engine,
        NativeLimits(config.max_frame, config.max_batch, config.max_parked, config.max_output),
        f"kv-server {__version__}",
        time.perf_counter,
    )
    limits = NetLimits(config.max_connections, config.hello_timeout, config.frame_timeout, config.idle_timeout)
    connections = Connections(readiness, {NATIVE: native.connect}, limits)
    acceptor = Acceptor(listeners, connections, readiness)
    loop = Loop(engine, clock, readiness, connections, acceptor)
    engine.node = ServerNode(engine, connections, clock, loop.pulse, native.trouble)
    return Server(engine, connections, acceptor, loop)
