"""What may be changed about users and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kv_protocol.errors import InvalidArgument, NotFound
from kv_protocol.names import text
from kv_server.engine.access.access import TOKEN, Access, Change
from kv_server.engine.access.rules import secrets_in
from kv_server.engine.access.secrets import Job, digest_of, salt_of
from kv_server.engine.access.table import Table
from kv_server.engine.access.user import DEFAULT, Token, User
from kv_server.engine.access.warden import Told
from kv_server.engine.session import Session

__all__ = ["create_token", "delete_users", "name_of", "revoke_tokens", "set_user"]

_SALT_BYTES: Final = 16
_MOST_TOKENS: Final = 100_000


def name_of(name: bytes) -> str:
    """The name of a user, if it can be one."""
    if name.split() != [name][: len(name)] or b"\0" in name:
        raise InvalidArgument("Usernames can't contain spaces or null characters")
    if name == TOKEN:
        raise InvalidArgument("the name is that under which tokens log in")
    return text(name)


def set_user(access: Access, name: bytes, rules: tuple[bytes, ...], author: Session, told: Told) -> None:
    """Change a user by *rules*, or make it."""
    called = name_of(name)
    fresh = access.engine.dice.randbytes(_SALT_BYTES)

    def user_in(table: Table) -> tuple[User, bytes]:
        user = table.users.get(called, User(called))
        return user, salt_of(user.passwords[0]) if user.passwords else fresh

    def jobs(table: Table) -> list[Job]:
        user, salt = user_in(table)
        return secrets_in(user, rules, salt)

    def apply(table: Table, made: Mapping[Job, str]) -> tuple[Table, object]:
        user, salt = user_in(table)
        return table.with_user(access.book.changed(user, rules, made, salt)), None

    access.change(Change(jobs, apply, told, author, ("user changed", {"user": called})))


def delete_users(access: Access, names: tuple[bytes, ...], author: Session, told: Told) -> None:
    """Delete users, with their tokens; how many there were is told."""
    if DEFAULT.name.encode() in names:
        raise InvalidArgument("The 'default' user cannot be removed")
    called = set(map(text, names))

    def apply(table: Table, made: Mapping[Job, str]) -> tuple[Table, object]:
        gone = called.intersection(table.users)
        return (table.without_users(gone) if gone else table), len(gone)

    access.change(Change(lambda table: [], apply, told, author, ("users deleted", {"users": len(called)})))


def create_token(
    access: Access, user: bytes, namespaces: tuple[bytes, ...], ttl_ms: int | None, label: str, author: Session,
    told: Told,
) -> None:  # fmt: skip
    """Make a token that logs in as *user*; its text is told, once: only a hash of it is kept."""
    engine, called = access.engine, text(user)
    if len(label) > 64 or not label.isprintable():
        raise InvalidArgument("label: at most 64 printable characters")
    if any(not name or name.split() != [name] or b"\0" in name for name in namespaces):
        raise InvalidArgument("namespaces: patterns of names without blanks")
    id = engine.dice.randbytes(6).hex()
    secret = f"kvt_{id}_{engine.dice.randbytes(32).hex()}"
    expires_ms = engine.now_ms + ttl_ms if ttl_ms is not None else 0
    token = Token(id, called, digest_of(secret.encode()).hex(), namespaces, expires_ms, label)

    def apply(table: Table, made: Mapping[Job, str]) -> tuple[Table, object]:
        if called not in table.users:
            raise NotFound(f"User '{called}' not found")
        if len(table.tokens) >= _MOST_TOKENS:
            raise InvalidArgument(f"there are {_MOST_TOKENS:,} tokens: revoke some, or give them a ttl")
        return table.with_token(token), secret

    access.change(Change(lambda table: [], apply, told, author, ("token created", {"user": called, "token": id})))


def revoke_tokens(access: Access, ids: tuple[str, ...], author: Session, told: Told) -> None:
    """Revoke tokens, and end the connections that came with them; how many there were is told."""

    def apply(table: Table, made: Mapping[Job, str]) -> tuple[Table, object]:
        gone = set(ids).intersection(table.tokens)
        return (table.without_tokens(gone) if gone else table), len(gone)

    access.change(Change(lambda table: [], apply, told, author, ("tokens revoked", {"tokens": " ".join(ids)[:200]})))
