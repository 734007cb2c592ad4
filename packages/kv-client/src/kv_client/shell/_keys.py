"""`kv scan` and `kv bigkeys`: a walk over the keys of a namespace, a page at a time, so that nobody waits for it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nlargest
from typing import Any

from kv_client.shell._flags import count, flags, shown_bytes
from kv_client.shell._line import Line
from kv_client.shell._notation import written
from kv_client.shell._replies import bare, columns, write_line, write_lines
from kv_client.shell._target import Target
from kv_protocol.errors import KvError
from kv_protocol.names import text, wire

__all__ = ["bigkeys", "pages", "scan"]


def pages(line: Line, match: str | None, kind: str | None, size: int) -> Iterator[list[str]]:
    """The keys of the namespace, page by page."""
    options: dict[str, Any] = {"count": size}
    if match is not None:
        options["match"] = wire(match)
    if kind is not None:
        options["type"] = kind
    cursor = 0
    while True:
        cursor, keys = line.call("SCAN", [cursor], options)
        yield [text(key) for key in keys]
        if not cursor:
            return


def scan(words: Sequence[str], target: Target) -> int:
    """Write the keys of the namespace as they are found."""
    parser = flags("scan", "Write the keys of the namespace, one a line, in no order.")
    parser.add_argument("pattern", nargs="?", help="a glob: user:*")
    parser.add_argument("--type", help="only keys that hold this: str, int, hash, list, ...")
    parser.add_argument("--count", type=count, help="stop after so many")
    parser.add_argument("--page", type=count, default=1000, help="keys looked at in one call (%(default)s)")
    given = parser.parse_args(words)
    left = given.count
    with Line(target) as line:
        for keys in pages(line, given.pattern, given.type, given.page):
            shown = keys if left is None else keys[:left]
            write_lines(map(written, shown) if given.json else shown)
            if left is not None:
                left -= len(keys)
                if left <= 0:
                    break
    return 0


class Found:
    """What was seen of the keys of one type."""

    def __init__(self) -> None:
        self.keys = 0
        self.bytes = 0
        self.largest = ("", 0)

    def add(self, key: str, size: int) -> None:
        self.keys += 1
        self.bytes += size
        if size > self.largest[1]:
            self.largest = (key, size)


def bigkeys(words: Sequence[str], target: Target) -> int:
    """Tell which keys take most memory."""
    parser = flags(
        "bigkeys", "Look at every key of the namespace: how many of each type, how large, which are largest."
    )
    parser.add_argument("--match", help="only keys that fit this glob: user:*")
    parser.add_argument("--top", type=count, default=10, help="how many of the largest to list (%(default)s)")
    given = parser.parse_args(words)
    types: dict[str, Found] = {}
    largest: list[tuple[int, str, str]] = []
    with Line(target) as line:
        for keys in pages(line, given.match, None, 500):
            measured = list(_measured(line, keys))
            for key, kind, size in measured:
                types.setdefault(kind, Found()).add(key, size)
            largest = nlargest(given.top, [*largest, *((size, key, kind) for key, kind, size in measured)])
    if given.json:
        write_line(written(_document(types, largest)))
        return 0
    if not types:
        write_line("(no keys)")
        return 0
    by_size = sorted(types.items(), key=lambda item: -item[1].bytes)
    rows = [
        [kind, str(found.keys), shown_bytes(found.bytes), shown_bytes(found.bytes / found.keys), bare(found.largest[0])]
        for kind, found in by_size
    ]
    top = [[shown_bytes(size), kind, bare(key)] for size, key, kind in largest]
    table = columns([["type", "keys", "memory", "each", "largest"], *rows])
    for row in [*table, "", *columns([["memory", "type", "key"], *top])]:
        write_line(row)
    return 0


def _measured(line: Line, keys: list[str]) -> Iterator[tuple[str, str, int]]:
    """Key, type, bytes of those that are still there."""
    names = [wire(key) for key in keys]
    answers = line.call_all((word, [name], None) for name in names for word in ("TYPE", "MEMORY USAGE"))
    for error in answers:
        if isinstance(error, KvError):
            raise error
    for key, kind, size in zip(keys, answers[::2], answers[1::2], strict=True):
        if kind is not None and size is not None:
            yield key, text(kind), size


def _document(types: dict[str, Found], largest: list[tuple[int, str, str]]) -> dict[str, Any]:
    counted = Counter({kind: found.bytes for kind, found in types.items()})
    by_type = {
        kind: {"keys": types[kind].keys, "bytes": size, "largest": types[kind].largest[0]}
        for kind, size in counted.most_common()
    }
    return {"types": by_type, "largest": [{"key": key, "type": kind, "bytes": size} for size, key, kind in largest]}
