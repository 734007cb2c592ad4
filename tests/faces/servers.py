"""The server of these tests, a real process, and a proxy before it that runs in a thread of its own, for any face."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from tests.faults.durable import free_port
from tests.faults.proxy import Proxy

__all__ = ["Between", "Process", "between", "free_port"]


class Process:
    """A server that keeps nothing, always on one port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.running: subprocess.Popen[str] | None = None

    def url(self, namespace: str = "0") -> str:
        return f"kv://127.0.0.1:{self.port}/{namespace}"

    def start(self) -> None:
        words = ["-m", "kv_server", "--bind", f"127.0.0.1:{self.port}", "--log-level", "warning"]
        self.running = subprocess.Popen(
            [sys.executable, *words, "--drain-timeout", "0", "--max-namespaces", "100000"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.running.stdout is not None
        line = self.running.stdout.readline()
        assert " ready on " in line, f"no ready line, but {line!r}"

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.running is not None
        process, self.running = self.running, None
        process.send_signal(number)
        status = process.wait(20)
        assert process.stdout is not None
        process.stdout.close()
        return status

    def restart(self) -> None:
        """As after a crash: everything is forgotten."""
        self.end(signal.SIGKILL)
        self.start()


class Cuttable(Proxy):
    """A proxy whose connections can be cut at any moment, or refused."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.scopes: set[trio.CancelScope] = set()
        self.refusing = False

    async def carry(self, near: trio.SocketStream) -> None:
        if self.refusing:
            await near.aclose()
            return
        with trio.CancelScope() as scope:
            self.scopes.add(scope)
            try:
                await super().carry(near)
            finally:
                self.scopes.discard(scope)


class Between:
    """A proxy as a test sees it. Every word to it has come true when the call returns."""

    def __init__(self, target: int) -> None:
        self.proxy = Cuttable(target)
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,))

    @property
    def requests(self) -> list[str]:
        return self.proxy.requests

    def seen(self, word: str) -> int:
        """How many requests called *word* have passed."""
        return self.proxy.requests.count(word)

    def cut(self) -> None:
        """End every connection now, whatever is under way on it."""
        self._do(lambda: [scope.cancel() for scope in list(self.proxy.scopes)])

    def cut_when(self, chance: Callable[[], bool]) -> None:
        """Ask *chance* about every reply: the first one that it says yes to is lost, with its connection."""
        self._do(lambda: setattr(self.proxy, "cut_soon", chance))

    def refuse(self, refusing: bool = True) -> None:
        """Close every new connection at once."""
        self._do(lambda: setattr(self.proxy, "refusing", refusing))

    def hold(self) -> None:
        """Keep back replies until `release`."""
        self._do(lambda: setattr(self.proxy, "holding", trio.Event()))

    def release(self) -> None:
        def release() -> None:
            holding, self.proxy.holding = self.proxy.holding, None
            if holding is not None:
                holding.set()

        self._do(release)

    def _do(self, deed: Callable[[], object]) -> None:
        done = threading.Event()
        self._token.run_sync_soon(lambda: (deed(), done.set()))
        assert done.wait(20)

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, self.proxy.carry, 0)
            self.port = listeners[0].socket.getsockname()[1]
            self._scope = nursery.cancel_scope
            self._ready.set()

    def __enter__(self) -> Between:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._scope.cancel)
        self._thread.join(20)


@contextmanager
def between(port: int) -> Iterator[Between]:
    with Between(port) as made:
        yield made
