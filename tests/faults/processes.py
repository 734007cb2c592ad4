"""What the tests of this folder know of the server they run against."""

from typing import NamedTuple


class Server(NamedTuple):
    """A running server process."""

    pid: int
    port: int

    def url(self, namespace: str, port: int | None = None) -> str:
        return f"kv://127.0.0.1:{port or self.port}/{namespace}"
