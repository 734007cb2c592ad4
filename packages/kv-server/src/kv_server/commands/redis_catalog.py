"""The command table as clients of Redis ask for it: names, numbers of words, flags, places of keys, documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

from kv_protocol.errors import CommandError, InvalidArgument, UnknownCommand
from kv_server.engine.node import Node
from kv_server.model.glob import matches
from kv_server.spec.catalog import Catalog, command
from kv_server.spec.categories import told_flags
from kv_server.spec.command import READ, RESP_DOOR, SLOW, Command, Flag
from kv_server.spec.lengths import width
from kv_server.spec.resp_kinds import Members, Simple
from kv_server.spec.signature import Block, Choice, Param, Shape
from kv_server.spec.types import OPTIONAL, Octets, Row

_GROUPS: Final = {
    "keys": "generic", "dump": "generic", "sorting": "generic", "counter": "string", "namespace": "server",
    "zset": "sorted-set", "transaction": "transactions",
}  # fmt: skip
_KINDS: Final = {
    "int": "integer", "count": "integer", "size": "integer", "cursor": "integer", "version": "integer",
    "token": "integer", "duration": "integer", "timeout": "double", "float": "double", "number": "double",
    "time": "unix-time", "pattern": "pattern",
}  # fmt: skip
_FLAGS: Final = {
    Flag.WRITE: "write", Flag.READ: "readonly", Flag.GROWS: "denyoom", Flag.ADMIN: "admin", Flag.BLOCKS: "blocking",
    Flag.FAST: "fast",
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
    everything = [*names_of(catalog), *(word for word in catalog.words if b" " in word)]
    if not words:
        return [spelled(name) for name in everything]
    if len(words) != 3 or words[0].upper() != b"FILTERBY":
        raise InvalidArgument("syntax error")
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
    return [
        [key, Members(map(simple, key_flags(access)))] for key, access in keys_in(node.engine.catalog, [name, *words])
    ]


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
        Members([key_spec(found, first, last, step)] if found is not None and first else []),
        Members(details(catalog, word) for word in inner),
    ]


def key_spec(found: Command, first: int, last: int, step: int) -> dict[str, Any]:
    """Where the keys are that stand in a row, in the newer form."""
    keyed = [part for param in found.signature.params for part in parts_of(param)]
    writes = any(isinstance(part, Row) and part.access == "write" for part in keyed)
    until = last - first if last > 0 else last
    return {
        "flags": Members(map(simple, key_flags(Flag.WRITE if writes else Flag.READ))),
        "begin_search": {"type": "index", "spec": {"index": first}},
        "find_keys": {"type": "range", "spec": {"lastkey": until, "keystep": step, "limit": 0}},
    }


def flags_of(found: Command | None) -> list[str]:
    if found is None:
        return []
    told = told_flags(found.group, found.flags, found.signature)
    return [word for flag, word in _FLAGS.items() if flag & told] + ["pubsub"] * (found.group == "pubsub")


def categories(found: Command | None) -> list[str]:
    """The categories of a command, as Redis writes them; a word that needs another one is slow."""
    return ["@slow"] if found is None else [f"@{word}" for word in found.acl]


def group_of(found: Command) -> str:
    return _GROUPS.get(found.group, found.group)


def simple(word: str) -> Simple:
    return Simple(word.encode())


def places(found: Command) -> tuple[int, int, int, bool]:
    """Where a line of the command has its keys: the first, the last, the step; whether there may be more elsewhere."""
    at = 1 + found.name.count(" ")
    fixed: list[int] = []
    last = step = 0
    movable = False
    for param in found.signature.params:
        keyed = has_key(param)
        if param.shape is Shape.FIXED:
            fixed += [at] if keyed else []
            at += width(param.element)
        elif keyed and param.shape is Shape.TAIL and found.declaration.grammar is None:
            fixed += [at]
            step = width(param.element)
            last = -1 - sum(other.shape is Shape.LAST for other in found.signature.params)
        elif keyed and not param.native:
            movable = True
    if not fixed:
        return 0, 0, 0, movable
    if last:
        return fixed[0], last, step, movable
    return fixed[0], fixed[-1], max(fixed[-1] - fixed[0], 1) if len(fixed) == 2 else 1, movable


def has_key(param: Param) -> bool:
    return any(isinstance(part, Row) and part.access is not None for part in parts_of(param))


def parts_of(param: Param) -> list[object]:
    return list(param.element.fields.values()) if isinstance(param.element, Block) else [param.element]


def documentation(catalog: Catalog, name: bytes) -> dict[str, Any] | None:
    """What Redis's documentation has of a command; nothing if there is none of that name."""
    found = catalog.words.get(name)
    inner = [word for word in catalog.words if word.startswith(name + b" ")]
    if found is None and not inner:
        return None
    text: dict[str, Any] = {"summary": f"The words that begin with {name.decode()}.", "since": "0.1", "group": "server"}
    if found is not None:
        text = {
            "summary": summary_of(found),
            "since": found.since,
            "group": group_of(found),
            "complexity": found.cost,
        }
        if said := arguments(found):
            text["arguments"] = said
    if inner:
        text["subcommands"] = {spelled(word): documentation(catalog, word) for word in inner}
    return text


