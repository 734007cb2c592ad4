"""The first request of a native connection, and as whom its caller is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kv_protocol.errors import KvError, ProtocolError, Unauthenticated
from kv_protocol.limits import KIB
from kv_server.engine.access.access import TOKEN, Access
from kv_server.engine.access.user import DEFAULT
from kv_server.engine.access.warden import Told
from kv_server.engine.session import Login, Outbox, Session
from kv_server.surfaces.hello import Hello, read_hello, welcome
from kv_server.surfaces.requests import read_first

if TYPE_CHECKING:
    from kv_server.surfaces.native import NativeDoor

__all__ = ["MOST_AHEAD", "Greeting"]

MOST_AHEAD: Final = 64 * KIB
"""Of what a client sends before it knows whether it was let in."""


class Greeting:
    """HELLO as it was read, or why it could not be."""

    def __init__(self, body: bytes) -> None:
        self.request_id = 0
        self.error: KvError | None = None
        self.hello = Hello("", b"", None, None, None, None)
        self.waits = False
        """Whether the caller is let in is being found out."""
        try:
            self.request_id, name, args, options = read_first(body)
            if name != b"HELLO":
                raise ProtocolError("the first request of a connection must be HELLO")
            self.hello = read_hello(args, options)
        except KvError as error:
            self.error = error

    def open(self, door: NativeDoor, outbox: Outbox, login: object) -> tuple[Session, dict[str, Any]]:
        """The session of the caller, who was let in as *login*, and what it is told. Raises why it was not."""
        if not isinstance(login, Login):
            assert isinstance(login, KvError)
            raise login
        hello = self.hello
        session, resumed = door.engine.open_session(outbox, hello.client, hello.namespace, hello.secret, login)
        session.patient = True
        return session, welcome(door.server, door.engine, session, resumed, door.limits)

    def log_in(self, access: Access, certified: str | None, address: str, told: Told) -> None:
        """Tell as whom the caller is let in, or why not."""
        hello = self.hello
        if self.error is not None:
            told(self.error)
        elif hello.token is not None:
            access.login(TOKEN, hello.token, address, "HELLO", told)
        elif hello.password is not None or (hello.user is not None and hello.user != (certified or "").encode()):
            user = DEFAULT.name.encode() if hello.user is None else hello.user
            access.login(user, hello.password or b"", address, "HELLO", told)
        else:
            login = access.first(certified)
            told(login or Unauthenticated("this server demands a login: give a user and a password, or a token"))
