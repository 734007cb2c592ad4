"""HELP for words of two: what may follow the first one. The lines come from the declarations."""

from __future__ import annotations

from kv_server.commands.redis_catalog import summary_of
from kv_server.engine.node import Node
from kv_server.spec.catalog import Catalog, command
from kv_server.spec.command import READ, RESP_DOOR
from kv_server.spec.resp_kinds import Simple


@command(READ, group="server", since="0.1", cost="O(commands)", name="ACL HELP", doors=RESP_DOOR, method=None)
def acl_help(node: Node, /) -> list[Simple]:
    """List the words that begin with ACL."""
    return lines_about(node.engine.catalog, "ACL")


@command(READ, group="server", since="0.1", cost="O(commands)", name="CLIENT HELP", doors=RESP_DOOR, method=None)
def client_help(node: Node, /) -> list[Simple]:
    """List the words that begin with CLIENT."""
    return lines_about(node.engine.catalog, "CLIENT")


@command(READ, group="server", since="0.1", cost="O(commands)", name="COMMAND HELP", doors=RESP_DOOR, method=None)
def command_help(node: Node, /) -> list[Simple]:
    """List the words that begin with COMMAND."""
    return lines_about(node.engine.catalog, "COMMAND")


@command(READ, group="server", since="0.1", cost="O(commands)", name="CONFIG HELP", doors=RESP_DOOR, method=None)
def config_help(node: Node, /) -> list[Simple]:
    """List the words that begin with CONFIG."""
    return lines_about(node.engine.catalog, "CONFIG")


@command(READ, group="server", since="0.1", cost="O(commands)", name="LATENCY HELP", doors=RESP_DOOR, method=None)
def latency_help(node: Node, /) -> list[Simple]:
    """List the words that begin with LATENCY."""
    return lines_about(node.engine.catalog, "LATENCY")


@command(READ, group="server", since="0.1", cost="O(commands)", name="MEMORY HELP", doors=RESP_DOOR, method=None)
def memory_help(node: Node, /) -> list[Simple]:
    """List the words that begin with MEMORY."""
    return lines_about(node.engine.catalog, "MEMORY")


@command(READ, group="server", since="0.1", cost="O(commands)", name="NAMESPACE HELP", doors=RESP_DOOR, method=None)
def namespace_help(node: Node, /) -> list[Simple]:
    """List the words that begin with NAMESPACE."""
    return lines_about(node.engine.catalog, "NAMESPACE")


@command(READ, group="server", since="0.1", cost="O(commands)", name="OBJECT HELP", doors=RESP_DOOR, method=None)
def object_help(node: Node, /) -> list[Simple]:
    """List the words that begin with OBJECT."""
    return lines_about(node.engine.catalog, "OBJECT")


@command(READ, group="server", since="0.1", cost="O(commands)", name="PUBSUB HELP", doors=RESP_DOOR, method=None)
def pubsub_help(node: Node, /) -> list[Simple]:
    """List the words that begin with PUBSUB."""
    return lines_about(node.engine.catalog, "PUBSUB")


@command(READ, group="server", since="0.1", cost="O(commands)", name="SLOWLOG HELP", doors=RESP_DOOR, method=None)
def slowlog_help(node: Node, /) -> list[Simple]:
    """List the words that begin with SLOWLOG."""
    return lines_about(node.engine.catalog, "SLOWLOG")


@command(READ, group="server", since="0.1", cost="O(commands)", name="XGROUP HELP", doors=RESP_DOOR, method=None)
def xgroup_help(node: Node, /) -> list[Simple]:
    """List the words that begin with XGROUP."""
    return lines_about(node.engine.catalog, "XGROUP")


@command(READ, group="server", since="0.1", cost="O(commands)", name="XINFO HELP", doors=RESP_DOOR, method=None)
def xinfo_help(node: Node, /) -> list[Simple]:
    """List the words that begin with XINFO."""
    return lines_about(node.engine.catalog, "XINFO")


def lines_about(catalog: Catalog, first: str) -> list[Simple]:
    """The words that may follow *first*, each with what it does."""
    lines = [f"{first} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
    for word, found in catalog.words.items():
        if word.startswith(first.encode() + b" ") and word != first.encode() + b" HELP":
            lines += [found.usage.removeprefix(first + " "), "    " + summary_of(found)]
    return [Simple(line.encode()) for line in (*lines, "HELP", "    Print this help.")]
