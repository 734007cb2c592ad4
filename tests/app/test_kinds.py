"""Kinds of settings: what may be written, in text and in TOML, and that what is shown can be read again."""

from __future__ import annotations

from typing import Any

import pytest

from kv_server.app.kinds import ADDRESSES, FLAG, Kind, choice, power_of_two, size, span, whole
from kv_server.net.address import Address

WHOLE = whole(1, 1000)
POWER = power_of_two(16_384)
SIZE = size(1024, 1 << 30)
SPAN = span(0, 3_600_000)
CHOICE = choice("debug", "info")


@pytest.mark.parametrize(
    "kind, given, value",
    [
        (WHOLE, "7", 7),
        (WHOLE, 7, 7),
        (POWER, "1", 1),
        (POWER, 16_384, 16_384),
        (SIZE, "1024", 1024),
        (SIZE, 2048, 2048),
        (SIZE, "64KiB", 65_536),
        (SIZE, "64 kib", 65_536),
        (SIZE, "1GiB", 1 << 30),
        (SPAN, "5", 5000),
        (SPAN, 5, 5000),
        (SPAN, 2.5, 2500),
        (SPAN, "2.5s", 2500),
        (SPAN, "500ms", 500),
        (SPAN, "10m", 600_000),
        (SPAN, "1h", 3_600_000),
        (SPAN, 0, 0),
        (CHOICE, "INFO", "info"),
        (FLAG, "true", True),
        (FLAG, "1", True),
        (FLAG, True, True),
        (FLAG, "no", False),
        (FLAG, False, False),
        (ADDRESSES, "127.0.0.1:1", (Address("127.0.0.1", 1),)),
        (ADDRESSES, "127.0.0.1:1, [::1]:2", (Address("127.0.0.1", 1), Address("::1", 2))),
        (ADDRESSES, ["127.0.0.1:1", "unix:/x"], (Address("127.0.0.1", 1), Address(path="/x"))),
    ],
)
def test_a_setting_is_read_and_what_is_shown_is_read_again(kind: Kind, given: object, value: Any) -> None:
    assert kind.read(given) == value
    assert kind.read(kind.show(value)) == value


@pytest.mark.parametrize(
    "kind, given, reason",
    [
        (WHOLE, "", "from 1 to 1000"),
        (WHOLE, "0", "from 1 to 1000"),
        (WHOLE, 1001, "from 1 to 1000"),
        (WHOLE, "-1", "whole"),
        (WHOLE, "1_0", "whole"),
        (WHOLE, " 1", "whole"),
        (WHOLE, "\u0661", "whole"),
        (WHOLE, True, "whole"),
        (WHOLE, 1.0, "whole"),
        (WHOLE, "9" * 5000, "whole"),
        (WHOLE, [1], "whole"),
        (POWER, 3, "power of two"),
        (POWER, "0", "power of two"),
        (POWER, 32_768, "power of two"),
        (POWER, "x", "power of two"),
        (SIZE, "1023", "from 1KiB to 1GiB"),
        (SIZE, "2GiB", "from 1KiB"),
        (SIZE, "64KB", "a size such"),
        (SIZE, 2048.0, "a size such"),
        (SIZE, "1.5MiB", "a size such"),
        (SIZE, True, "a size such"),
        (SPAN, "-1", "a time such"),
        (SPAN, "5d", "a time such"),
        (SPAN, "2h", "from 0s to 3600s"),
        (SPAN, float("nan"), "a time such"),
        (SPAN, 1e300, "a time such"),
        (SPAN, True, "a time such"),
        (CHOICE, "loud", "one of debug, info"),
        (CHOICE, 5, "one of"),
        (FLAG, "maybe", "true or false"),
        (FLAG, 1.0, "true or false"),
        (ADDRESSES, [], "an address"),
        (ADDRESSES, 5, "an address"),
        (ADDRESSES, [5], "an address"),
        (ADDRESSES, "", "host is missing"),
    ],
)
def test_anything_else_is_refused_with_what_must_be_written(kind: Kind, given: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        kind.read(given)
