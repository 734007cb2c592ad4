"""`kv locks`: who holds which lock, since when, and who waits for it; and a way to take a lock from its holder."""

from collections.abc import Sequence
from typing import Any

from kv_client.shell._flags import flags, shown_ms
from kv_client.shell._line import Line
from kv_client.shell._notation import written
from kv_client.shell._replies import bare, columns, made, write_line
from kv_client.shell._table import WrongUse, table
from kv_client.shell._target import Target
from kv_protocol.names import wire

__all__ = ["locks", "table_of_locks"]


def locks(words: Sequence[str], target: Target) -> int:
    """Write a line for each hold, or break a lock."""
    parser = flags("locks", "List the locks of the namespace: who holds them, since when, how many wait.")
    parser.add_argument("--break", dest="name", metavar="NAME", help="take the lock from whoever holds it")
    parser.add_argument("--force", action="store_true", help="really: its holder is told that the lock is lost")
    given = parser.parse_args(words)
    with Line(target) as line:
        if given.name is None:
            held = asked_locks(line)
            for row in [written(lock) for lock in held] if given.json else table_of_locks(held) or ["(no locks)"]:
                write_line(row)
            return 0
        if not given.force:
            raise WrongUse(
                f"--break {given.name} takes the lock from its holder, who may be in the middle: add --force"
            )
        broken = line.call("BREAK", [wire(given.name)])
    write_line(written(broken) if given.json else "broken" if broken else "nobody held it")
    return 0 if broken else 1


def asked_locks(line: Line) -> list[dict[str, Any]]:
    """What the server says of the locks of the namespace."""
    held: list[dict[str, Any]] = made(table()["LOCKS"]["reply"], line.call("LOCKS"))
    return held


def table_of_locks(held: list[dict[str, Any]]) -> list[str]:
    """The lines of a table of *held* locks; none if there are none."""
    rows = [
        [
            bare(lock["lock"]), _kind(lock["limit"]), bare(lock["owner"]), shown_ms(lock["age"]),
            shown_ms(lock["remaining"]), str(lock["renewals"]), str(lock["waiters"]), str(lock["token"]),
        ]
        for lock in held
    ]  # fmt: skip
    heading = ["lock", "kind", "owner", "since", "left", "renewed", "waiting", "token"]
    return columns([heading, *rows]) if rows else []


def _kind(limit: Any) -> str:
    return "alone" if limit == 1 else f"1 of {limit}" if isinstance(limit, int) else "shared"
