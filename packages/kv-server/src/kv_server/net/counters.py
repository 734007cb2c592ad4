"""What happened to all connections together."""

__all__ = ["Counters"]


class Counters:
    """What happened since the start; and how many connections have spoken in this millisecond, in `spoke`, and in one
    of the last few, in `speaking`.
    """

    __slots__ = (
        "accept_pauses", "accepted", "bytes_received", "bytes_sent", "not_secured", "overflowed", "refused", "speaking",
        "spoke", "timed_out",
    )  # fmt: skip

    def __init__(self) -> None:
        self.accepted = self.refused = self.overflowed = self.timed_out = self.not_secured = self.accept_pauses = 0
        self.bytes_received = self.bytes_sent = 0
        self.spoke = self.speaking = 0

    def pass_ms(self, passed_ms: int) -> None:
        """So many milliseconds have passed, at least one."""
        self.speaking, self.spoke = self.spoke // passed_ms, 0
