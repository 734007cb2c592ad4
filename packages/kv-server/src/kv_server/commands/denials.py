"""What was refused to whom, and what would be."""

from __future__ import annotations

from typing import Annotated

from kv_protocol.errors import InvalidArgument, UnknownCommand
from kv_protocol.names import text
from kv_protocol.types import DenialInfo
from kv_server.engine.access.guard import Refusal, rights_of
from kv_server.engine.conversation import check_arity
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.checks import text_int
from kv_server.spec.command import ADMIN, NATIVE_DOOR, READ, RESP_DOOR
from kv_server.spec.resp_kinds import OK
from kv_server.spec.types import OPTIONAL, Count, InnerWord, Octets


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(count)", name="ACL LOG", doors=NATIVE_DOOR, method="denials"
)
def acl_log(node: Node, count: Count = 10, /) -> list[DenialInfo]:
    """Return the last calls and logins that were refused, the latest first. Like ones within a minute are one."""
    now_ms = node.engine.now_ms
    return [
        DenialInfo(
            one.reason, one.object.decode("utf-8", "replace"), one.user, one.client, one.count, now_ms - one.last_ms
        )
        for one in list(node.engine.access.denials.kept)[:count]
    ]


@command(READ | ADMIN, group="server", since="0.1", cost="O(count)", name="ACL LOG", doors=RESP_DOOR, method=None)
def acl_log_on_resp(node: Node, count: Octets | None = None, /) -> object:
    """Return the last calls and logins that were refused, ten or so many, the latest first; or `RESET`: forget them."""
    denials = node.engine.access.denials
    if count is not None and count.upper() == b"RESET":
        denials.kept.clear()
        return OK
    most = 10 if count is None else max(text_int(count), 0)
    return [
        {
            "count": one.count,
            "reason": one.reason,
            "context": one.context,
            "object": one.object,
            "username": one.user,
            "age-seconds": (node.engine.now_ms - one.last_ms) / 1000,
            "client-info": one.client,
            "entry-id": one.number,
            "timestamp-created": one.first_ms,
            "timestamp-last-updated": one.last_ms,
        }
        for one in list(denials.kept)[:most]
    ]


@command(READ | ADMIN, group="server", since="0.1", cost="O(words)", name="ACL DRYRUN", doors=RESP_DOOR, method=None)
def acl_dryrun(node: Node, user: Octets, name: InnerWord, /, *words: Annotated[InnerWord, OPTIONAL]) -> object:
    """Say whether *user* might run a command line, in the namespace 0; nothing is run."""
    access = node.engine.access
    found = access.table.users.get(text(user))
    if found is None:
        raise InvalidArgument(f"User '{text(user)}' not found")
    line = [name, *words]
    try:
        asked = node.engine.catalog.find_spoken(line)
    except UnknownCommand:
        raise InvalidArgument(f"Command '{text(name)}' not found") from None
    check_arity(asked, line)
    rights = rights_of(found, access.book, access.scope)
    if not rights.bits >> asked.bit & 1:
        return f"This user has no permissions to run the '{asked.name.lower().replace(' ', '|')}' command"
    invocation = asked.bind_text(line)
    refusal: Refusal | None = None
    if rights.guard is not None:
        refusal = rights.guard.refusal(asked.bit, invocation.command.names(invocation), b"0")
    return (
        OK
        if refusal is None
        else f"This user has no permissions to access the '{text(refusal.object)}' {refusal.reason}"
    )
