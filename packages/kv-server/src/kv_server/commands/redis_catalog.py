"""The command table as clients of Redis ask for it: names, numbers of words, flags, places of keys, documentation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from kv_protocol.errors import CommandError, InvalidArgument, UnknownCommand
from kv_server.engine.node import Node
from kv_server.model.glob import matches
from kv_server.spec.catalog import Catalog, command
from kv_server.spec.command import LISTENS, READ, RESP_DOOR, SLOW, Command, Flag
from kv_server.spec.resp_kinds import Members, Simple
from kv_server.spec.signature import Block, Param, Shape
from kv_server.spec.types import OPTIONAL, Octets, Row

_GROUPS: Final = {
    "keys": "generic", "counter": "string", "namespace": "server", "zset": "sorted-set", "transaction": "transactions",
}  # fmt: skip
_ACL_GROUPS: Final = {
    "generic": "keyspace", "sorted-set": "sortedset", "transactions": "transaction", "server": "admin",
}  # fmt: skip
_FLAGS: Final = {
    Flag.WRITE: "write", Flag.READ: "readonly", Flag.GROWS: "denyoom", Flag.ADMIN: "admin", Flag.BLOCKS: "blocking",
    LISTENS: "pubsub", Flag.FAST: "fast",
}  # fmt: skip
_ACL_FLAGS: Final = {
    Flag.WRITE: "write", Flag.READ: "read", Flag.ADMIN: "admin", Flag.BLOCKS: "blocking", Flag.FAST: "fast",
}  # fmt: skip


@command(READ | SLOW, group="server", since="0.1", cost="O(commands)", name="COMMAND", doors=RESP_DOOR, method=None)
def command_(node: Node, /) -> object:
    """Return what clients must know of every command."""
    catalog = node.engine.catalog
    return [details(catalog, name) for name in names_of(catalog)]


@command(READ, group="server", since="0.1", cost="O(commands)", name="COMMAND COUNT", doors=RESP_DOOR, method=None)
def command_count(node: Node, /) -> int:
    """Return how many commands there are."""
    return len(names_of(node.engine.catalog))


@command(
    READ | SLOW, group="server", since="0.1", cost="O(commands)", name="COMMAND INFO", doors=RESP_DOOR, method=None
)
def command_info(node: Node, /, *names: Annotated[Octets, OPTIONAL]) -> list[Any]:
    """Return the same of the commands called so, nothing for a name that is none; without names, of all."""
    catalog = node.engine.catalog
    return [details(catalog, plain_name(name)) for name in names or names_of(catalog)]


@command(
    READ | SLOW, group="server", since="0.1", cost="O(commands)", name="COMMAND DOCS", doors=RESP_DOOR, method=None
)
def command_docs_on_resp(node: Node, /, *names: Annotated[Octets, OPTIONAL]) -> dict[str, Any]:
    """Return the documentation of the commands called so, or of all."""
    catalog = node.engine.catalog
    wanted = [plain_name(name) for name in names] or names_of(catalog)
    found = {name: documentation(catalog, name) for name in wanted}
    return {spelled(name): text for name, text in found.items() if text}


@command(
    READ | SLOW, group="server", since="0.1", cost="O(commands)", name="COMMAND LIST", doors=RESP_DOOR, method=None
)
def command_list(node: Node, /, *words: Annotated[Octets, OPTIONAL]) -> list[str]:
    """Return the names of all commands, or of those that fit `FILTERBY <MODULE m | ACLCAT category | PATTERN p>`."""
    catalog = node.engine.catalog
    names = names_of(catalog)
    if not words:
        return [spelled(name) for name in names]
    if len(words) != 3 or words[0].upper() != b"FILTERBY":
        raise InvalidArgument("syntax error")
    everything = [*names, *(word for word in catalog.words if b" " in word)]
    match words[1].upper():
        case b"MODULE":
            return []
        case b"ACLCAT":
            category = words[2].decode("utf-8", "replace").lower()
            return [spelled(name) for name in everything if "@" + category in categories(catalog.words.get(name))]
        case b"PATTERN":
            return [spelled(name) for name in everything if matches(words[2].lower(), spelled(name).encode())]
    raise InvalidArgument("syntax error")


@command(READ, group="server", since="0.1", cost="O(words)", name="COMMAND GETKEYS", doors=RESP_DOOR, method=None)
def command_getkeys(node: Node, name: Octets, /, *words: Octets) -> list[bytes]:
    """Return the keys that a command line names."""
    return [key for key, _ in keys_in(node.engine.catalog, [name, *words])]


@command(
    READ, group="server", since="0.1", cost="O(words)", name="COMMAND GETKEYSANDFLAGS", doors=RESP_DOOR, method=None
)
def command_getkeysandflags(node: Node, name: Octets, /, *words: Octets) -> list[Any]:
    """Return the keys that a command line names, each with what may be done to it."""
    return [[key, Members(key_flags(access))] for key, access in keys_in(node.engine.catalog, [name, *words])]


def names_of(catalog: Catalog) -> list[bytes]:
    """The first words of all command lines, each once."""
    return list(dict.fromkeys(word.partition(b" ")[0] for word in catalog.words))


def plain_name(name: bytes) -> bytes:
    return name.upper().replace(b"|", b" ")


def spelled(word: bytes) -> str:
    return word.decode().lower().replace(" ", "|")


def details(catalog: Catalog, name: bytes) -> list[Any] | None:
    """What Redis tells clients of a command; nothing if there is none of that name."""
    found = catalog.words.get(name)
    inner = [word for word in catalog.words if word.startswith(name + b" ")]
    if found is None and not inner:
        return None
    arity = -2 if found is None else -1 if inner else found.arity
    first, last, step, movable = (0, 0, 0, False) if found is None else places(found)
    flags = flags_of(found) + ["movablekeys"] * movable
    return [
        spelled(name),
        arity,
        Members(map(simple, flags)),
        first,
        last,
        step,
        Members(map(simple, categories(found))),
        Members(),
        [],
        [details(catalog, word) for word in inner],
    ]


def flags_of(found: Command | None) -> list[str]:
    if found is None:
        return []
    keyed = places(found)[0] or places(found)[3]
    return [word for flag, word in _FLAGS.items() if flag & found.flags and (keyed or flag is not Flag.READ)]


def categories(found: Command | None) -> list[str]:
    if found is None:
        return ["@slow"]
    group = group_of(found)
    words = [_ACL_GROUPS.get(group, group), *(word for flag, word in _ACL_FLAGS.items() if flag & found.flags)]
    return [f"@{word}" for word in words + ["slow"] * (Flag.FAST not in found.flags)]


def group_of(found: Command) -> str:
    return _GROUPS.get(found.group, found.group)


def simple(word: str) -> Simple:
    return Simple(word.encode())


def places(found: Command) -> tuple[int, int, int, bool]:
    """Where a line of the command has its keys: the first, the last, the step; whether there may be more elsewhere."""
    if found.declaration.grammar is not None:
        return 0, 0, 0, any(map(has_key, found.signature.params))
    at = 1 + found.name.count(" ")
    fixed: list[int] = []
    last = step = 0
    movable = False
    for param in found.signature.params:
        keyed = has_key(param)
        if param.shape is Shape.FIXED:
            fixed += [at] if keyed else []
            at += len(param.element.fields) if isinstance(param.element, Block) else 1
        elif keyed and param.shape is Shape.TAIL:
            fixed += [at]
            step = len(param.element.fields) if isinstance(param.element, Block) else 1
            last = -1 - sum(other.shape is Shape.LAST for other in found.signature.params)
        elif keyed and not param.native:
            movable = True
    if not fixed:
        return 0, 0, 0, movable
    if last:
        return fixed[0], last, step, movable
    return fixed[0], fixed[-1], max(fixed[-1] - fixed[0], 1) if len(fixed) == 2 else 1, movable


def has_key(param: Param) -> bool:
    parts: Iterable[object] = param.element.fields.values() if isinstance(param.element, Block) else [param.element]
    return any(isinstance(part, Row) and part.access is not None for part in parts)


def documentation(catalog: Catalog, name: bytes) -> dict[str, Any] | None:
    """What Redis's documentation has of a command; nothing if there is none of that name."""
    found = catalog.words.get(name)
    inner = [word for word in catalog.words if word.startswith(name + b" ")]
    if found is None and not inner:
        return None
    text: dict[str, Any] = {"summary": f"The words that begin with {name.decode()}.", "since": "0.1", "group": "server"}
    if found is not None:
        text = {
            "summary": found.doc.partition("\n\n")[0].replace("\n", " "),
            "since": found.since,
            "group": group_of(found),
            "complexity": found.cost,
            "arguments": [{"name": found.usage, "type": "string"}] if found.signature.params else [],
        }
    if inner:
        text["subcommands"] = {spelled(word): documentation(catalog, word) for word in inner}
    return text


def keys_in(catalog: Catalog, words: list[bytes]) -> list[tuple[bytes, Flag]]:
    """The keys that a line names. Raises what Redis says of lines that name none."""
    try:
        found = catalog.find_text(words)
    except UnknownCommand:
        raise InvalidArgument("Invalid command specified") from None
    if not any(map(has_key, found.signature.params)):
        raise InvalidArgument("The command has no key arguments")
    arity = found.arity
    if len(words) != arity if arity > 0 else len(words) < -arity:
        raise InvalidArgument("Invalid number of arguments specified for command")
    try:
        keys = found.keys(found.bind_text(words))
    except CommandError:
        raise InvalidArgument("Invalid arguments specified for command") from None
    if not keys:
        raise InvalidArgument("The command has no key arguments")
    return keys


def key_flags(access: Flag) -> list[str]:
    return ["RW", "access", "update"] if access is Flag.WRITE else ["RO", "access"]
