"""What a test says to start tasks, to wait and to be cancelled, in the words of each face."""

from __future__ import annotations

import asyncio
import gc
import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from types import ModuleType
from typing import Any

import trio
import uvloop

import kv_client
import kv_client.aio
import kv_client.sync

__all__ = ["FACES", "Face"]

TEST_S = 60.0
LOOK_S = 0.002  # between two looks of `until`
PATIENCE_S = 20.0  # of `until`, on a busy machine


class Task:
    """A call that a test has started. `await result()` is what came of it, which may be an exception."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.value: Any = None
        self.error: BaseException | None = None
        self.asked = False
        self.cancelled = False

    async def run(self) -> None:
        try:
            self.value = await self.call()
        except Exception as error:
            self.error = error

    def outcome(self) -> Any:
        self.asked = True
        if self.error is not None:
            raise self.error
        return self.value


class Tasks:
    """Tasks side by side. The end of the block waits for them; if it is left by an exception, they are cancelled."""

    def __init__(self) -> None:
        self.started: list[Any] = []

    def check(self) -> None:
        for task in self.started:
            if task.error is not None and not task.asked:
                raise task.error

    def cancel(self) -> None:
        for task in self.started:
            task.cancel()


class Face:
    """One face of the client, and the server that a test runs against."""

    name = ""
    blocking = False
    module: ModuleType
    TooSlow: type[Exception]

    def __init__(self, url: str, port: int) -> None:
        self.url = url
        self.port = port

    def connect(self, url: str | None = None, **options: Any) -> Any:
        """A client of the namespace of this test, with time enough for a busy machine."""
        return self.module.connect(url or self.url, **{"timeout": 30.0, "connect_timeout": 20.0, **options})

    def through(self, between: Any) -> str:
        """The same URL by way of a proxy."""
        return self.url.replace(f":{self.port}/", f":{between.port}/")

    async def until(self, condition: Callable[[], Any]) -> None:
        """Look until *condition*, a plain or an async function, is true."""
        end = time.monotonic() + PATIENCE_S
        while True:
            result = condition()
            if await result if inspect.isawaitable(result) else result:
                return
            assert time.monotonic() < end, "what the test waits for never comes"
            await self.sleep(LOOK_S)

    async def elsewhere(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Call *function* in a run of its own, in another thread."""
        thread = threading.Thread(target=self.anew, args=(partial(function, *args),))
        thread.start()
        while thread.is_alive():
            await self.sleep(LOOK_S)

    def anew(self, function: Callable[[], Any]) -> None:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    def run(self, test: Callable[[], Any]) -> None:
        raise NotImplementedError


# ---- trio
class TrioTask(Task):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(call)
        self.scope = trio.CancelScope()
        self.over = trio.Event()

    @property
    def done(self) -> bool:
        return self.over.is_set()

    def cancel(self) -> None:
        self.scope.cancel()

    async def run(self) -> None:
        try:
            with self.scope:
                await super().run()
            self.cancelled = self.scope.cancelled_caught
        finally:
            self.over.set()

    async def result(self) -> Any:
        await self.over.wait()
        return self.outcome()


