"""Who a client says it is. What is secret in it is shown to nobody but the server."""

from collections.abc import Callable, Mapping

from kv_protocol.errors import ConnectionLost, InvalidArgument

__all__ = ["Login", "Secret"]

Secret = str | Callable[[], str]
"""A password or a token, or what returns the one that is good now: it is called for each connection, and does not wait.
"""


class Login:
    """A user with a password, or a token; neither, for a client that its certificate names, or that nobody asks."""

    __slots__ = ("_password", "_token", "_user")

    def __init__(self, user: str | None, password: Secret | None, token: Secret | None) -> None:
        if user is not None and not isinstance(user, str):
            raise InvalidArgument(f"user: must be str, not {type(user).__name__}")
        for name, secret in (("password", password), ("token", token)):
            if secret is not None and not isinstance(secret, str) and not callable(secret):
                raise InvalidArgument(
                    f"{name}: must be str, or a function that returns it, not {type(secret).__name__}"
                )
        if token is not None and not (user is None and password is None):
            raise InvalidArgument("token: says by itself who comes; leave out user and password")
        self._user = user
        self._password = password
        self._token = token

    def options(self) -> Mapping[str, bytes]:
        """What HELLO says of it. Raises `ConnectionLost` if a function has no secret to give."""
        said = {"user": self._user, "password": _now("password", self._password), "token": _now("token", self._token)}
        return {name: text.encode("utf-8", "surrogateescape") for name, text in said.items() if text is not None}


def _now(name: str, secret: Secret | None) -> str | None:
    if not callable(secret):
        return secret
    try:
        given = secret()
    except Exception as error:  # what it says may hold what it was to keep
        raise ConnectionLost(f"the function for the {name} raised {type(error).__name__}") from error
    if not isinstance(given, str):
        raise ConnectionLost(f"the function for the {name} returned {type(given).__name__}, not str")
    return given
