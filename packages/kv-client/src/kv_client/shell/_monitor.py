"""`kv monitor`: every call of the server, as it comes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from kv_client.shell._flags import count, flags
from kv_client.shell._line import Line
from kv_client.shell._notation import written
from kv_client.shell._replies import bare, write_line
from kv_client.shell._target import Target
from kv_protocol.names import text
from kv_protocol.types import Seen

__all__ = ["monitor"]

_WINDOW: Final = 1_024  # events that the server may send before we ask for more


def monitor(words: Sequence[str], target: Target) -> int:
    """Write a line for each call, until interrupted."""
    parser = flags("monitor", "Write every call as it comes: time, namespace, address, words. Ends with Ctrl-C.")
    parser.add_argument("--count", type=count, help="stop after so many")
    given = parser.parse_args(words)
    shown = 0
    with Line(target) as line:
        for body in line.events("MONITOR", _WINDOW):
            seen = Seen(*body[: len(Seen._fields)])
            if seen.kind == "open":
                continue
            write_line(written(_document(seen)) if given.json else _shown(seen))
            shown += 1
            if shown == given.count:
                break
    return 0


def _document(seen: Seen) -> dict[str, Any]:
    return {**seen._asdict(), "words": [text(word) for word in seen.words]}


def _shown(seen: Seen) -> str:
    when = datetime.fromtimestamp(seen.time / 1000).isoformat(sep=" ", timespec="milliseconds")
    if seen.kind == "gap":
        return f"{when} {seen.missed} calls are not shown: they came faster than they were read"
    who = " ".join(filter(None, (seen.address, bare(text(seen.client)) if seen.client else "")))
    return f"{when} [{bare(text(seen.namespace))} {who}] {' '.join(bare(text(word)) for word in seen.words)}"
