"""Spans of OpenTelemetry: for each call one of the client and one of the server, if there is a provider; else none."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import opentelemetry.trace
import pytest
import trio
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import kv_client
import kv_client.aio
import kv_client.sync
from kv_protocol.errors import CallTimeout, NotANumber
from kv_server.testing import server, thread_server

SECRET = "planted-secret"


class Spans:
    """What was traced, in the order of its ends."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def of(self, kind: SpanKind) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.kind == kind]

    def said(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """The process has a provider."""
    made = Spans()
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", made.provider)
    return made


@pytest.fixture(params=["trio", "asyncio", "sync"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[Any], Iterator[Any]]], None]:
    """Runs a test, a generator of calls, with a client of one of the faces."""

    def under_trio(test: Callable[[Any], Iterator[Any]]) -> None:
        async def main() -> None:
            async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:
                await waited_for(test(client))

        trio.run(main)

    def under_asyncio(test: Callable[[Any], Iterator[Any]]) -> None:
        async def main() -> None:
            with thread_server() as s:
                async with kv_client.aio.connect(s.url, dial=s.dial) as client:
                    await waited_for(test(client))

        asyncio.run(main())

    def in_a_thread(test: Callable[[Any], Iterator[Any]]) -> None:
        with thread_server() as s, kv_client.sync.connect(s.url, dial=s.socket) as client:
            calls, value, failed = test(client), None, None
            while True:
                try:
                    call = calls.throw(failed) if failed is not None else calls.send(value)
                except StopIteration:
                    return
                value, failed = None, None
                try:
                    value = call()
                except Exception as error:
                    failed = error

    return {"trio": under_trio, "asyncio": under_asyncio, "sync": in_a_thread}[request.param]


async def waited_for(calls: Iterator[Any]) -> None:
    value: Any = None
    failed: Exception | None = None
    while True:
        try:
            call = calls.throw(failed) if failed is not None else calls.send(value)  # type: ignore[attr-defined]
        except StopIteration:
            return
        value, failed = None, None
        try:
            value = await call()
        except Exception as error:
            failed = error


def test_a_call_is_a_span_of_the_client_and_under_it_one_of_the_server(spans: Spans, run: Any) -> None:
    def test(client: Any) -> Iterator[Any]:
        with spans.tracer.start_as_current_span("order") as order:
            yield lambda: client.set(SECRET, SECRET)
            yield lambda: client.ns("shop").get(SECRET)
        above = order.get_span_context()
        asked, served = spans.of(SpanKind.CLIENT), spans.of(SpanKind.SERVER)
        assert [span.name for span in asked] == [span.name for span in served] == ["SET", "GET"]
        for ours, theirs in zip(asked, served, strict=True):
            assert ours.parent is not None and ours.parent.span_id == above.span_id
            assert theirs.parent is not None and theirs.parent.span_id == ours.context.span_id
            assert theirs.parent.is_remote and theirs.context.trace_id == above.trace_id
            assert ours.start_time <= theirs.start_time and theirs.end_time <= ours.end_time
        assert dict(asked[1].attributes or {}) == {
            "db.system.name": "kv", "db.operation.name": "GET", "db.namespace": "shop",
            "server.address": "test", "server.port": 7440,
        }  # fmt: skip
        assert dict(served[0].attributes or {}) == {
            "db.system.name": "kv", "db.operation.name": "SET", "db.namespace": "test"
        }  # fmt: skip
        assert [event.name for event in asked[0].events] == ["kv.queued"]
        assert SECRET not in spans.said()

    run(test)


def test_an_error_is_its_code_and_not_its_text(spans: Spans, run: Any) -> None:
    def test(client: Any) -> Iterator[Any]:
        yield lambda: client.set(SECRET, SECRET)
        with pytest.raises(NotANumber):
            yield lambda: client.incr(SECRET)
        for span in (spans.of(SpanKind.CLIENT)[1], spans.of(SpanKind.SERVER)[1]):
            assert span.status.status_code == StatusCode.ERROR and span.status.description == "NOT_NUMBER"
            assert span.attributes is not None and span.attributes["error.type"] == "NOT_NUMBER"
            assert not [event for event in span.events if event.name == "exception"]
        assert SECRET not in spans.said()

    run(test)