class TrioTasks(Tasks):
    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__()
        self.nursery = nursery

    def start(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> TrioTask:
        self.started.append(TrioTask(partial(function, *args, **options)))
        self.nursery.start_soon(self.started[-1].run)
        return self.started[-1]


class TrioFace(Face):
    name = "trio"
    module = kv_client
    TooSlow = trio.TooSlowError
    event = staticmethod(trio.Event)
    current = staticmethod(trio.lowlevel.current_task)

    def anew(self, function: Callable[[], Any]) -> None:
        trio.run(function)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        with trio.fail_after(seconds):
            yield

    @asynccontextmanager
    async def tasks(self) -> AsyncIterator[TrioTasks]:
        error: BaseException | None = None
        async with trio.open_nursery() as nursery:
            tasks = TrioTasks(nursery)
            try:
                yield tasks
            except Exception as caught:
                error = caught
                nursery.cancel_scope.cancel()
        if error is not None:
            raise error
        tasks.check()

    def run(self, test: Callable[[], Any]) -> None:
        async def main() -> None:
            with trio.fail_after(TEST_S):
                await test()

        trio.run(main)


# ---- asyncio
class AsyncioTask(Task):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(call)
        self.task = asyncio.ensure_future(self.run())

    @property
    def done(self) -> bool:
        return self.task.done()

    def cancel(self) -> None:
        self.task.cancel()

    async def run(self) -> None:
        try:
            await super().run()
        except asyncio.CancelledError:
            self.cancelled = True

    async def result(self) -> Any:
        await asyncio.wait([self.task])
        return self.outcome()


class AsyncioTasks(Tasks):
    def start(self, function: Callable[..., Awaitable[Any]], *args: Any, **options: Any) -> AsyncioTask:
        self.started.append(AsyncioTask(partial(function, *args, **options)))
        return self.started[-1]


class AsyncioFace(Face):
    name = "asyncio"
    module = kv_client.aio
    TooSlow = TimeoutError
    within = staticmethod(asyncio.timeout)
    event = staticmethod(asyncio.Event)
    current = staticmethod(asyncio.current_task)
    loop_factory: Any = None

    def anew(self, function: Callable[[], Any]) -> None:
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.run(function())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @asynccontextmanager
    async def tasks(self) -> AsyncIterator[AsyncioTasks]:
        tasks = AsyncioTasks()
        try:
            yield tasks
            while open_tasks := [task.task for task in tasks.started if not task.done]:
                await asyncio.wait(open_tasks)
        except BaseException:
            tasks.cancel()
            if tasks.started:
                await asyncio.wait([task.task for task in tasks.started])
            raise
        tasks.check()

    def run(self, test: Callable[[], Any]) -> None:
        """Run *test*; it must leave no task behind, and nothing for the loop to complain of."""
        complaints: list[Any] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            async with asyncio.timeout(TEST_S):
                await test()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"the test left tasks: {left}"
            gc.collect(1)
            assert asyncio.current_task().cancelling() == 0

        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            runner.run(main())
        gc.collect(1)
        assert not complaints, complaints


class UvloopFace(AsyncioFace):
    name = "uvloop"
    loop_factory = staticmethod(uvloop.new_event_loop)


# ---- threads
class ThreadTask(Task):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(call)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    @property
    def done(self) -> bool:
        return not self.thread.is_alive()

    def work(self) -> None:
        try:
            self.value = self.call()
        except BaseException as error:
            self.error = error

    def result(self) -> Any:
        self.thread.join(TEST_S)
        assert self.done
        return self.outcome()


class ThreadTasks(Tasks):
    def start(self, function: Callable[..., Any], *args: Any, **options: Any) -> ThreadTask:
        self.started.append(ThreadTask(partial(function, *args, **options)))
        return self.started[-1]


class SyncFace(Face):
    """The test is rewritten as the face itself is; tasks are threads, and nobody can cancel them."""

    name = "sync"
    module = kv_client.sync
    blocking = True
    event = staticmethod(threading.Event)
    current = staticmethod(threading.current_thread)

    def until(self, condition: Callable[[], Any]) -> None:  # type: ignore[override]
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "what the test waits for never comes"
            time.sleep(LOOK_S)

    def sleep(self, seconds: float) -> None:  # type: ignore[override]
        time.sleep(seconds)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        began = time.monotonic()
        yield
        assert time.monotonic() - began < seconds

    @contextmanager
    def tasks(self) -> Iterator[ThreadTasks]:
        tasks = ThreadTasks()
        try:
            yield tasks
        except BaseException:
            for task in tasks.started:
                task.thread.join(1.0)
            raise
        for task in tasks.started:
            task.thread.join(TEST_S)
            assert task.done, "a thread goes on for ever"
        tasks.check()

    def run(self, test: Callable[[], Any]) -> None:
        test()
        gc.collect(1)


FACES: dict[str, type[Face]] = {face.name: face for face in (TrioFace, AsyncioFace, UvloopFace, SyncFace)}
