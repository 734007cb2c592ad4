"""HTTP beside the data path: its own listener, few connections, short patience. What is said is the business of a
`Site`; Hypercorn speaks the protocol.

It sends where nobody can cancel it. So whoever takes too long loses the socket, which ends every wait for it.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import trio
from attrs import define
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from kv_server.net.listen import Listener
from kv_server.surfaces.events import events_of
from kv_server.surfaces.http import Answer, Headers, Site
from kv_server.surfaces.trace import trace_of

__all__ = ["HttpServer"]

_MOST: Final = 64  # connections
_HEAD_S: Final = 15.0  # for the head of a request to come, the first or the next one
_ANSWER_S: Final = 15.0  # for its answer to be read
_SWEEP_S: Final = 1.0
_MOST_HEAD: Final = 16 * 1024

log = events_of("kv.http")


@define(eq=False)
class _Caller:
    """One connection. It is closed at *deadline*."""

    socket: trio.socket.SocketType
    deadline: float


class _Connection(TCPServer):
    """As Hypercorn has it, but over at once when the other end has closed: else it waits to see whether that idles."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


class HttpServer:
    """Serves over *listeners* until it is closed."""

    def __init__(self, listeners: list[Listener]) -> None:
        self.listeners = listeners
        self._callers: dict[_Caller, None] = {}
        self._one = trio.Lock()  # answers that take several turns are made one after the other
        config = self._config = Config()
        config.accesslog = config.errorlog = None
        config.include_server_header = False
        config.h11_max_incomplete_size = _MOST_HEAD
        config.keep_alive_timeout = _HEAD_S
        config.keep_alive_max_requests = 1_000_000
        config.h2_max_concurrent_streams = 8

    def close(self) -> None:
        """Stop listening; nothing must run any more."""
        for listener in self.listeners:
            listener.close()

    async def run(self, site: Site) -> None:
        """Serve *site* until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweep)
            for listener in self.listeners:
                nursery.start_soon(self._accept, listener, site, nursery)

    async def _accept(self, listener: Listener, site: Site, nursery: trio.Nursery) -> None:
        sock = trio.socket.from_stdlib_socket(listener.socket)
        while True:
            try:
                accepted, _ = await sock.accept()
            except OSError:  # there are no descriptors left, most likely
                await trio.sleep(_SWEEP_S)
                continue
            if len(self._callers) < _MOST:
                caller = _Caller(accepted, trio.current_time() + _HEAD_S + _ANSWER_S)
                self._callers[caller] = None
                nursery.start_soon(self._serve, caller, site)
            else:
                accepted.close()

    async def _sweep(self) -> None:
        try:
            while True:
                await trio.sleep(_SWEEP_S)
                now = trio.current_time()
                for caller in list(self._callers):
                    if caller.deadline <= now:
                        caller.socket.close()
        finally:
            for caller in self._callers:
                caller.socket.close()

    async def _serve(self, caller: _Caller, site: Site) -> None:
        app = ASGIWrapper(partial(self._app, caller, site))
        try:
            stream = trio.SocketStream(caller.socket)
            await _Connection(app, self._config, WorkerContext(None), ConnectionState({}), stream)  # type: ignore[arg-type]
        except Exception as error:
            log.error("an HTTP connection failed", trace=trace_of(error))
        finally:
            del self._callers[caller]
            caller.socket.close()

    async def _app(self, caller: _Caller, site: Site, scope: Any, receive: Any, send: Any) -> None:
        """The application, as ASGI has it."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        caller.deadline = trio.current_time() + _ANSWER_S
        headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]}
        try:
            address = scope["client"][0] if scope["client"] else "?"
            refusal = await _authorized(site, headers, address)
            answer = refusal or site.answer(scope["method"], scope["path"], headers)
            body = await self._whole(answer)
        except Exception as error:
            log.error("an HTTP request failed", trace=trace_of(error))
            answer = Answer(500, {"content-type": "application/json"}, iter(()))
            body = json.dumps({"error": "a bug of the server: see its log"}).encode() + b"\n"
        said = [(name.encode(), text.encode("latin-1")) for name, text in answer.headers.items()]
        said.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": said})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        caller.deadline = trio.current_time() + _HEAD_S + _ANSWER_S

    async def _whole(self, answer: Answer) -> bytes:
        """The body; between its pieces everybody else has a turn."""
        async with self._one:
            pieces = []
            for piece in answer.body:
                pieces.append(piece)
                await trio.lowlevel.checkpoint()
            return b"".join(pieces)


async def _authorized(site: Site, headers: Headers, address: str) -> Answer | None:
    """Why a request is turned away, if so."""
    done = trio.Event()
    outcome: list[Answer | None] = []

    def told(refusal: Answer | None) -> None:
        outcome.append(refusal)
        done.set()

    site.authorize(headers, address, told)
    if not outcome:  # passwords take a while
        await done.wait()
    return outcome[0]
