"""Where a server is: the URL forms `kv://user:password@host:port/namespace`, `kvs://...` for TLS, and
`kv+unix:///path?namespace=name`.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kv_protocol.errors import InvalidArgument

__all__ = ["DEFAULT_NAMESPACE", "DEFAULT_PORT", "Address", "credentials_in", "parse_url"]

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7440
DEFAULT_NAMESPACE: Final = "0"


class Address(NamedTuple):
    """A server and the namespace a client starts in. *path* is set for Unix sockets, *host* and *port* for TCP."""

    namespace: str = DEFAULT_NAMESPACE
    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False

    @property
    def place(self) -> str:
        """The server as messages name it."""
        if self.path:
            return f"kv+unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"kv{'s' if self.tls else ''}://{host}:{self.port}"


def parse_url(url: str) -> Address:
    """Return the address that *url* names. Raises `InvalidArgument` that says what is wrong with it."""
    if not isinstance(url, str):
        raise InvalidArgument(f"a URL must be str, not {type(url).__name__}")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong(url, "its host cannot be read; an IPv6 address is written [::1]") from None
    if parts.fragment:
        raise _wrong(url, "it has a fragment (#...)")
    if parts.scheme in ("kv", "kvs"):
        return _tcp(url, parts)
    if parts.scheme == "kv+unix":
        return _unix(url, parts)
    raise _wrong(url, "it must begin with kv://, kvs:// or kv+unix://")


def credentials_in(url: str) -> tuple[str | None, str | None]:
    """User and password in *url*, which `parse_url` has found to be one."""
    parts = urlsplit(url)
    user, password = (unquote(text or "", errors="surrogateescape") for text in (parts.username, parts.password))
    return user or None, password or None


def _tcp(url: str, parts: SplitResult) -> Address:
    try:
        port = parts.port
    except ValueError:
        raise _wrong(url, "its port is not a number from 1 to 65535") from None
    if port == 0:
        raise _wrong(url, "its port is not a number from 1 to 65535")
    if parts.query:
        raise _wrong(url, "it has a query (?...); the namespace follows the slash")
    namespace = parts.path.removeprefix("/")
    if "/" in namespace:
        raise _wrong(url, "its path has more than one part; write a slash in a namespace as %2F")
    host = parts.hostname
    if parts.netloc and not host:
        raise _wrong(url, "it names no host")
    tls = parts.scheme == "kvs"
    return Address(_unquoted(namespace), host=host or DEFAULT_HOST, port=port or DEFAULT_PORT, tls=tls)


def _unix(url: str, parts: SplitResult) -> Address:
    if parts.netloc.rpartition("@")[2]:
        raise _wrong(url, "the path of the socket must follow three slashes: kv+unix:///path")
    if len(parts.path) < 2:
        raise _wrong(url, "it names no socket path")
    options = dict(parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape"))
    namespace = options.pop("namespace", "")
    if options:
        raise _wrong(url, f"it has an unknown option: {next(iter(options))}")
    return Address(namespace or DEFAULT_NAMESPACE, path=unquote(parts.path, errors="surrogateescape"))


def _unquoted(namespace: str) -> str:
    return unquote(namespace, errors="surrogateescape") or DEFAULT_NAMESPACE


def _wrong(url: str, reason: str) -> InvalidArgument:
    shown = re.sub(r"\A(\w[\w+]*://)?.*@", r"\1***@", url, flags=re.DOTALL)  # a password may be in there
    return InvalidArgument(f"not a kv URL: {shown!r}: {reason}")
