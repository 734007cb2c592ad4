"""The session against a simulated server and a network that cuts at any byte: every write has one effect, and its own
answer.

No I/O: bytes go from hand to hand, and what is in flight when the connection is cut arrives, or does not, as
hypothesis says.
"""

from __future__ import annotations

from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from kv_client._core.call import READ, WRITE, Call
from kv_client._core.session import Session
from kv_protocol.frames import FrameReader


class Server:
    """One counter, and the answers that a session has not seen."""

    def __init__(self) -> None:
        self.counter = 0
        self.applied: list[str] = []
        self.sessions: dict[bytes, dict[str, Any]] = {}
        self.made = 0

    def connect(self) -> Connection:
        return Connection(self)


class Connection:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.reader = FrameReader()
        self.session: dict[str, Any] = {}

    def receive(self, data: bytes) -> bytes:
        out = b""
        for body in self.reader.feed(data):
            number, word, args, options, meta = (msgpack.unpackb(body, strict_map_key=False) + [None])[:5]
            answer = self.hello(options) if word == "HELLO" else self.run(word, args, meta or {})
            packed = msgpack.packb([number, 0, answer])
            out += len(packed).to_bytes(4, "big") + packed
        return out

    def hello(self, options: dict[str, Any]) -> dict[str, Any]:
        server = self.server
        secret = options.get("session")
        resumed = secret in server.sessions
        if not resumed:
            server.made += 1
            secret = server.made.to_bytes(16, "big")
            server.sessions[secret] = {"answers": {}, "seen": 0}
        self.session = server.sessions[secret]
        facts = {"server": "model", "epoch": 1, "revision": 1, "clock_ms": 0, "limits": {"frame": 1 << 20}}
        return {**facts, "session": secret, "session_id": 1, "resumed": resumed}

    def run(self, word: str, args: list[Any], meta: dict[int, Any]) -> Any:
        if word != "INCR":
            return self.server.counter
        answers, seq = self.session["answers"], meta[2]
        self.session["seen"] = seen = max(self.session["seen"], meta.get(3, 0))
        for old in [old for old in answers if old < seen]:
            del answers[old]
        assert seq >= seen, "a seq below seen"
        if seq not in answers:
            self.server.counter += 1
            self.server.applied.append(args[0])
            answers[seq] = self.server.counter
        return answers[seq]


class Asked(Call):
    woken = 0

    def wake(self) -> None:
        self.woken += 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(1, 90)),
        st.tuples(st.just("read"), st.integers(1, 3)),
        st.tuples(st.just("flow"), st.integers(1, 3000)),
        st.tuples(st.just("leave"), st.integers(0, 1000)),
        st.tuples(st.just("cut"), st.integers(0, 3000)),
    ),
    max_size=60,
)


@given(steps, st.booleans())
@settings(max_examples=300)
def test_every_acknowledged_write_was_applied_once(script: list[tuple[str, int]], forgetful: bool) -> None:
    server = Server()
    session = Session(name=None, namespace="0", place="model")
    calls: list[Asked] = []
    left: set[int] = set()
    connection = server.connect()
    up, down = session.connection_made(0.0), b""

    def flow(count: int) -> None:
        nonlocal up, down
        up += session.calls.data_to_send()
        taken, up = up[:count], up[count:]
        down += connection.receive(taken)
        taken, down = down[:count], down[count:]
        session.receive_data(taken, 0.0)

    def cut(count: int) -> None:
        nonlocal up, down, connection
        connection.receive(up[:count])  # what was under way may still arrive, its answer never
        session.connection_lost(ConnectionError("cut"))
        if forgetful and count % 7 == 0:
            server.sessions.clear()
        connection = server.connect()
        up, down = session.connection_made(0.0), b""

    for action, count in script:
        if action in ("ask", "read"):
            for _ in range(count):
                word, kind = ("INCR", WRITE) if action == "ask" else ("GET", READ)
                calls.append(Asked(word, (str(len(calls)),), None, kind))
                session.start(calls[-1])
        elif action == "flow":
            flow(count)
        elif action == "leave" and calls:
            number = count % len(calls)
            if calls[number].state != 2:
                session.end(calls[number], 0.0)
                left.add(number)
        elif action == "cut":
            cut(count)
    while session.calls.open:
        flow(10_000_000)

    writes = [(n, call) for n, call in enumerate(calls) if call.word == "INCR"]
    assert len(server.applied) == len(set(server.applied)), "applied twice"
    answered = {n for n, call in writes if call.woken and call.error is None}
    in_doubt = {n for n, call in writes if call.error is not None}
    assert all(calls[n].error.maybe_applied for n in in_doubt)
    assert {str(n) for n in answered} <= set(server.applied)
    assert set(server.applied) <= {str(n) for n in answered | in_doubt | left}
    assert len({calls[n].body for n in answered}) == len(answered), "one answer for two"
    assert all(call.woken == 1 for n, call in enumerate(calls) if n not in left)
    assert forgetful or not in_doubt
