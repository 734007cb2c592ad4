"""Listening sockets: TCP of both families, and Unix sockets that outlive no server."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import define

from kv_server.net.address import Address

__all__ = ["CannotListen", "Listener", "open_listeners"]

_BACKLOG: Final = 1024
_OWNER_ONLY: Final = 0o177


class CannotListen(Exception):
    """One line: the address and the reason."""


@define(eq=False)
class Listener:
    """A listening socket and the address it really has."""

    socket: socket.socket
    address: Address
    inode: tuple[int, int] | None = None

    def close(self) -> None:
        """Stop listening, and remove the socket's file unless it has become another's."""
        self.socket.close()
        if self.inode is not None:
            with contextlib.suppress(OSError):
                if _inode(self.address.path) == self.inode:
                    os.unlink(self.address.path)
            self.inode = None


def open_listeners(addresses: Iterable[Address]) -> list[Listener]:
    """A listener for each of *addresses*, more for a host name with several; all, or none and `CannotListen`."""
    listeners: list[Listener] = []
    try:
        for address in addresses:
            listeners.extend(_open(address))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _open(address: Address) -> list[Listener]:
    try:
        return [_open_unix(address)] if address.path else _open_tcp(address)
    except OSError as error:
        reason = "another server listens there" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
        raise CannotListen(f"cannot listen on {address}: {reason}") from None


def _open_tcp(address: Address) -> list[Listener]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[Listener] = []
    missing: OSError | None = None
    for family, kind, protocol, _, place in dict.fromkeys(found):
        try:
            listeners.append(_listen(socket.socket(family, kind, protocol), place, address.tls))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for listener in listeners:
                    listener.close()
                raise
            missing = error  # a name such as localhost may have an address of a family that is switched off
    if not listeners and missing is not None:
        raise missing
    return listeners


def _listen(sock: socket.socket, place: tuple[object, ...], tls: bool) -> Listener:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(place)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        host, port = sock.getsockname()[:2]
    except BaseException:
        sock.close()
        raise
    return Listener(sock, Address(host, port, tls=tls))


def _open_unix(address: Address) -> Listener:
    """Listen at a path that is free, or that a server left behind when it died."""
    path = address.path
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _alone_in(os.path.dirname(path)):
            if os.path.lexists(path):
                _remove_stale(path)
            mask = os.umask(_OWNER_ONLY)  # before bind: there is no moment in which others may connect
            try:
                sock.bind(path)
            finally:
                os.umask(mask)
            sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return Listener(sock, address, _inode(path))


@contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Keep other servers from looking for stale sockets in *folder* at the same time."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_stale(path: str) -> None:
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise OSError(errno.EEXIST, "there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        refused = probe.connect_ex(path)
    if refused != errno.ECONNREFUSED:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    os.unlink(path)


def _inode(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
