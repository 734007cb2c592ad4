"""Tokens: what programs log in with, for some namespaces and a time, and what can be taken back at once."""

from __future__ import annotations

from typing import Annotated

from kv_protocol.names import text, wire
from kv_protocol.types import TokenInfo
from kv_server.engine.access.changes import create_token, revoke_tokens
from kv_server.engine.engine import Caller
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.command import ADMIN, ALONE, BLOCKS, READ
from kv_server.spec.types import Counted, Duration, Name, Text, Token


@command(
    READ | ADMIN | BLOCKS | ALONE, group="server", since="0.1", cost="O(tokens)", name="TOKEN CREATE",
    method="create_token",
)  # fmt: skip
def token_create(
    session: Caller,
    user: Name,
    /,
    *,
    namespaces: Annotated[Counted[Name], Token("NAMESPACES")] = (),
    ttl: Annotated[Duration | None, Token("PX"), Token("EX", 1000)] = None,
    label: Annotated[Text | None, Token("LABEL")] = None,
) -> str:
    """Make a token that logs in as *user*, and return it. It is shown this once: the server keeps a hash of it.

    With *namespaces*, patterns of names, it opens only those of its user's that fit one of them; with *ttl* it expires.
    """
    access, author = session.engine.access, session.session
    secret: str = session.promise(
        lambda told: create_token(access, user, namespaces, ttl, label or "", author, told), lambda secret: secret
    )
    return secret


@command(READ | ADMIN, group="server", since="0.1", cost="O(tokens)", name="TOKEN LIST", method="tokens")
def token_list(node: Node, /) -> list[TokenInfo]:
    """Return all tokens, without what logs in."""
    return [
        TokenInfo(one.id, one.user, [wire(text(name)) for name in one.namespaces], one.expires_ms or None, one.label)  # type: ignore[misc]
        for one in node.engine.access.table.tokens.values()
    ]


@command(
    READ | ADMIN | BLOCKS | ALONE, group="server", since="0.1", cost="O(tokens + sessions)", name="TOKEN REVOKE",
    method="revoke_tokens",
)  # fmt: skip
def token_revoke(session: Caller, /, *ids: Text) -> int:
    """Take tokens back by their ids and end the connections that came with them; return how many there were."""
    access, author = session.engine.access, session.session
    count: int = session.promise(lambda told: revoke_tokens(access, ids, author, told), lambda count: count)
    return count
