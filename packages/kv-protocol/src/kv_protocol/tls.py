"""TLS over a connected socket that somebody else made. It stands where the socket would, and does not wait either.

Whoever reads or sends need not know of it: what comes off the socket is decrypted at once, and what is sent is
encrypted no earlier than it can leave, a portion at a time.
"""

from __future__ import annotations

from contextlib import suppress
from ssl import MemoryBIO, SSLContext, SSLError, SSLWantReadError
from typing import Final, Protocol

from kv_protocol.limits import KIB

__all__ = ["TlsSocket", "Wire"]

PORTION: Final = 128 * KIB  # of plain bytes that are encrypted while the last ones leave
MAX_LEAVING: Final = 2 * PORTION  # with what TLS itself has to say, which a peer can provoke and leave unread
_RECORD: Final = 16 * KIB
_NO_MORE_READING: Final = 0  # socket.SHUT_RD


class Wire(Protocol):
    """What is asked of a connected socket."""

    def recv(self, size: int, flags: int = 0, /) -> bytes: ...
    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int: ...
    def shutdown(self, how: int, /) -> None: ...
    def close(self) -> None: ...
    def fileno(self) -> int: ...
    def getsockname(self) -> object: ...


class TlsSocket:
    """One end of a connection over *raw*; *name* is what the certificate of the other end must be for.

    `recv` raises `BlockingIOError` where no whole record has come. `send` counts the plain bytes that have left. Others
    are encrypted by then: what is sent next must begin with all that was not counted.
    """

    __slots__ = ("_ahead", "_incoming", "_leaving", "_outgoing", "over", "raw", "shaken", "tls")

    flags = 0
    """Those with which TLS sends something of its own."""

    def __init__(self, raw: Wire, context: SSLContext, *, name: str | None = None, server: bool = False) -> None:
        self.raw = raw
        self.shaken = False
        self.over = False
        """We have said that nothing follows."""
        self._incoming, self._outgoing = MemoryBIO(), MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server, server_hostname=name)
        self._leaving = memoryview(b"")
        self._ahead = 0  # plain bytes that are in `_leaving`, or were

    def shake(self) -> bool:
        """Go on with the handshake; whether it is over. Raises `SSLError` if it failed."""
        try:
            self.tls.do_handshake()
            self.shaken = True
        except SSLWantReadError:
            pass
        except SSLError:
            self._speak_last()
            raise
        self._speak()
        return self.shaken

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Plain bytes; none if the other end sends nothing more."""
        return self.decrypt(self.raw.recv(size, flags))

    def decrypt(self, data: bytes) -> bytes:
        """The plain bytes of *data*, which came off the socket."""
        if not data or self.over:
            return data
        self._incoming.write(data)
        if not self.shaken and not self.shake():
            raise BlockingIOError
        found: list[bytes] = []
        try:
            while chunk := self.tls.read(_RECORD):
                found.append(chunk)
                if len(chunk) < _RECORD and not self._incoming.pending:
                    break  # to hear of that by an exception costs as much as a call
            else:
                with suppress(OSError):  # nothing follows, the other end has said: so the system is to say from now on
                    self.raw.shutdown(_NO_MORE_READING)
        except SSLWantReadError:
            if not found:
                self._speak()
                raise BlockingIOError from None
        except SSLError:
            self._speak_last()
            raise
        self._speak()
        return b"".join(found)

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int:
        """Send as much of *data* as goes at once. Raises `BlockingIOError` if that is nothing."""
        view, done = memoryview(data), 0
        while self._leave(flags):
            done += self._ahead
            self._ahead = 0
            if done == len(view):
                return done
            self._ahead = self.tls.write(view[done : done + PORTION])
            self._leaving = memoryview(self._outgoing.read())
        if not done:
            raise BlockingIOError
        return done

    def _leave(self, flags: int) -> bool:
        """Send what is encrypted; whether all of it went."""
        try:
            while self._leaving:
                self._leaving = self._leaving[self.raw.send(self._leaving, flags) :]
        except BlockingIOError:
            return False
        return True

    def _speak(self) -> None:
        """Send what TLS has to say of its own accord."""
        if self._outgoing.pending:
            self._leaving = memoryview(bytes(self._leaving) + self._outgoing.read())
            if not self._leave(self.flags) and len(self._leaving) > MAX_LEAVING:
                raise ConnectionError("what TLS has to say is not read")

    def _speak_last(self) -> None:
        """The same at the end, when it makes no difference whether it gets there."""
        with suppress(OSError):
            self._speak()

    def shutdown(self, how: int, /) -> None:
        """Say that nothing follows, as far as the system has room for it."""
        self._part()
        self.raw.shutdown(how)

    def close(self) -> None:
        self._part()
        self.raw.close()

    def _part(self) -> None:
        if not self.over and self.shaken:
            with suppress(OSError):
                self.tls.unwrap()
            self._speak_last()
        self.over = True

    def fileno(self) -> int:
        return self.raw.fileno()

    def getsockname(self) -> object:
        return self.raw.getsockname()
