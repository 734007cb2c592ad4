"""A held lock. A lock that nobody holds does not exist."""

__all__ = ["Lock"]


class Lock:
    """Who holds it, under which token, until when on the server's own monotonic clock."""

    __slots__ = ("granted_ms", "owner", "renewals", "session", "token", "until_ms")

    def __init__(self, token: int, session: int, owner: str, granted_ms: int, until_ms: int) -> None:
        self.token = token
        self.session = session
        self.owner = owner
        self.granted_ms = granted_ms
        self.until_ms = until_ms
        self.renewals = 0

    def copy(self) -> "Lock":
        twin = Lock(self.token, self.session, self.owner, self.granted_ms, self.until_ms)
        twin.renewals = self.renewals
        return twin