async def test_a_batch_is_one_span_and_its_calls_are_below_it(spans: Spans) -> None:
    async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:
        async with client.batch() as batch:
            batch.set("a", 1)
            batch.get("a")
        (ours,) = spans.of(SpanKind.CLIENT)
        served = spans.of(SpanKind.SERVER)
        assert ours.name == "BATCH" and ours.attributes is not None
        assert ours.attributes["db.operation.batch.size"] == 2
        assert [(span.name, span.parent and span.parent.span_id) for span in served] == [
            ("SET", ours.context.span_id), ("GET", ours.context.span_id)
        ]  # fmt: skip


async def test_spans_of_tasks_side_by_side_have_each_their_own_parent(spans: Spans) -> None:
    async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:

        async def order(number: int) -> None:
            with spans.tracer.start_as_current_span(f"order {number}"):
                for _ in range(5):
                    await client.incr(f"counter {number}")

        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(order, number)
    orders = {span.context.span_id: span for span in spans.of(SpanKind.INTERNAL)}
    asked = {span.context.span_id: span for span in spans.of(SpanKind.CLIENT)}
    assert len(orders) == 10 and len(asked) == 50
    for span in spans.of(SpanKind.SERVER):
        assert span.parent is not None
        ours = asked[span.parent.span_id]
        assert ours.parent is not None and ours.parent.span_id in orders
        assert ours.context.trace_id == span.context.trace_id


async def test_a_call_that_is_repeated_keeps_its_trace(spans: Spans) -> None:
    async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:
        await client.set("n", 0)
        s.faults.cut(reply="INCR")
        assert await client.incr("n") == 1
        ours = spans.of(SpanKind.CLIENT)[1]
        served = [span for span in spans.of(SpanKind.SERVER) if span.name == "INCR"]
        assert [span.parent and span.parent.span_id for span in served] == [ours.context.span_id] * 2


async def test_who_is_cancelled_or_too_late_has_a_span_with_an_error(
    spans: Spans, autojump_clock: trio.testing.MockClock
) -> None:
    async with server() as s, kv_client.connect(s.url, dial=s.dial, timeout=1) as client:
        with trio.move_on_after(0.5):
            await client.blpop("nothing", wait=60)
        s.faults.partition()
        with pytest.raises(CallTimeout):
            await client.get("a")
        s.faults.heal()
    waited, late = spans.of(SpanKind.CLIENT)
    assert waited.name == "BLPOP" and waited.status.description == "Cancelled"
    assert late.name == "GET" and late.status.description == "TIMEOUT"


async def test_what_the_client_does_by_itself_belongs_to_no_trace(
    spans: Spans, autojump_clock: trio.testing.MockClock
) -> None:
    with spans.tracer.start_as_current_span("start"):
        async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:
            async with client.lock("job", ttl=3):
                await trio.sleep(100)
    assert [span.name for span in spans.of(SpanKind.SERVER)] == ["LOCK"]


async def test_a_trace_that_makes_no_sense_is_no_trace(spans: Spans) -> None:
    async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:
        tracing = client._link.tracing
        assert tracing is not None
        for number, trace in enumerate(["", "00-" + "0" * 32, "x" * 10_000, "00-é", "ff-1-2-3", 7, None, b"\xff", []]):
            tracing.of = lambda call, trace=trace: trace  # type: ignore[method-assign,misc]
            assert await client.incr("n") == number + 1
    assert all(span.parent is None for span in spans.of(SpanKind.SERVER))


async def test_without_a_provider_nothing_is_asked_and_nothing_is_sent() -> None:
    async with server() as s, kv_client.connect(s.url, dial=s.dial) as client:
        link = client._link
        assert link.tracing is None and link.calls.tracing is None
        assert link.call.__name__ == "call", "the way of a call is as short as it was"
        assert await client.set("a", 1)


def test_nothing_of_it_is_imported_by_who_does_not_use_it() -> None:
    code = (
        "import sys, kv_client, kv_client.aio, kv_client.sync, kv_server.app.wiring;"
        "kv_client.sync.connect('kv://127.0.0.1');"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
