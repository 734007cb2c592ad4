"""What it costs to be looked at: the same load on a server with users, metrics that are fetched and slow calls, and on
one without. Keeps the table in README.md.

    watched.py [--rounds N] [--seconds S] [--native DIR] [--check]
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

import builds
from figures import as_markdown
from generator import generator
from pages import replace
from processes import free_port, kv

OPERATIONS: Final = ("get", "set", "incr")
PIPELINES: Final = (1, 16, 64)
DOORS: Final = ("native", "resp")
FLOOR: Final = 1.05
EVERY_S: Final = 5.0
BARE: Final = ("--slow-log-threshold", "off")
USERS: Final = """\
user default on nopass ~* &* +@all -@dangerous
user ada on nopass ~ada:* %R~shared:* &news ns=shop +@read +@write
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="watched.py", description="Measure what users, metrics and slow calls cost.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--check", action="store_true", help="fail if a floor is missed")
    parser.add_argument("--native", metavar="DIR", help="the build to measure, as for run.py")
    options = parser.parse_args()
    build = builds.native(options.native)
    spent: dict[tuple[str, str, int, bool], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        users = Path(folder) / "users"
        users.write_text(USERS)
        users.chmod(0o600)
        port = free_port()
        load = stack.enter_context(generator())
        watched = stack.enter_context(kv("--users", str(users), "--http", f"127.0.0.1:{port}", build=build))
        servers = {False: stack.enter_context(kv(*BARE, build=build)), True: watched}
        for server in servers.values():
            load.fill(server)
            load.fill(server, "incr")
        stack.enter_context(fetched(f"http://127.0.0.1:{port}/metrics"))
        for number in range(options.rounds):
            print(f"== round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
            for operation in OPERATIONS:
                for pipeline in PIPELINES:
                    for door in DOORS:
                        for looked_at in (False, True) if number % 2 else (True, False):
                            server = servers[looked_at]
                            figures = load.run(server, door, operation, pipeline, options.seconds).figures()
                            spent.setdefault((operation, door, pipeline, looked_at), []).append(figures["cpu_us"])
    rows, short = [], []
    for operation, door, pipeline, looked_at in spent:
        if looked_at:
            continue
        bare, seen = (median(spent[operation, door, pipeline, which]) for which in (False, True))
        rows.append((f"{operation.upper()} P{pipeline}, {door}", f"{bare:.2f}", f"{seen:.2f}", f"{seen / bare:.3f}"))
        short += [rows[-1]] if seen / bare > FLOOR else []
    table = as_markdown(("CPU, µs an operation", "bare", "looked at", "ratio"), rows)
    print(table)
    replace("watched", f"{build.version()}.\n\n{table}")
    return 1 if options.check and short else 0


@contextlib.contextmanager
def fetched(url: str) -> Iterator[None]:
    """Fetch *url* now and then for as long as the block runs."""
    done = threading.Event()

    def fetch() -> None:
        while not done.wait(EVERY_S):
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert re.search(rb"^kv_\w+", answer.read(), re.M)

    thread = threading.Thread(target=fetch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
