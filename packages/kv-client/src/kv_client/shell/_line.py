"""A blocking connection that speaks the native protocol and nothing beside it: what one command needs, soon made."""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from kv_client._core.handshake import HELLO_ID, hello
from kv_client._core.login import Login
from kv_client.shell._target import Target
from kv_protocol.errors import CallTimeout, ConnectionLost, Failure, KvError, error_from_wire
from kv_protocol.frames import FrameReader, pack, unpack_reply
from kv_protocol.messages import FAILED, FENCE, MORE, NAMESPACE
from kv_protocol.names import wire

__all__ = ["Line", "dial"]

Ask = tuple[str, Sequence[Any], dict[str, Any] | None]
"""A word, its arguments, its options."""

_CHUNK: Final = 262_144


def dial(target: Target) -> socket.socket:
    """A connected socket, secured where the URL says so. Raises `ConnectionLost`."""
    address, context = target.address, target.tls()
    connected: socket.socket | None = None
    try:
        if address.path:
            connected = socket.socket(socket.AF_UNIX)
            connected.settimeout(target.timeout)
            connected.connect(address.path)
        else:
            host: Any = address.host.encode() if address.host.isascii() else address.host  # bytes need no codec
            connected = socket.create_connection((host, address.port), target.timeout)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connected = context.wrap_socket(connected, server_hostname=address.host)
        return connected
    except OSError as error:
        if connected is not None:
            connected.close()
        raise ConnectionLost(f"no connection to {address.place}: {_reason(error)}") from None


class Line:
    """One connection; calls on it are made one after the other, or many at once."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._socket = dial(target)
        self._reader = FrameReader()
        self._bodies: list[bytes] = []
        self._last = HELLO_ID
        said = target.credentials
        login = Login(said.get("user"), said.get("password"), said.get("token")).options()
        try:
            self._send(pack(hello(name="kv", namespace=wire(target.namespace), session=None, login=login)))
            self._answers(1)
        except BaseException:
            self.close()
            raise

    def call(
        self,
        word: str,
        args: Sequence[Any] = (),
        options: dict[str, Any] | None = None,
        *,
        namespace: str | None = None,
        fence: tuple[str | bytes, int] | None = None,
        waits: bool = False,
    ) -> Any:
        """Make one call and return the body of its reply; one that *waits* has all the time there is."""
        meta: dict[int, Any] = {} if namespace is None else {NAMESPACE: wire(namespace)}
        if fence is not None:
            meta[FENCE] = fence
        self._last += 1
        self._socket.settimeout(None if waits else self.target.timeout)
        self._send(pack([self._last, word, args, options, meta or None]))
        (answer,) = self._answers(1).values()
        if isinstance(answer, KvError):
            raise answer
        return answer

    def call_all(self, asked: Iterable[Ask]) -> list[Any]:
        """Make calls in one go; the body of each reply, or the error that it is."""
        frames = []
        first = self._last + 1
        for self._last, (word, args, options) in enumerate(asked, first):
            frames.append(pack([self._last, word, args, options]))
        self._socket.settimeout(self.target.timeout)
        self._send(b"".join(frames))
        answers = self._answers(len(frames))
        return [answers[number] for number in range(first, self._last + 1)]

    def events(self, word: str, window: int) -> Iterator[Any]:
        """Make a call of many replies, and yield their bodies for as long as they come."""
        self._last += 1
        subscription, owed = self._last, 0
        self._send(pack([subscription, word, [], {"credit": window}]))
        self._socket.settimeout(None)
        while True:
            number, status, body = self._reply()
            if status == FAILED:
                raise error_from_wire(Failure(*body))
            if number != subscription or status != MORE:
                continue
            yield body
            owed += 1
            if owed * 2 >= window:
                self._last += 1
                self._send(pack([self._last, "CREDIT", [subscription, owed]]))
                owed = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise self._too_late() from None
        except OSError as error:
            with suppress(OSError):  # why it was closed may have been said before
                self._answers(1)
            raise ConnectionLost(f"the connection broke: {error.strerror or error}") from None

    def _answers(self, count: int) -> dict[int, Any]:
        """As many replies as were asked for, by their ids."""
        answers: dict[int, Any] = {}
        while len(answers) < count:
            number, status, body = self._reply()
            if status == FAILED:
                error = error_from_wire(Failure(*body))
                if number <= HELLO_ID:
                    raise error
                answers[number] = error
            elif status != MORE:
                answers[number] = body
        return answers

    def _reply(self) -> list[Any]:
        while not self._bodies:
            try:
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise self._too_late() from None
            except OSError as error:
                raise ConnectionLost(f"the connection broke: {error.strerror or error}", maybe_applied=True) from None
            if not data:
                raise ConnectionLost("the server closed the connection", maybe_applied=True)
            self._bodies = self._reader.feed(data)
            if self._reader.failure is not None:
                raise self._reader.failure
        return unpack_reply(self._bodies.pop(0))

    def _too_late(self) -> KvError:
        return CallTimeout(f"no answer within {self.target.timeout:g} s", maybe_applied=True)


def _reason(error: OSError) -> str:
    if hasattr(error, "verify_message"):
        return f"the server's certificate was refused: {error.verify_message}; --ca FILE says whom to trust"
    if not hasattr(error, "reason"):
        return error.strerror or str(error)
    from kv_client._core.security import explained  # of TLS alone

    return explained(error)  # type: ignore[arg-type]
