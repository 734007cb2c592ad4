"""Messages to those who listen to a channel."""

from __future__ import annotations

from kv_server.engine.effects.zsets import ZsetEffects
from kv_server.engine.rows import MESSAGE

__all__ = ["ChannelEffects"]


class ChannelEffects(ZsetEffects):
    """What commands say to channels."""

    def message(self, channel: bytes, value: bytes, sharded: bool) -> None:
        """Send the value blob *value* to all who listen to *channel* once this transaction is over."""
        self.effects.append((MESSAGE, channel, value, sharded))
