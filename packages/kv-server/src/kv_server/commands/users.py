"""Users: what they may do, by rules; who calls, and as whom. In the words of Redis's ACL on both doors."""

from __future__ import annotations

from typing import Annotated, Any

from kv_protocol.errors import InvalidArgument
from kv_protocol.names import text
from kv_protocol.types import UserInfo
from kv_server.engine.access.changes import delete_users, set_user
from kv_server.engine.access.rules import words_of
from kv_server.engine.access.user import ALL, Selector
from kv_server.engine.engine import Caller
from kv_server.engine.node import Node
from kv_server.spec.catalog import command
from kv_server.spec.categories import CATEGORIES
from kv_server.spec.checks import text_int
from kv_server.spec.command import ADMIN, ALONE, BLOCKS, FAST, NATIVE_DOOR, READ, RESP_DOOR, SLOW
from kv_server.spec.resp_kinds import OK, Members, Simple
from kv_server.spec.types import OPTIONAL, Name, Octets, Secret, Text

_MOST_BITS = 4096


@command(READ | FAST, group="server", since="0.1", cost="O(1)", name="ACL WHOAMI", method="whoami")
def acl_whoami(session: Caller, /) -> str:
    """Return the name of the user that calls."""
    login = session.session.login
    return "default" if login is None else login.user


@command(READ | ADMIN, group="server", since="0.1", cost="O(users)", name="ACL USERS", method="users")
def acl_users(node: Node, /) -> list[str]:
    """Return the names of all users."""
    return sorted(node.engine.access.table.users)


@command(READ | ADMIN, group="server", since="0.1", cost="O(users)", name="ACL LIST", doors=RESP_DOOR, method=None)
def acl_list(node: Node, /) -> list[bytes]:
    """Return the users, each as the rules that make it. Of passwords they have hashes."""
    users = node.engine.access.table.users
    return [words_of(users[name]) for name in sorted(users)]


@command(
    READ | ADMIN, group="server", since="0.1", cost="O(rules)", name="ACL GETUSER", doors=NATIVE_DOOR, method="user"
)
def acl_getuser(node: Node, name: Name, /) -> UserInfo | None:
    """Return what there is to know about a user; nothing if there is none of that name."""
    user = node.engine.access.table.users.get(text(name))
    if user is None:
        return None
    rules = [rule.decode("utf-8", "surrogateescape") for rule in user.rules() if rule[:1] != b"#"]
    return UserInfo(user.name, user.on, user.nopass, len(user.passwords), rules)


@command(READ | ADMIN, group="server", since="0.1", cost="O(rules)", name="ACL GETUSER", doors=RESP_DOOR, method=None)
def acl_getuser_on_resp(node: Node, name: Octets, /) -> object:
    """Return what there is to know about a user; nothing if there is none of that name."""
    user = node.engine.access.table.users.get(text(name))
    if user is None:
        return None
    shown: dict[str, Any] = {"flags": Members(user.flags), "passwords": list(user.passwords)}
    return shown | described(user.root) | {"selectors": [described(each) for each in user.selectors]}


@command(
    READ | ADMIN | BLOCKS, group="server", since="0.1", cost="O(rules), and a slow hash for each password",
    name="ACL SETUSER", doors=NATIVE_DOOR, method="set_user",
)  # fmt: skip
def acl_setuser(session: Caller, name: Name, /, *rules: Annotated[Secret, OPTIONAL]) -> None:
    """Change a user by *rules*, in their order, or make one: `on`, `>password`, `~pattern`, `+@category`, `ns=pattern`.

    A user who may do less from here on loses at once what waits, and, with its password, its connections.
    """
    return change_user(session, name, rules, None)  # type: ignore[no-any-return]


@command(
    READ | ADMIN | BLOCKS | ALONE, group="server", since="0.1", cost="O(rules), and a slow hash for each password",
    name="ACL SETUSER", doors=RESP_DOOR, method=None,
)  # fmt: skip
def acl_setuser_on_resp(session: Caller, name: Octets, /, *rules: Annotated[Secret, OPTIONAL]) -> object:
    """Change a user by rules, in their order, or make one."""
    return change_user(session, name, rules, OK)


