"""Spans of calls, where the application has set a provider for them before it made the client. Else there is nothing.

What a span says is the command, the namespace, the server and the code of an error: no key, no value, no message.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from kv_client._core.call import Call
from kv_protocol.errors import KvError
from kv_protocol.names import text

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["Tracing", "tracing"]

_active: Final[ContextVar[Span | None]] = ContextVar("kv_span", default=None)
"""The span of the call that is being made."""


class Tracing:
    """The spans of one client, whose server is at *place*; *namespace* is where its calls go unless they name one."""

    def __init__(self, api: Any, tracer: Tracer, place: str, namespace: str) -> None:
        self._api = api
        self._tracer = tracer
        self._namespace = namespace
        parts = urlsplit(place)
        self._server: dict[str, str | int] = {"server.address": parts.hostname or parts.path}
        if parts.port is not None:
            self._server["server.port"] = parts.port

    @contextmanager
    def span(self, word: str, namespace: str | bytes | None, size: int = 0) -> Iterator[None]:
        """Let what is called in the block, *size* calls if there are several, belong to a span named *word*."""
        api = self._api
        space = self._namespace if namespace is None else text(namespace) if type(namespace) is bytes else namespace
        facts: dict[str, Any] = {
            "db.system.name": "kv",
            "db.operation.name": word,
            "db.namespace": str(space).encode("utf-8", "backslashreplace").decode(),
            **self._server,
        }
        if size:
            facts["db.operation.batch.size"] = size
        started = self._tracer.start_as_current_span(
            word, kind=api.SpanKind.CLIENT, attributes=facts, record_exception=False, set_status_on_exception=False
        )
        with started as span:
            before = _active.set(span)
            try:
                yield
            except BaseException as error:
                code = error.code if isinstance(error, KvError) else type(error).__qualname__
                span.set_attribute("error.type", code)
                span.set_status(api.StatusCode.ERROR, code)
                raise
            finally:
                _active.reset(before)

    def of(self, call: Call) -> str | None:
        """The W3C traceparent that *call*, which is new, travels with, every time it does."""
        span = _active.get()
        if span is None:
            return None
        known = span.get_span_context()
        span.add_event("kv.queued")
        return f"00-{known.trace_id:032x}-{known.span_id:016x}-{int(known.trace_flags):02x}"


def tracing(place: str, namespace: str) -> Tracing | None:
    """Spans for a client that is made now; None if the application has no provider of them. Imports nothing."""
    api: Any = sys.modules.get("opentelemetry.trace")
    provider = api.get_tracer_provider() if api is not None else None
    if provider is None or isinstance(provider, (api.ProxyTracerProvider, api.NoOpTracerProvider)):
        return None
    return Tracing(api, provider.get_tracer("kv_client"), place, namespace)
