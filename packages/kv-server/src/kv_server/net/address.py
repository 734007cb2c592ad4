"""Where a server listens, as operators write it. Knows no socket."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from attrs import frozen

__all__ = ["DEFAULT_PORT", "HTTP_PORT", "Address"]

DEFAULT_PORT: Final = 7440
HTTP_PORT: Final = 7441
_LONGEST_PATH: Final = 100  # a socket's path has at most 104 to 108 bytes, by system


@frozen
class Address:
    """`host:port`, `[IPv6]:port`, with *tls* `tls://` before it, or, with a *path*, `unix:/path`."""

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False

    @classmethod
    def parse(cls, text: str, port_meant: int = DEFAULT_PORT) -> Address:
        """The address that *text* says, at *port_meant* if it names none. Raises `ValueError` with what is wrong."""
        if text.startswith("unix:"):
            return cls._unix(text.removeprefix("unix:").removeprefix("//"))
        tls = text.startswith("tls://")
        text = text.removeprefix("tls://")
        if tls and text.startswith("unix:"):
            raise ValueError("a Unix socket has no TLS: who may use it, its folder says")
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            if not bracket or (rest and not rest.startswith(":")):
                raise ValueError("an IPv6 address is written [::1]:7440")
            port = rest[1:]
        else:
            host, _, port = text.partition(":")
            if ":" in port:
                raise ValueError("an IPv6 address is written [::1]:7440")
        if not host:
            raise ValueError("the host is missing: say 127.0.0.1, or 0.0.0.0 for every IPv4 address of this machine")
        return cls(host, _port(port, port_meant), tls=tls)

    @classmethod
    def _unix(cls, path: str) -> Address:
        if not path.startswith("/"):
            raise ValueError("a Unix socket is written unix:/absolute/path")
        if len(path.encode()) > _LONGEST_PATH:
            raise ValueError(f"the path of a Unix socket has at most {_LONGEST_PATH} bytes")
        return cls(path=path)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls://' if self.tls else ''}{host}:{self.port}"

    @property
    def public(self) -> bool:
        """Others than this machine may reach it."""
        if self.path or self.host == "localhost":
            return False
        try:
            return not ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return True


def _port(text: str, meant: int) -> int:
    if not text:
        return meant
    if not (text.isascii() and text.isdigit()) or int(text) > 65_535:
        raise ValueError(f"the port must be a number from 0 to 65535, not {text!r}")
    return int(text)
