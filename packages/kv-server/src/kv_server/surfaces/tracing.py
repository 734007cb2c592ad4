"""Spans of calls that say which trace they belong to, where the process has a provider of spans. Else there is nothing.

What a span says is the command, the namespace and the code of an error: no key, no value, no message.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from kv_protocol.errors import KvError
from kv_protocol.messages import NAMESPACE, TRACE
from kv_server.engine.session import Session
from kv_server.engine.waiting import Unfinished
from kv_server.spec.command import Command

__all__ = ["Execute", "traced"]

Execute: TypeAlias = Callable[[Session, int, Command, list[Any], Any, dict[int, Any] | None], object]

_LONGEST: Final = 512  # what a later version of a traceparent may have more is not ours to read


def traced(execute: Execute) -> Execute | None:
    """*execute* with a span around every call that has a trace; None if there is no provider now. Imports nothing that
    the process has not imported.
    """
    api: Any = sys.modules.get("opentelemetry.trace")
    provider = api.get_tracer_provider() if api is not None else None
    if provider is None or isinstance(provider, (api.ProxyTracerProvider, api.NoOpTracerProvider)):
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    tracer, extract = provider.get_tracer("kv_server"), TraceContextTextMapPropagator().extract

    def execute_traced(
        session: Session,
        request_id: int,
        command: Command,
        args: list[Any],
        options: Any,
        meta: dict[int, Any] | None,
    ) -> object:
        trace = meta.get(TRACE) if meta else None
        if type(trace) is not bytes or len(trace) > _LONGEST:
            return execute(session, request_id, command, args, options, meta)
        named = meta.get(NAMESPACE) if meta else None
        space = named if type(named) is bytes else session.namespace
        facts = {
            "db.system.name": "kv",
            "db.operation.name": command.name,
            "db.namespace": space.decode("utf-8", "backslashreplace"),
        }
        parent = extract({"traceparent": trace.decode("latin-1")})
        span = tracer.start_span(command.name, parent, api.SpanKind.SERVER, facts)
        try:
            return execute(session, request_id, command, args, options, meta)
        except Unfinished:  # it goes on later, by itself
            raise
        except Exception as error:
            code = error.code if isinstance(error, KvError) else "INTERNAL"
            span.set_attribute("error.type", code)
            span.set_status(api.StatusCode.ERROR, code)
            raise
        finally:
            span.end()

    return execute_traced
