"""The file of settings while the server runs: SIGHUP reads budgets and limits of namespaces again, or leaves them."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.app.program import Running, running
from tests.redis.client import Connection


def reloaded(server: Running, sign: str) -> str:
    """The line about it that has *sign* in it."""
    server.signal(signal.SIGHUP)
    assert server.process.stderr is not None
    while sign not in (line := server.process.stderr.readline()):
        assert line
    return line


def test_a_hang_up_reads_limits_again_or_leaves_them(tmp_path: Path) -> None:
    file = tmp_path / "kv.toml"
    file.write_text("[namespaces.0]\nkeys = 2\n")
    with running("--config", str(file)) as server:
        line = Connection(server.port)
        assert [line.call(b"SET", b"key %d" % number, b"x").value for number in range(2)] == [b"OK", b"OK"]
        assert line.call(b"SET", b"third", b"x").value.startswith(b"QUOTA ")
        file.write_text("[namespaces.0]\nkeys = 'many'\n")
        assert "keys" in reloaded(server, "were not read again what=budgets")
        assert line.call(b"SET", b"third", b"x").value.startswith(b"QUOTA ")
        file.write_text('max_memory = "1GiB"\n\n[namespaces.0]\nkeys = 3\n')
        reloaded(server, "were read again what=budgets")
        assert line.call(b"SET", b"third", b"x").value == b"OK"
        assert line.call(b"CONFIG", b"GET", b"maxmemory").value[1].value == b"1073741824"
        line.close()