@command(
    READ | ADMIN | BLOCKS | ALONE, group="server", since="0.1", cost="O(sessions)", name="ACL DELUSER",
    doors=NATIVE_DOOR, method="delete_users",
)  # fmt: skip
def acl_deluser(session: Caller, /, *names: Name) -> int:
    """Delete users, with their tokens and connections, and return how many there were."""
    return remove_users(session, names)


@command(
    READ | ADMIN | BLOCKS | ALONE, group="server", since="0.1", cost="O(sessions)", name="ACL DELUSER",
    doors=RESP_DOOR, method=None,
)  # fmt: skip
def acl_deluser_on_resp(session: Caller, /, *names: Octets) -> int:
    """Delete users, with their tokens and connections, and return how many there were."""
    return remove_users(session, names)


@command(READ, group="server", since="0.1", cost="O(commands)", name="ACL CAT", doors=NATIVE_DOOR, method="categories")
def acl_cat(node: Node, category: Text | None = None, /) -> list[str]:
    """Return the categories of commands, or the commands of one."""
    return in_category(node, category)


@command(READ, group="server", since="0.1", cost="O(commands)", name="ACL CAT", doors=RESP_DOOR, method=None)
def acl_cat_on_resp(node: Node, category: Octets | None = None, /) -> list[str]:
    """Return the categories of commands, or the commands of one."""
    return in_category(node, None if category is None else category.decode("utf-8", "replace"))


@command(READ, group="server", since="0.1", cost="O(1)", name="ACL GENPASS", doors=RESP_DOOR, method=None)
def acl_genpass(node: Node, bits: Octets | None = None, /) -> str:
    """Return a password that nobody guesses, of 256 bits or as many as asked for, in hexadecimal digits."""
    count = 256
    if bits is not None:
        try:
            count = text_int(bits, 1, _MOST_BITS)
        except InvalidArgument:
            raise InvalidArgument(
                "ACL GENPASS argument must be the number of bits for the output password, "
                f"a positive number up to {_MOST_BITS}"
            ) from None
    digits = (count + 3) // 4
    return node.engine.dice.randbytes((digits + 1) // 2).hex()[:digits]


@command(
    READ | ADMIN | SLOW | BLOCKS | ALONE, group="server", since="0.1", cost="O(users)", name="ACL SAVE",
    doors=RESP_DOOR, method=None,
)  # fmt: skip
def acl_save(session: Caller, /) -> Simple:
    """Write users and tokens to their file, as they are: every change is written anyway."""
    reply: Simple = session.promise(session.engine.access.save, lambda _: OK)
    return reply


@command(
    READ | ADMIN | SLOW | BLOCKS | ALONE, group="server", since="0.1", cost="O(users + sessions)", name="ACL LOAD",
    doors=RESP_DOOR, method=None,
)  # fmt: skip
def acl_load(session: Caller, /) -> Simple:
    """Read users and tokens from their file, all of it or, if a line is wrong, nothing."""
    reply: Simple = session.promise(session.engine.access.load, lambda _: OK)
    return reply


def change_user(session: Caller, name: bytes, rules: tuple[bytes, ...], reply: object) -> Any:
    access, author = session.engine.access, session.session
    return session.promise(lambda told: set_user(access, name, rules, author, told), lambda _: reply)


def remove_users(session: Caller, names: tuple[bytes, ...]) -> int:
    access, author = session.engine.access, session.session
    count: int = session.promise(lambda told: delete_users(access, names, author, told), lambda count: count)
    return count


def in_category(node: Node, category: str | None) -> list[str]:
    if category is None:
        return list(CATEGORIES)
    if category.lower() not in CATEGORIES:
        raise InvalidArgument(f"Unknown category '{category}'")
    catalog = node.engine.catalog
    words = dict.fromkeys((*catalog.words.items(), *catalog.commands.items()))
    found = (word for word, entry in words if category.lower() in entry.acl)
    return list(dict.fromkeys(word.decode().lower().replace(" ", "|") for word in found))


def described(selector: Selector) -> dict[str, Any]:
    """A selector as Redis shows it; its namespaces if they are not all."""
    shown = {
        "commands": b" ".join(selector.command_rules),
        "keys": b" ".join(selector.key_rules),
        "channels": b" ".join(selector.channel_rules),
    }
    return shown if selector.namespaces == (ALL,) else shown | {"namespaces": b" ".join(selector.namespace_rules)}
