"""HTTP beside the data path: what fails there ends there, and nobody holds a connection for long."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from kv_server.net import http
from kv_server.net.address import Address
from kv_server.net.http import HttpServer
from kv_server.net.listen import open_listeners
from kv_server.surfaces.http import Answer

SECRET = "planted-secret"
REQUEST = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Pages:
    """Stands for a `Site`: fails, or answers with much."""

    def authorize(self, headers: Any, address: str, told: Callable[[Answer | None], None]) -> None:
        told(None)

    def answer(self, method: str, path: str, headers: Any) -> Answer:
        if path == "/raise":
            raise ValueError(SECRET)
        return Answer(200, {}, self.pieces(path))

    def pieces(self, path: str) -> Iterator[bytes]:
        yield b"x" * (50_000_000 if path == "/much" else 5)
        if path == "/later":
            raise ValueError(SECRET)


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not condition():
            await trio.sleep(0.01)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[HttpServer, int]]:
    (listener,) = open_listeners([Address("127.0.0.1", 0)])
    server = HttpServer([listener])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, Pages())
        yield server, listener.address.port
        nursery.cancel_scope.cancel()
    server.close()
    assert not server._callers


async def said(port: int, data: bytes) -> bytes:
    """All that is answered until the end of the connection."""
    answer = b""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(data)
        try:
            async for part in stream:
                answer += part
                if answer.endswith(b"}\n"):
                    break
        except trio.BrokenResourceError:
            pass
    return answer


@pytest.mark.parametrize("path", [b"raise", b"later"])
async def test_a_page_that_fails_is_a_line_of_the_log_and_nothing_else(
    path: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as (_, port):
        for _ in range(3):
            answer = await said(port, REQUEST % path)
            assert answer.startswith(b"HTTP/1.1 500 ") and b"see its log" in answer
            assert SECRET.encode() not in answer and b"Traceback" not in answer
    assert "an HTTP request failed" in caplog.text and "ValueError at test_http.py" in caplog.text
    assert SECRET not in caplog.text


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_HEAD_S", "_ANSWER_S", "_SWEEP_S"):
        monkeypatch.setattr(http, name, 0.2)


@pytest.mark.parametrize("data", [b"", b"GET", b"GET / HTTP/1.1\r\nHost: local", REQUEST % b"" + b"GET"])
@pytest.mark.usefixtures("hasty")
async def test_who_does_not_finish_a_request_is_closed(data: bytes) -> None:
    async with serving() as (_, port):
        began = time.monotonic()
        assert (await said(port, data)).count(b"HTTP/1.1") == data.count(b"\r\n\r\n")
        assert 0.1 < time.monotonic() - began < 10


@pytest.mark.usefixtures("hasty")
async def test_who_sends_a_byte_now_and_then_is_closed_all_the_same() -> None:
    async with serving() as (_, port), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        with pytest.raises(trio.BrokenResourceError):
            for byte in (REQUEST % (b"x" * 1_000))[:1_000]:
                await stream.send_all(bytes((byte,)))
                await trio.sleep(0.05)


@pytest.mark.usefixtures("hasty")
async def test_who_does_not_read_is_closed_although_its_answer_is_under_way() -> None:
    async with serving() as (server, port):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(REQUEST % b"much")
            await until(lambda: bool(server._callers))
            await until(lambda: not server._callers)


async def test_the_end_does_not_wait_for_who_does_not_read() -> None:
    async with serving() as (_, port):
        line = socket.create_connection(("127.0.0.1", port))
        line.sendall(REQUEST % b"much")
        await trio.lowlevel.wait_readable(line)  # its answer has begun to come
        began = time.monotonic()
    assert time.monotonic() - began < 2
    line.close()
