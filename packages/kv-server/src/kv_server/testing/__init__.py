"""The server inside a test: the real one, in the test's own process, without a port, on a clock that the test moves,
with faults on demand.

async with server() as s:
    async with kv_client.connect(s.url, dial=s.dial) as client:
        s.faults.cut(reply="INCR")
        assert await client.incr("n") == 1
        s.clock.advance(30 * 86_400)

`server` runs in the caller's trio run. `thread_server` is the same for everybody else: `with thread_server() as s`,
with a trio run in a thread of its own.
"""

from kv_server.testing.clock import BEGINS, VirtualClock
from kv_server.testing.faults import Faults
from kv_server.testing.server import TrioServer, server
from kv_server.testing.thread import ThreadServer, thread_server

__all__ = ["BEGINS", "Faults", "ThreadServer", "TrioServer", "VirtualClock", "server", "thread_server"]
