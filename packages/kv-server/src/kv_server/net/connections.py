"""All connections: reading, sending, and how each of them ends. Knows rounds of the loop, not when they happen.

A connection ends in steps, so that its last words arrive: the engine forgets it, its output leaves, its sending side is
shut, what the peer still sends is thrown away until the peer closes too. Every step has a time limit.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import trio
from attrs import frozen

from kv_protocol.errors import KvError, ProtocolError, ShuttingDown, TooManyConnections
from kv_protocol.limits import MAX_CONNECTIONS
from kv_server.net import wire
from kv_server.net.counters import Counters
from kv_server.net.doors import Doors, open_door
from kv_server.net.peer import Peer, prepare_socket
from kv_server.net.readiness import READ, TROUBLE, WRITE, Readiness
from kv_server.net.tls import NotSecured, SecuredSocket, Tls
from kv_server.surfaces.events import events_of
from kv_server.surfaces.surface import HIGH_WATER, Surface
from kv_server.surfaces.trace import trace_of

__all__ = ["Connections", "NetLimits"]

_LINGER_MS: Final = 2_000  # how long a peer may take to close after we have
_LAST_OUTPUT_MS: Final = 30_000  # how long it may take to read its last answers
_MOST_REFUSED: Final = 64  # connections beyond the limit that are told so at the same time

log = events_of("kv.net")


@frozen
class NetLimits:
    """Times in milliseconds; an idle time of 0 is no limit."""

    connections: int = MAX_CONNECTIONS
    hello_ms: int = 30_000
    frame_ms: int = 300_000
    idle_ms: int = 0


class Connections:
    """The table of peers by descriptor. `dirty` ones may have output, `stalled` ones have input that waits inside."""

    def __init__(self, readiness: Readiness, doors: Doors, limits: NetLimits) -> None:
        self.limits = limits
        self.counters = Counters()
        self.peers: dict[int, Peer] = {}
        self.admitted = 0
        self.dirty: list[Peer] = []
        self.stalled: dict[Peer, None] = {}
        self._sealed: list[Peer] = []
        self.elapsed_ms = 0
        self.on_drop: Callable[[], None] | None = None
        self._readiness = readiness
        self._doors = doors
        self._change = trio.Event()

    # ---- beginning
    def admit(self, sock: socket.socket, address: str, tls: Tls | None = None) -> None:
        """Take in a socket that was accepted, to speak *tls*, if given; beyond the limit, only to say so."""
        full = self.admitted >= self.limits.connections
        if full:
            self.counters.refused += 1
            if not self.counters.refused & (self.counters.refused - 1):
                log.warning("refusing connections", address=address, limit=self.limits.connections)
            if len(self.peers) - self.admitted >= _MOST_REFUSED:
                sock.close()
                return
        peer = Peer(sock if tls is None else tls.secure(sock), sock.fileno(), address, self.elapsed_ms)
        try:
            prepare_socket(sock)
            self._watch(peer, READ)
        except OSError as error:  # it was reset already, or the system has no room to watch it
            log.info("a connection was lost at once", address=address, reason=error.strerror)
            sock.close()
            return
        if full:
            most = self.limits.connections
            peer.refusal = TooManyConnections(f"the server has as many connections as it may ({most})", {"limit": most})
            peer.ends_ms = self.elapsed_ms + _LINGER_MS
        else:
            self.admitted += 1
            self.counters.accepted += 1
        self.peers[peer.fd] = peer

    # ---- one round
    def set_time(self, elapsed_ms: int) -> None:
        """It is so late now."""
        if elapsed_ms > self.elapsed_ms:
            self.counters.pass_ms(elapsed_ms - self.elapsed_ms)
            self.elapsed_ms = elapsed_ms

    def receive(self, peer: Peer, bits: int) -> None:
        """Read from *peer*, which is ready, and run what came; or note that it can be written to."""
        surface = peer.surface
        if bits != READ or peer.wants != READ:
            if bits & WRITE or not peer.wants & READ:
                self.mark(peer)
            if not (bits & (READ | TROUBLE) and peer.wants & READ):
                return
        if surface is not None and surface.stalled:
            peer.unread = True
            return
        try:
            data = wire.receive(peer.socket, peer.fd)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lost(peer, error)
            return
        if bits != READ or len(data) == wire.CHUNK:  # there may be more
            self._watch(peer, peer.wants)
        if peer.half_closed or not data:
            if not data:
                self._hang_up(peer)
            return
        self.counters.bytes_received += len(data)
        if peer.active_ms != self.elapsed_ms:
            peer.active_ms = self.elapsed_ms
            self.counters.spoke += 1
        try:
            if surface is None:
                surface = self._open(peer, data[0])
            surface.receive_data(data)
        except Exception as error:
            self._bug(peer, error)
        else:
            self.mark(peer)

    def _open(self, peer: Peer, first: int) -> Surface:
        """The surface for *peer*, whose first byte is *first*."""
        if isinstance(peer.socket, SecuredSocket):
            peer.certified = peer.socket.certified
        surface = open_door(self._doors, first, partial(self.wake, peer), peer.lost, peer.address, peer.certified)
        peer.surface = surface
        if peer.refusal is not None:
            surface.refuse(peer.refusal)
        return surface

    def resume_one(self) -> None:
        """Let the connection whose input has waited longest go on."""
        peer = next(iter(self.stalled))
        del self.stalled[peer]
        assert peer.surface is not None
        try:
            peer.surface.resume()
        except Exception as error:
            self._bug(peer, error)
        else:
            self.mark(peer)

    def mark(self, peer: Peer) -> None:
        """*peer* may have output."""
        if not peer.dirty:
            peer.dirty = True
            self.dirty.append(peer)

    def flush(self) -> None:
        """Send once to every connection that has output."""
        dirty = self.dirty
        for peer in dirty:  # sending may add to them
            peer.dirty = False
            self._send(peer)
        dirty.clear()

    def seal(self) -> None:
        """Take the output there is, to be sent at `release`. What comes meanwhile waits for the next time; what was let
        out before, and the kernel had no room for, goes on leaving.
        """
        dirty, self.dirty = self.dirty, []
        for peer in dirty:
            peer.dirty = False
            if peer.rest is not None:
                self._send(peer)
            if peer.gone or peer.surface is None:
                continue
            data = peer.surface.data_to_send() if peer.rest is None else b""
            if data:
                peer.rest = memoryview(data)
                peer.sealed = True
                self._sealed.append(peer)
            elif peer.rest is None:
                self._settle(peer)
            if peer.surface.held and not peer.gone:
                self.mark(peer)

    def release(self) -> None:
        """Send what was sealed."""
        sealed, self._sealed = self._sealed, []
        for peer in sealed:
            peer.sealed = False
            self._send(peer)

    def retract(self, refusal: Callable[[], KvError]) -> int:
        """Put errors in the place of all answers that have not left; end connections where that cannot be done."""
        sealed, self._sealed = self._sealed, []
        held = dict.fromkeys((*sealed, *self.dirty))
        for peer in held:
            if peer.surface is None or peer.gone:
                continue
            taken = b""
            if peer.sealed:
                assert peer.rest is not None
                taken, peer.rest, peer.sealed = bytes(peer.rest), None, False
            if peer.surface.retract(taken, refusal):
                self.mark(peer)
            else:
                self.drop(peer)
        return len(held)

    def wake(self, peer: Peer) -> None:
        """*peer* has output that no input of its own caused."""
        if not peer.half_closed and not peer.gone:
            self.mark(peer)

    def _send(self, peer: Peer) -> None:
        surface = peer.surface
        if surface is None or peer.sealed or peer.gone:
            return
        data = surface.data_to_send() if peer.rest is None else peer.rest
        if data:
            try:
                sent = wire.send(peer.socket, peer.fd, data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.drop(peer)
                return
            self.counters.bytes_sent += sent
            peer.rest = None if sent == len(data) else memoryview(data)[sent:]
        told = surface.held or surface.stalled or surface.closing
        if told or peer.rest is not None or peer.wants != READ or peer.unread:
            self._settle(peer)

    def _settle(self, peer: Peer) -> None:
        """Decide what *peer* is watched for, or how it goes on ending."""
        surface = peer.surface
        assert surface is not None
        if surface.overflowed:
            self.counters.overflowed += 1
            log.warning("closing a connection that does not read", address=peer.address, unsent=peer.unsent)
            self.drop(peer)
            return
        if surface.closing and not peer.left:
            self._leave(peer)
        unsent = peer.unsent
        if surface.closing and not unsent:
            self._half_close(peer)
            return
        wants = READ if unsent <= HIGH_WATER and not surface.closing else 0
        if surface.stalled and wants:
            self.stalled[peer] = None
        if unsent:
            wants |= WRITE
        if wants != peer.wants or (peer.unread and not surface.stalled):
            self._watch(peer, wants)

    def _watch(self, peer: Peer, wants: int) -> None:
        """Watch *peer* for that, from here on."""
        peer.wants, peer.unread = wants, False
        self._readiness.watch(peer.fd, wants | peer.once)

    # ---- ending
    def refuse(self, peer: Peer, error: KvError) -> None:
        """End *peer* because of *error*."""
        if peer.surface is None:
            self.drop(peer)
        else:
            peer.surface.refuse(error)
            self.mark(peer)

    def drop(self, peer: Peer) -> None:
        """Close *peer* now."""
        if peer.gone:
            return
        peer.gone = True
        del self.peers[peer.fd]
        self.stalled.pop(peer, None)
        if peer.refusal is None:
            self.admitted -= 1
        if peer.surface is not None and not peer.left:
            peer.left = True
            peer.surface.leave()
        self._readiness.forget(peer.fd)
        peer.socket.close()
        self._changed()
        if self.on_drop is not None:
            self.on_drop()

    def _lost(self, peer: Peer, error: OSError) -> None:
        """Nothing can be read from *peer* any more."""
        if isinstance(error, NotSecured):
            self.counters.not_secured += 1
            log.info("a connection was not secured", address=peer.address, reason=str(error))
            if peer.surface is None:
                self._half_close(peer)  # it is to hear why: what it sends meanwhile would drown that
                return
        self.drop(peer)

    def _hang_up(self, peer: Peer) -> None:
        """The peer sends nothing more. It may still read what it is owed."""
        if peer.surface is None or peer.half_closed:
            self.drop(peer)
        else:
            self._leave(peer)
            self.mark(peer)

    def _leave(self, peer: Peer) -> None:
        peer.left = True
        peer.ends_ms = self.elapsed_ms + _LAST_OUTPUT_MS
        assert peer.surface is not None
        peer.surface.leave()

    def _half_close(self, peer: Peer) -> None:
        if peer.half_closed:
            return
        peer.half_closed = True
        peer.ends_ms = self.elapsed_ms + _LINGER_MS
        with contextlib.suppress(OSError):
            peer.socket.shutdown(socket.SHUT_WR)
        self._watch(peer, READ)
        self._changed()

    def _bug(self, peer: Peer, error: Exception) -> None:
        log.error("a connection failed", address=peer.address, trace=trace_of(error))
        self.drop(peer)

    def sweep(self) -> None:
        """End what has taken too long. Called about once a second."""
        elapsed_ms, limits = self.elapsed_ms, self.limits
        for peer in list(self.peers.values()):
            surface = peer.surface
            if peer.ends_ms is not None:
                if elapsed_ms >= peer.ends_ms:
                    self.drop(peer)
            elif surface is None or surface.session is None or surface.session.login is None:
                left_ms = 0 if surface is None or surface.session is None else surface.session.ends_ms
                if elapsed_ms - max(peer.opened_ms, left_ms) >= limits.hello_ms:
                    self._time_out(peer, "no HELLO, or no login, came in time")
            elif surface.halfway and not surface.stalled:
                if peer.begun_calls != surface.calls:
                    peer.begun_calls, peer.begun_ms = surface.calls, elapsed_ms
                elif elapsed_ms - peer.begun_ms >= limits.frame_ms:
                    self._time_out(peer, "the rest of a frame did not come in time")
            elif limits.idle_ms and not surface.session.waiting and elapsed_ms - peer.active_ms >= limits.idle_ms:
                self._time_out(peer, "the connection was idle for too long")

    def _time_out(self, peer: Peer, reason: str) -> None:
        self.counters.timed_out += 1
        log.info("closing a connection", address=peer.address, reason=reason)
        self.refuse(peer, ProtocolError(reason))

    # ---- all of them
    def go_away(self) -> None:
        """Tell everybody that the server is about to stop; drop those that have not even begun."""
        error = ShuttingDown("the server is shutting down")
        for peer in list(self.peers.values()):
            if peer.surface is None:
                self.drop(peer)
            else:
                peer.surface.go_away(error)
                self.mark(peer)

    def leave_all(self) -> None:
        """Take no more calls; what was answered is still sent."""
        for peer in list(self.peers.values()):
            if peer.surface is not None and not peer.left:
                self._leave(peer)
                self.mark(peer)

    def drop_all(self) -> None:
        for peer in list(self.peers.values()):
            self.drop(peer)

    async def wait_sent(self) -> None:
        """Wait until no connection is owed output."""
        while any(not peer.half_closed for peer in self.peers.values()):
            await self._change.wait()

    async def wait_gone(self) -> None:
        """Wait until there is no connection."""
        while self.peers:
            await self._change.wait()

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()
