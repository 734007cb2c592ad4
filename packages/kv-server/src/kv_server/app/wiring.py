"""Puts a server together: the only place that constructs its parts, and where each learns of the others."""

from __future__ import annotations

from contextlib import closing, nullcontext
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import trio

from kv_server import __version__
from kv_server.app.config import Config
from kv_server.app.live import LiveSettings, limits_of
from kv_server.app.node import ServerNode
from kv_server.app.storage import CannotStart, Storage
from kv_server.app.users import users_of
from kv_server.app.warden import ServerWarden
from kv_server.commands import CATALOG
from kv_server.durability.journal import Origin
from kv_server.engine.engine import Engine, Start
from kv_server.engine.engine import Limits as EngineLimits
from kv_server.model.terms import Rules
from kv_server.net.accept import Acceptor
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections
from kv_server.net.listen import Listener, open_listeners
from kv_server.net.loop import Loop
from kv_server.net.readiness import Readiness, open_readiness
from kv_server.net.server import Server
from kv_server.net.tls import Tls
from kv_server.surfaces.events import events_of
from kv_server.surfaces.hello import Limits as SurfaceLimits
from kv_server.surfaces.native import NativeDoor
from kv_server.surfaces.resp_door import RespDoor

if TYPE_CHECKING:
    from kv_server.net.http import HttpServer
    from kv_server.surfaces.http import Site

__all__ = ["NATIVE", "RESP", "run", "serve"]

log = events_of("kv.server")
audit = events_of("kv.audit")

NATIVE = 0x00
"""The first byte of a native client: its first frame is shorter than 16 MiB."""

RESP = (*b"\r\n ", *range(0x21, 0x7F))
"""The first bytes of a client of Redis: `*`, or the beginning of a line as people type it."""


async def serve(config: Config, *, task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED) -> None:
    """Run a server until it is drained or cancelled; *task_status* gets it once it serves. Raises `CannotListen`, or
    `CannotStart`.
    """
    with closing(open_http(config)) if config.http else nullcontext() as http:
        storage = Storage(config) if config.data_dir else None
        try:
            listeners = open_listeners(config.bind)
        except BaseException:
            if storage is not None:
                storage.disk.close_folder()
            raise
        try:
            clock = Clock(floor=storage.floor if storage is not None else (0, 0))
            await run(config, listeners, storage, clock, SystemRandom(), http=http, task_status=task_status)
        finally:
            for listener in listeners:
                listener.close()


def open_http(config: Config) -> HttpServer:
    """What will serve HTTP once it runs. Raises `CannotListen`, or `CannotStart` if the packages for it are missing."""
    try:
        from kv_server.net.http import HttpServer
    except ModuleNotFoundError as missing:
        raise CannotStart(f"--http needs {missing.name}: pip install 'kv-server[http]'") from missing
    return HttpServer(open_listeners(config.http))


async def run(
    config: Config,
    listeners: list[Listener],
    storage: Storage | None,
    clock: Clock,
    dice: Random,
    *,
    http: HttpServer | None = None,
    task_status: trio.TaskStatus[Server] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a server on *listeners*, which stay the caller's; *storage* is closed at the end. Else as `serve`."""
    async with open_readiness() as readiness:
        server = build(config, listeners, readiness, storage, clock, dice)
        try:
            async with trio.open_nursery() as nursery:
                assert isinstance(server.engine.access.warden, ServerWarden)
                await nursery.start(server.engine.access.warden.run)
                nursery.start_soon(_run, server, nursery.cancel_scope)
                if http is not None:
                    nursery.start_soon(http.run, _site(server, http))
                if storage is not None:
                    await storage.recover(server, origin_of(config, server.engine))
                    server.engine.keep_history(config.history)
                    assert storage.keeper is not None
                    nursery.start_soon(storage.keeper.run)
                task_status.started(server)
        finally:
            server.close()
            if storage is not None:
                storage.close(server)


def _site(server: Server, http: HttpServer) -> Site:
    from kv_server.surfaces.http import Site

    server.http = [listener.address for listener in http.listeners]
    local = not any(address.public for address in server.http)
    return Site(server.engine, local=local, like=server.engine.catalog.commands[b"INFO"])


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
    apply_budgets(engine, config)
    if storage is not None:
        storage.bar(engine)
    surface_limits = SurfaceLimits(config.max_frame, config.max_batch, config.max_parked, config.max_output)
    native = NativeDoor(engine, surface_limits, f"kv-server {__version__}", clock.timer)
    resp = RespDoor(engine, surface_limits, clock.timer)
    limits = limits_of(config)
    connections = Connections(readiness, {NATIVE: native.connect} | dict.fromkeys(RESP, resp.connect), limits)
    tls = None
    if any(listener.address.tls for listener in listeners):
        tls = Tls(config.tls_certificate, config.tls_key, config.tls_client_ca)
    acceptor = Acceptor(listeners, connections, readiness, tls)
    loop = Loop(engine, clock, readiness, connections, acceptor)
    addresses = [listener.address for listener in listeners]
    live = LiveSettings(config, engine, connections, (native, resp), storage)
    engine.observation.warn = lambda command, spent_ms: log.warning(
        "a call kept all others waiting", command=command, ms=spent_ms
    )
    engine.node = ServerNode(
        engine, live, addresses, connections, clock, loop.pulse, storage, lambda: trouble(native, resp)
    )
    server = Server(engine, connections, acceptor, loop)
    guard_doors(engine, config, loop, dice)
    if config.users:
        server.reloaders["users"] = lambda: engine.access.load(told_of_users)
    if tls is not None:
        server.reloaders["certificates"] = tls.reload
    return server


def guard_doors(engine: Engine, config: Config, loop: Loop, dice: Random) -> None:
    """Let in those alone whom *config* names."""
    access = engine.access
    access.warden = ServerWarden(config, access.book, dice, loop)
    access.audit = lambda words, facts: audit.info(words, **facts)
    access.install(users_of(config, access.book, dice.randbytes(16)))


def told_of_users(outcome: object) -> None:
    """Hear what came of it that the file of users was read again."""
    if outcome is not None:
        audit.error("the file of users was not read again", reason=str(outcome))


def apply_budgets(engine: Engine, config: Config) -> None:
    """Let *engine* live by what *config* says there may be."""
    rules = Rules(config.namespaces, engine.room.rules.numbered)
    engine.room.apply(max_memory=config.max_memory, samples=config.max_memory_samples, rules=rules)


def trouble(native: NativeDoor, resp: RespDoor) -> tuple[int, int]:
    """How often clients broke a protocol, and how often we failed them."""
    broken, failed = native.trouble()
    broken_too, failed_too = resp.trouble()
    return broken + broken_too, failed + failed_too
