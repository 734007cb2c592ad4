"""The loop: rounds of read, run and send, bounded by time; and the alarm for what falls due.

One round sets the engine's clocks, reads and runs what is ready, and then sends once to each connection with output.
Sending is a step of its own behind a gate, so that answers can be held until what they tell is durable.
"""

from __future__ import annotations

import math
from time import perf_counter
from typing import Final

import trio

from kv_protocol.patience import LOOK_S, Patience
from kv_server.engine.engine import Engine
from kv_server.engine.ticks import Ticks
from kv_server.net.accept import Acceptor
from kv_server.net.clock import Clock
from kv_server.net.connections import Connections
from kv_server.net.gate import Gate
from kv_server.net.readiness import READ, Readiness
from kv_server.surfaces.events import events_of
from kv_server.surfaces.trace import trace_of

__all__ = ["Loop", "Pulse"]

_BUDGET_S: Final = 0.002  # how long the loop keeps other tasks of the process waiting,
_PAUSE_S: Final = 0.001  # and how much of that it may sleep, where it expects more
_SWEEP_MS: Final = 1_000
_NAP_S: Final = 30e-6  # about three calls
_FEW: Final = 4  # connections
_MANY: Final = 32  # that speak in a millisecond
_LAGS: Final = 16  # powers of two of milliseconds
_RETRY_MS: Final = 1_000  # after a failure of ours, when what is due is tried again

log = events_of("kv.net")


