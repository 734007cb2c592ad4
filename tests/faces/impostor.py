"""Something that listens like a server and is none: it shows any certificate, and answers every HELLO alike."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from msgpack import unpackb

from kv_protocol.frames import FrameReader, pack
from kv_protocol.messages import FAILED

__all__ = ["Impostor", "impostor"]


class Impostor:
    """*hellos* are the options of those that came. Each is told *error*."""

    def __init__(self, context: ssl.SSLContext | None, error: tuple[str, str]) -> None:
        self.hellos: list[dict[str, Any]] = []
        self._context = context
        self._error = error
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                connection.settimeout(20)
                self._answer(self._context.wrap_socket(connection, server_side=True) if self._context else connection)

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            reader, bodies = FrameReader(), []
            while not bodies:
                data = connection.recv(65_536)
                if not data:
                    return
                bodies = reader.feed(data)
            number, _, _, options = unpackb(bodies[0])
            self.hellos.append(options)
            connection.sendall(pack([number, FAILED, [*self._error, {}]]))
            while connection.recv(65_536):
                pass

    def __enter__(self) -> Impostor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)


@contextmanager
def impostor(context: ssl.SSLContext | None = None, error: tuple[str, str] = ("LOGIN", "no")) -> Iterator[Impostor]:
    with Impostor(context, error) as made:
        yield made