def summary_of(found: Command) -> str:
    """What a command does, in one line of plain text."""
    return found.doc.partition("\n\n")[0].replace("\n", " ").replace("*", "").replace("`", "")


def arguments(found: Command) -> list[dict[str, Any]]:
    """What may follow the name of a command: its parameters, and the words that only choose a form of the reply."""
    words = dict.fromkeys(token for view in found.declaration.views for token in view.tokens)
    switches = [
        {**pure_token(word), "flags": Members([simple("optional")])} for word in (*words, *found.declaration.selects)
    ]
    return [argument(param) for param in found.signature.params if not param.native] + switches


def argument(param: Param) -> dict[str, Any]:
    """One parameter in the form of COMMAND DOCS."""
    if len(param.tokens) > 1:
        forms = [{"name": token.word.lower(), "token": token.word, **form_of(param)} for token in param.tokens]
        text = {"name": param.word, "type": "oneof", "arguments": forms}
    else:
        text = {"name": param.word, **({"token": param.tokens[0].word} if param.tokens else {}), **form_of(param)}
    flags = ["optional"] * (not param.required) + ["multiple"] * param.several
    return {**text, "flags": Members(map(simple, flags))} if flags else text


def form_of(param: Param) -> dict[str, Any]:
    """The type of a parameter, with what it is made of."""
    element = param.element
    if isinstance(element, Choice):
        return {"type": "oneof", "arguments": list(map(pure_token, element.words))}
    if param.shape is Shape.TOKEN:
        return {"type": "pure-token"}
    if isinstance(element, Block):
        fields = [{"name": name.rstrip("_"), "type": kind_of(row)} for name, row in element.fields.items()]
        return {"type": "block", "arguments": fields}
    return {"type": kind_of(element)}


def pure_token(word: str) -> dict[str, Any]:
    return {"name": word.lower(), "type": "pure-token", "token": word}


def kind_of(part: object) -> str:
    if isinstance(part, Row) and part.access is not None:
        return "key"
    return _KINDS.get(getattr(part, "name", ""), "string")


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
    if found.declaration.grammar is None or not places(found)[3]:
        return [(words[at], access) for at, access in spots(found, words)]
    try:
        return found.keys(found.bind_text(words))
    except CommandError:
        raise InvalidArgument("Invalid arguments specified for command") from None


def spots(found: Command, words: list[bytes]) -> Iterator[tuple[int, Flag]]:
    """Where a line has its keys, as its form alone tells, whatever else stands in it."""
    at = 1 + found.name.count(" ")
    end = len(words) - sum(width(param.element) for param in found.signature.params if param.shape is Shape.LAST)
    for param in found.signature.positional:
        stop = at + width(param.element)
        if param.shape is Shape.COUNTED:
            number = int(words[at]) if words[at].isdigit() else -1
            at, stop = at + 1, at + 1 + number * width(param.element)
            if number < (0 if param.empty else 1) or stop > end:
                raise InvalidArgument("Invalid arguments specified for command")
        elif param.shape is Shape.TAIL:
            stop = end
            if at == end and has_key(param):
                raise InvalidArgument("Invalid arguments specified for command")
        if at < stop <= end:
            yield from keys_of(found, param, at, stop)
            at = stop
    tokens = {token.word.encode(): param for param in found.signature.options for token in param.tokens}
    last: dict[str, int] = {}
    while at < end:
        named = tokens.get(words[at].upper())
        at += 1
        if named is not None and named.shape is not Shape.TOKEN:
            last[named.name] = at
            at += width(named.element)
    for param in tokens.values():
        if last.get(param.name, end) < end:
            yield from keys_of(found, param, last[param.name], last[param.name] + 1)


def keys_of(found: Command, param: Param, start: int, stop: int) -> Iterator[tuple[int, Flag]]:
    """The keys of one parameter that is written from *start* to *stop*."""
    parts = parts_of(param)
    for at in range(start, stop):
        part = parts[(at - start) % len(parts)]
        if isinstance(part, Row) and part.access is not None:
            writes = part.access == "write" and found.flags & Flag.WRITE
            yield at, Flag.WRITE if writes else Flag.READ


def key_flags(access: Flag) -> list[str]:
    return ["RW", "access", "update"] if access is Flag.WRITE else ["RO", "access"]
