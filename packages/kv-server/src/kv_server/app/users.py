"""The file of users and tokens, and the password of the default user: read whole or not at all, written whole."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from attrs import evolve

from kv_protocol.errors import InvalidArgument
from kv_server.app.config import Config
from kv_server.commands import CATALOG
from kv_server.engine.access.rules import Book
from kv_server.engine.access.secrets import digest_of, hashed
from kv_server.engine.access.table import Table, table_of
from kv_server.engine.access.user import DEFAULT
from kv_server.surfaces.events import events_of
from kv_server.surfaces.resp_lines import split_line

__all__ = ["WrongUsers", "demands_login", "password_of", "read_users", "users_of", "write_users"]

_LONGEST_PASSWORD = 4_096
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

log = events_of("kv.audit")


class WrongUsers(Exception):
    """One line: the file, the line in it, and what is wrong there."""


def read_users(path: str, book: Book) -> Table:
    """What the file at *path* says; a file that is not there yet says nothing. Raises `WrongUsers`."""
    try:
        with open(path, "rb") as file:
            text = file.read()
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        return Table()
    except OSError as error:
        raise WrongUsers(f"{path}: {error.strerror}") from None
    if mode & _OTHERS:
        log.warning("others may read the file of users: chmod 600", file=path)
    at = 0

    def lines() -> Iterator[list[bytes]]:
        nonlocal at
        for line in text.split(b"\n"):
            at += 1
            words = [] if line.lstrip().startswith(b"#") else split_line(line)
            if words is None:
                raise InvalidArgument("a quote is left open")
            if words:
                yield words

    try:
        return table_of(lines(), book)
    except InvalidArgument as error:
        raise WrongUsers(f"{path}:{at}: {error}") from None


def write_users(path: str, lines: list[bytes]) -> None:
    """Let the file at *path* have these *lines*. Whoever reads it meanwhile, or after a crash, finds all or none."""
    fresh = f"{path}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(b"".join(line + b"\n" for line in lines))
            file.flush()
            os.fsync(descriptor)
        os.rename(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def password_of(config: Config) -> bytes | None:
    """The password that the settings give the default user. Raises `WrongUsers`."""
    if config.password or not config.password_file:
        return config.password.encode() or None
    path = config.password_file
    try:
        with open(path, "rb") as file:
            password = file.read(_LONGEST_PASSWORD + 2).removesuffix(b"\n").removesuffix(b"\r")
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise WrongUsers(f"{path}: {error.strerror}") from None
    if not password or len(password) > _LONGEST_PASSWORD:
        raise WrongUsers(f"{path}: holds no password of 1 to {_LONGEST_PASSWORD:,} bytes")
    if mode & _OTHERS:
        log.warning("others may read the file with the password: chmod 600", file=path)
    return password


def users_of(config: Config, book: Book, salt: bytes) -> Table:
    """The users that *config* asks for. The password of the settings stands above what the file says. Slow."""
    table = read_users(config.users, book) if config.users else Table()
    password = password_of(config)
    if password is None:
        return table
    kept = hashed((digest_of(password), salt))
    return table.with_user(evolve(table.users[DEFAULT.name], nopass=False, passwords=(kept,)))


def demands_login(config: Config) -> bool:
    """Whether nobody comes in unknown. Raises `WrongUsers`."""
    table = read_users(config.users, Book(CATALOG)) if config.users else Table()
    default = table.users[DEFAULT.name]
    return not default.on or password_of(config) is not None or not default.nopass