class Pulse:
    """How late the alarm rang, in milliseconds, how many rounds there were, and how often what was due failed."""

    __slots__ = ("failures", "lag_ms", "lags", "last_lag_ms", "longest_lag_ms", "per_s", "rounds", "sampled")

    def __init__(self) -> None:
        self.rounds = self.failures = 0
        self.lag_ms = 0.0
        """A moving average."""
        self.last_lag_ms = self.longest_lag_ms = 0.0
        self.lags = [0] * _LAGS
        """How often it was late, by powers of two of milliseconds: so many rang no later."""
        self.sampled = (0, 0, 0, 0)
        """When calls and bytes in and out were last counted, and how many there were until then."""
        self.per_s = (0, 0, 0)
        """How many of these came in a second before that."""

    def note(self, late_ms: float) -> None:
        self.last_lag_ms = late_ms
        self.lag_ms += (late_ms - self.lag_ms) / 8
        self.lags[min(max(math.ceil(late_ms) - 1, 0).bit_length(), _LAGS - 1)] += 1
        self.longest_lag_ms = max(self.longest_lag_ms, late_ms)

    def sample(self, elapsed_ms: int, calls: int, received: int, sent: int) -> None:
        """Count calls and bytes, about once a second."""
        then_ms, *before = self.sampled
        spent_ms = max(elapsed_ms - then_ms, 1)
        grown = [max(now - old, 0) * 1000 // spent_ms for now, old in zip((calls, received, sent), before, strict=True)]
        self.per_s = grown[0], grown[1], grown[2]
        self.sampled = elapsed_ms, calls, received, sent


class Loop:
    """Drives *engine* with what *connections* bring."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        readiness: Readiness,
        connections: Connections,
        acceptor: Acceptor,
    ) -> None:
        self.pulse = Pulse()
        self.hurries = False
        """Another task has much to do: nobody sleeps in its time."""
        self._engine = engine
        self._clock = clock
        self._readiness, self._events = readiness, readiness.events
        self._connections = connections
        self._acceptor = acceptor
        self._gate: Gate | None = None
        self._gate_fd = -1
        self._alarm = trio.CancelScope()
        self._alarm_ms = 0
        self._sweep_ms = 0
        self._more = False
        self._retry_ms = 0
        self._ticks = Ticks(clock.timer)
        self._due = engine.due.heap
        self._patience, self._company = (Patience(real=clock.timer is perf_counter) for _ in range(2))
        self.set_clocks()

    async def serve(self) -> None:
        """Run rounds for ever."""
        while True:
            self._set_alarm()
            await self._readiness.wait()
            while self.drain():
                self._set_alarm()
                await trio.lowlevel.checkpoint()

    def drain(self) -> bool:
        """Serve what is ready until nothing is; True if there is more, but it is the turn of others."""
        readiness, events, connections = self._readiness, self._events, self._connections
        until = self._ticks.read() + _BUDGET_S
        if not events.left:
            readiness.poll()
        while events.left or connections.stalled:
            self.round(until)
            if self._ticks.roughly() >= until:
                return True
            if not events.left:
                readiness.poll()
            if not events.left and not connections.stalled and not self.hurries and self._patience.worth_it():
                self._look()
        return False

    def _look(self) -> None:
        """See what is ready a moment later: who was served may have more to say, and a sleep of trio costs more. Few
        callers are waited for awake: to be woken would take longer than all that is done for them.
        """
        readiness, events, connections = self._readiness, self._events, self._connections
        if len(connections.peers) <= _FEW:
            until = self._ticks.read() + LOOK_S
            while not events.left and self._ticks.read() < until:
                readiness.poll()
        else:
            if connections.counters.speaking >= _MANY and self._company.worth_it():
                self._nap()
            if not events.left:
                readiness.look(_PAUSE_S)
        if events.left:
            self._patience.hit()
        else:
            self._patience.miss()

    def _nap(self) -> None:
        """Let some come together, where many speak: to be woken by each would cost as much as to serve it."""
        began = self._ticks.read()
        self._readiness.nap(_NAP_S)
        short = self._ticks.read() < began + LOOK_S
        self._readiness.poll()
        if short and self._events.left > 1:
            self._company.hit()
        else:
            self._company.miss()

    def round(self, until: float) -> None:
        """Serve what is ready while there is time; some may be left."""
        self.pulse.rounds += 1
        self._read_clocks()
        events, connections = self._events, self._connections
        if connections.stalled:
            connections.resume_one()
        done = 0
        while events.take():
            done += 1
            peer = connections.peers.get(events.fd)
            if peer is not None:
                connections.receive(peer, events.bits)
            elif events.fd in self._acceptor.listeners:
                self._acceptor.accept(events.fd)
            elif events.fd == self._gate_fd:
                assert self._gate is not None
                self._gate.synced()
            if not done & 7 and self._ticks.read() >= until:
                break
        while connections.stalled and self._ticks.read() < until:
            connections.resume_one()
        if self._gate is None:
            connections.flush()
        else:
            if not events.left:
                self._readiness.poll()
            self._gate.let_out(more=bool(events.left or connections.stalled))

    def guard(self, gate: Gate) -> None:
        """Let nothing out any more but through *gate*."""
        self._gate, self._gate_fd = gate, gate.fd
        self._readiness.watch(gate.fd, READ)

    def unguard(self) -> None:
        """There is no gate any more, and nothing is sent."""
        if self._gate is not None:
            self._readiness.forget(self._gate_fd)
            self._gate_fd = -1

    def set_clocks(self) -> None:
        """Tell the engine what time it is, and let it do a slice of what is due."""
        self._advance(*self._clock.read())

    def _read_clocks(self) -> None:
        """The same, unless no time has passed and nothing fell due meanwhile."""
        clock, due = self._clock, self._due
        clock.tick()
        elapsed_ms = clock.elapsed_ms
        if elapsed_ms != self._connections.elapsed_ms or self._more or (due and due[0][0] <= elapsed_ms):
            self._advance(clock.now_ms, elapsed_ms)

    def _advance(self, now_ms: int, elapsed_ms: int) -> None:
        self._connections.set_time(elapsed_ms)
        try:
            self._more = self._engine.advance(now_ms, elapsed_ms)
        except Exception as error:  # a bug in one call that waits must not cost everybody the store
            self._more = False
            self._retry_ms = elapsed_ms + _RETRY_MS
            self.pulse.failures += 1
            if self.pulse.failures & (self.pulse.failures - 1) == 0:
                log.error("what was due failed", times=self.pulse.failures, trace=trace_of(error))

    def send(self) -> None:
        """Send all that may leave."""
        if self._gate is None:
            self._connections.flush()
        else:
            self._gate.let_out()

    def ring(self) -> None:
        """Another task has answered calls: send that, and let the calls behind them go on."""
        self.send()
        if self._connections.stalled:
            self.look()

    def look(self) -> None:
        """See at once what is due: the clock may have leapt."""
        self._alarm_ms = 0
        self._alarm.deadline = trio.current_time()

    async def keep_time(self) -> None:
        """Ring when something falls due, and sweep once a second."""
        while True:
            due_ms, elapsed_ms = self._next_due_ms(), self._clock.read()[1]
            self._alarm_ms = due_ms
            with trio.CancelScope(deadline=trio.current_time() + max(0, due_ms - elapsed_ms) / 1000) as self._alarm:
                await trio.sleep_forever()
            self.pulse.note((trio.current_time() - self._alarm.deadline) * 1000)
            self.set_clocks()
            if self._connections.elapsed_ms >= self._sweep_ms:
                self._sweep_ms = self._connections.elapsed_ms + _SWEEP_MS
                self._connections.sweep()
                counters = self._connections.counters
                self.pulse.sample(self._sweep_ms, self._engine.calls, counters.bytes_received, counters.bytes_sent)
                self._acceptor.open()
                if self._gate is not None:
                    self._gate.tend()
            self.send()
            if self._connections.stalled:  # an answer that came late lets the calls behind it go on
                while self.drain():
                    await trio.lowlevel.checkpoint()

    def _next_due_ms(self) -> int:
        if self._more:
            return self._connections.elapsed_ms
        due_ms = self._engine.next_due_ms()
        next_ms = self._sweep_ms if due_ms is None else min(max(due_ms, self._retry_ms), self._sweep_ms)
        sync_ms = self._gate.due_ms() if self._gate is not None else None
        return next_ms if sync_ms is None else min(next_ms, sync_ms)

    def _set_alarm(self) -> None:
        """Ring earlier if a call has made something due earlier. To be called before anything is waited for."""
        due_ms = self._next_due_ms()
        if due_ms < self._alarm_ms:
            self._alarm_ms = due_ms
            self._alarm.deadline = trio.current_time() + max(0, due_ms - self._clock.read()[1]) / 1000
