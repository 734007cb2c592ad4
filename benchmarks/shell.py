"""How much longer one command of the shell `kv` takes than a Python that does nothing: `python benchmarks/shell.py`.

A process each, in turn, against a server on this machine; fails if the median is more than the budget above Python's.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Final

from processes import LOAD, kv, pinned

BUDGET_MS: Final = 60.0
ROUNDS: Final = 40


def main() -> int:
    with kv() as server:
        words = [sys.executable, "-m", "kv_client.shell", "--url", f"kv://127.0.0.1:{server.port}"]
        subprocess.run([*words, "set", "x", "5"], check=True, stdout=subprocess.DEVNULL)
        programs = {"python": [sys.executable, "-c", "pass"], "kv get": [*words, "get", "x"]}
        spent: dict[str, list[float]] = {name: [] for name in programs}
        with pinned(LOAD):
            for _ in range(ROUNDS):
                for name, program in programs.items():
                    spent[name].append(milliseconds(program))
    for name, times in spent.items():
        print(f"{name:<8} median {median(times):6.1f} ms   least {min(times):6.1f} ms")
    more = median(spent["kv get"]) - median(spent["python"])
    print(f"more     median {more:6.1f} ms   budget {BUDGET_MS:.0f} ms")
    return int(more > BUDGET_MS)


def milliseconds(program: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(program, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    sys.exit(main())
