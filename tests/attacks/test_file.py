"""The file of users while the server runs: read again on SIGHUP, whole or not at all."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.app.program import running
from tests.redis.client import Connection

OPEN = "user default off\nuser ada on nopass +@all ~*\n"


def test_a_hang_up_reads_users_again_or_leaves_them(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text(OPEN + "user eve on nopass +@all ~*\n")
    users.chmod(0o600)
    with running("--users", str(users), "--log-level", "warning") as server:
        eve, ada = Connection(server.port), Connection(server.port)
        assert ada.call(b"GET", b"k").value.startswith(b"NOAUTH")
        assert eve.call(b"AUTH", b"eve", b"x").value == ada.call(b"AUTH", b"ada", b"x").value == b"OK"
        users.write_text("nonsense\n")
        assert b":1: a line begins with" in ada.call(b"ACL", b"LOAD").value
        assert eve.call(b"PING").value == b"PONG"
        users.write_text(OPEN)
        server.signal(signal.SIGHUP)
        assert eve.arrived(10)[-1].kind == "closed"
        assert ada.call(b"ACL", b"USERS").value is not None
        eve.close()
        ada.close()
