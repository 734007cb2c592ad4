"""One accepted connection: its socket, its surface, and what the kernel did not take yet."""

from __future__ import annotations

import select
import socket
from typing import Final

from kv_protocol.errors import KvError
from kv_protocol.tls import Wire
from kv_server.net.address import Address
from kv_server.net.readiness import ONCE, READ
from kv_server.surfaces.surface import Surface

__all__ = ["Peer", "local_address", "prepare_socket"]

KEEPALIVE_IDLE_S: Final = 30  # a peer that has vanished is noticed 45 s after its last sign
KEEPALIVE_INTERVAL_S: Final = 5
KEEPALIVE_PROBES: Final = 3

_OWN: Final = socket.socket
_HANGS_UP: Final = getattr(select, "POLLRDHUP", 0) if hasattr(select, "poll") else None


class Peer:
    """Times are milliseconds of the elapsed clock."""

    __slots__ = (
        "active_ms", "address", "begun_calls", "begun_ms", "certified", "dirty", "ends_ms", "fd", "gone", "half_closed",
        "left", "once", "opened_ms", "refusal", "rest", "sealed", "socket", "surface", "unread", "wants",
    )  # fmt: skip

    def __init__(self, socket: Wire, fd: int, address: str, now_ms: int) -> None:
        self.socket = socket
        self.fd = fd
        self.address = address
        self.opened_ms = self.active_ms = now_ms
        self.refusal: KvError | None = None  # why it is turned away as soon as it has said which protocol it speaks
        self.certified: str | None = None  # whom its certificate names, once it has shown one
        self.surface: Surface | None = None
        self.wants = READ
        self.once = ONCE if type(socket) is _OWN else 0  # how it is watched: what decrypts may keep some back
        self.unread = False  # there was input that was told of, and left for later
        self.dirty = False  # there may be output
        self.rest: memoryview | None = None  # output taken from the surface that the kernel had no room for
        self.sealed = False  # `rest` may not leave yet
        self.left = False  # the engine knows that it is over
        self.half_closed = False
        self.gone = False  # it was dropped
        self.ends_ms: int | None = None  # it is dropped then, whatever it is still owed
        self.begun_ms, self.begun_calls = 0, -1  # when an unfinished frame was first seen, and after how many calls

    def lost(self) -> bool:
        """Whether the system knows that the peer sends nothing more: it may be behind input that was not read yet."""
        if _HANGS_UP is None:
            return False
        ends = select.poll()
        ends.register(self.fd, _HANGS_UP)
        return bool(ends.poll(0))

    @property
    def unsent(self) -> int:
        """Bytes of output that have not left."""
        held = 0 if self.surface is None else self.surface.held
        return held if self.rest is None else held + len(self.rest)


def local_address(sock: Wire) -> str:
    """Our end of a connection."""
    name = sock.getsockname()
    return str(Address(name[0], name[1]) if isinstance(name, tuple) else Address(path=str(name)))


def prepare_socket(sock: socket.socket) -> None:
    """Set what every connection wants: no blocking, no delay, and to learn when the other side is gone."""
    sock.setblocking(False)
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
