"""Which server, which namespace, and who asks: from options and the environment. A password comes from a file alone."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kv_client._core.address import Address, credentials_in, parse_url
from kv_client.shell._table import WrongUse
from kv_protocol.errors import InvalidArgument

if TYPE_CHECKING:
    from ssl import SSLContext

__all__ = ["Target", "target"]

URL: Final = "kv://127.0.0.1:7440"
TIMEOUT_S: Final = 5.0


class Target(NamedTuple):
    """A server as the shell reaches it; *words* are the options that say so again, without the URL."""

    url: str
    address: Address
    namespace: str
    timeout: float
    words: tuple[str, ...]
    credentials: Mapping[str, str]
    """`user`, `password`, `token`: those that are given."""
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    def tls(self) -> "SSLContext | None":
        """What secures the connection; None where the URL asks for no TLS, or says nothing beyond it."""
        if not self.address.tls:
            return None
        import ssl

        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:
            raise WrongUse(f"the certificates cannot be read: {error}") from None
        return context

    def connect_options(self) -> dict[str, Any]:
        """What `connect` of a client's face is given besides the URL."""
        context = self.tls()
        return {**self.credentials, **({} if context is None else {"tls": context}), "timeout": self.timeout}


def target(given: Mapping[str, str], environment: Mapping[str, str]) -> Target:
    """The server that options, or else the *environment*, name. Raises `WrongUse`."""
    url = given.get("url") or environment.get("KV_URL") or URL
    try:
        address = parse_url(url)
        timeout = float(given.get("timeout", TIMEOUT_S))
        if not timeout > 0:
            raise ValueError
    except InvalidArgument as error:
        raise WrongUse(str(error)) from None
    except ValueError:
        raise WrongUse(f"--timeout: seconds above 0, not {given['timeout']!r}") from None
    for name in ("ca", "cert", "key"):
        if name in given and not os.path.isfile(given[name]):
            raise WrongUse(f"--{name}: there is no file {given[name]}")
    return Target(
        url=url,
        address=address,
        namespace=given.get("namespace", address.namespace),
        timeout=timeout,
        words=tuple(word for name in given if name != "url" for word in (f"--{name}", given[name])),
        credentials=_credentials(url, environment),
        ca=given.get("ca"),
        certificate=given.get("cert"),
        key=given.get("key"),
    )


def _credentials(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    token = environment.get("KV_TOKEN") or _secret(environment, "KV_TOKEN_FILE")
    if token:
        return {"token": token}
    user, password = credentials_in(url)
    said = {"user": user, "password": _secret(environment, "KV_PASSWORD_FILE") or password}
    return {name: text for name, text in said.items() if text}


def _secret(environment: Mapping[str, str], name: str) -> str | None:
    """The first line of the file that *name* names."""
    path = environment.get(name)
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            return file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{name}: {path} cannot be read: {error}") from None
