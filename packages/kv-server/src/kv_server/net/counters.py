"""What happened to all connections together."""

__all__ = ["Counters"]


class Counters:
    """What happened since the start."""

    __slots__ = (
        "accept_pauses", "accepted", "bytes_received", "bytes_sent", "not_secured", "overflowed", "refused",
        "timed_out",
    )  # fmt: skip

    def __init__(self) -> None:
        self.accepted = self.refused = self.overflowed = self.timed_out = self.not_secured = self.accept_pauses = 0
        self.bytes_received = self.bytes_sent = 0
