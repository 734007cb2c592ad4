"""`kv top`: the server on the whole screen, drawn anew each second: what it does, for whom, and how long it takes."""

import locale
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic, strftime
from typing import Any, NamedTuple

from kv_client.shell._figures import Figures
from kv_client.shell._flags import count, flags, seconds, shown_bytes, shown_ms
from kv_client.shell._line import Line
from kv_client.shell._locks import asked_locks
from kv_client.shell._replies import bare, made
from kv_client.shell._table import WrongUse, table
from kv_client.shell._target import Target
from kv_protocol.errors import ConnectionLost, KvError
from kv_protocol.names import text

__all__ = ["top"]

_MOST_SPACES = 100  # namespaces that are asked for


class Tally(NamedTuple):
    """How often a command was called, the microseconds that took in all, and how many calls took how many at most."""

    calls: int
    spent_us: int
    scales: dict[int, int]

    def since(self, before: "Tally") -> "Tally":
        scales = {us: calls - before.scales.get(us, 0) for us, calls in self.scales.items()}
        return Tally(self.calls - before.calls, self.spent_us - before.spent_us, scales)

    def below(self, share: float) -> int:
        """The microseconds that so large a *share* of the calls did not exceed."""
        left = share * self.calls
        for us, calls in sorted(self.scales.items()):
            left -= calls
            if left <= 0:
                return us
        return 0


class Look(NamedTuple):
    """Everything that one picture shows."""

    figures: Figures
    commands: dict[str, Tally]
    spaces: list[dict[str, Any]]
    locks: list[dict[str, Any]]


def look_at(line: Line) -> Look:
    """Ask for all that is shown; what this user may not ask is left out."""
    figures = Figures.now(line)
    return Look(figures, _tallies(line), _spaces(line), _allowed(lambda: asked_locks(line)) or [])


def _tallies(line: Line) -> dict[str, Tally]:
    found = _allowed(lambda: line.call("LATENCY HISTOGRAM")) or {}
    tallies = {}
    for name, (calls, _, spent_us, histogram, *_) in found.items():
        scales, below = {}, 0
        for us, at_most in histogram:
            scales[us], below = at_most - below, at_most
        tallies[text(name)] = Tally(calls, spent_us, scales)
    return tallies


def _spaces(line: Line) -> list[dict[str, Any]]:
    names = _allowed(lambda: line.call("NAMESPACE LIST")) or []
    said = line.call_all(("NAMESPACE STATS", [name], None) for name in names[:_MOST_SPACES])
    form = table()["NAMESPACE STATS"]["reply"]["maybe"]
    found = [made(form, body) for body in said if body is not None and not isinstance(body, KvError)]
    return sorted(found, key=lambda space: -int(space["bytes"]))


def _allowed(ask: Callable[[], Any]) -> Any:
    """What *ask* returns; nothing where the server refuses it to this user."""
    try:
        return ask()
    except ConnectionLost:
        raise
    except KvError:
        return None


def top(words: Sequence[str], target: Target) -> int:
    """Draw until `q`."""
    parser = flags("top", "The server on the whole screen. q leaves.")
    parser.add_argument("--interval", type=seconds, default=1.0, help="seconds between pictures (%(default)s)")
    parser.add_argument("--count", type=count, help="leave after so many pictures")
    given = parser.parse_args(words)
    if given.json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongUse("top is for a terminal; kv stat writes lines, with --json JSON")
    import curses

    locale.setlocale(locale.LC_ALL, "")
    Line(target).close()  # whoever is not let in hears of it on an untouched screen
    try:
        curses.wrapper(_run, target, given.interval, given.count)
    except curses.error as error:
        raise WrongUse(f"this terminal cannot be drawn on: {error}") from None
    return 0


def _run(screen: Any, target: Target, interval: float, most: int | None) -> None:
    import curses

    with suppress(curses.error):  # not every terminal can
        curses.curs_set(0)
        curses.use_default_colors()
    line: Line | None = None
    before: Look | None = None
    shown = 0
    while most is None or shown < most:
        due = monotonic() + interval
        try:
            line = line or Line(target)
            look = look_at(line)
            lines = picture(target.address.place, look, before or look, *screen.getmaxyx())
            before = look
        except KvError as error:
            if line is not None:
                line.close()
            line = before = None
            lines = [f"kv top  {target.address.place}", "", f"{error}; trying again", "", "q leaves"]
        _draw(screen, lines)
        shown += 1
        if not _wait(screen, due):
            return


def _wait(screen: Any, due: float) -> bool:
    """Wait for the next picture; False if somebody wants no more."""
    import curses

    while True:  # keys are read even if the picture took all the time there was
        screen.timeout(max(1, int((due - monotonic()) * 1000)))
        key = screen.getch()
        if key in (ord("q"), ord("Q")):
            return False
        if key == curses.KEY_RESIZE:
            screen.clear()  # what the terminal made of the old picture is not known
            return True
        if monotonic() >= due:
            return True


def _draw(screen: Any, lines: list[str]) -> None:
    """Put *lines* on the screen; only what has changed is sent to the terminal."""
    import curses

    height, width = screen.getmaxyx()
    screen.erase()
    for row, line in enumerate(lines[:height]):
        heading = row == 0 or line.startswith(("COMMAND", "NAMESPACE", "LOCK"))
        screen.addnstr(row, 0, line, width - 1, curses.A_BOLD if heading else curses.A_NORMAL)
    screen.refresh()


def picture(place: str, look: Look, before: Look, height: int, width: int) -> list[str]:
    """The lines of one picture, no more than *height*."""
    figures = look.figures
    row = figures.row(before.figures)
    lines = [
        f"kv top  {place}  {figures.of('server', 'name') or 'kv-server'} {figures.of('server', 'version')}"
        f"  up {shown_ms(figures.of('clock', 'uptime_ms'))}  {strftime('%H:%M:%S')}  q leaves",
        f"calls/s  {row['calls_per_s']:>10,}   in {shown_bytes(row['bytes_in_per_s'])}/s   "
        f"out {shown_bytes(row['bytes_out_per_s'])}/s   lag {row['lag_ms']:.2f} ms",
        f"memory   {shown_bytes(row['memory']):>10}   most {shown_bytes(figures.of('process', 'most_memory'))}   "
        f"keys {row['keys']:,}   expired {figures.of('engine', 'expired_keys'):,}",
        f"clients  {row['clients']:>10,}   waiting calls {row['waiting']:,}   "
        f"sessions {figures.of('engine', 'sessions'):,}   locks {row['locks']:,}",
        "",
    ]
    room = max(2, (height - len(lines)) // 2 - 1)
    lines += _part(_commands(look, before), room, "no calls were counted by command")
    spaces = [
        [bare(space["namespace"]), f"{space['keys']:,}", f"{space['expiring']:,}", f"{space['locks']:,}",
         shown_bytes(space["bytes"])]
        for space in look.spaces
    ]  # fmt: skip
    locks = [
        [bare(lock["lock"]), bare(lock["owner"]), shown_ms(lock["age"]), str(lock["waiters"])] for lock in look.locks
    ]
    left = height - len(lines) - 1
    spaces_room = left if not locks else max(2, left - min(len(locks) + 2, left // 2))
    lines += _part([["NAMESPACE", "keys", "expiring", "locks", "memory"], *spaces], spaces_room, "there is nothing")
    if locks:
        lines += _part([["LOCK", "owner", "since", "waiting"], *locks], height - len(lines), "")
    return lines[:height]


def _commands(look: Look, before: Look) -> list[list[str]]:
    """The busiest commands first; times are those since the last picture where there were calls."""
    span = look.figures.at - before.figures.at
    rows = []
    for name, tally in look.commands.items():
        late = tally.since(before.commands.get(name, Tally(0, 0, {})))
        timed = late if late.calls > 0 else tally
        each = timed.spent_us / max(timed.calls, 1)
        rows.append((late.calls / span if span > 0 else 0.0, tally.calls, name, each, timed.below(0.99)))
    rows.sort(reverse=True)
    found = [
        [name.replace("|", " "), f"{rate:,.0f}", f"{calls:,}", f"{each:.1f} us", f"{p99} us"]
        for rate, calls, name, each, p99 in rows
    ]
    return [["COMMAND", "calls/s", "calls", "each", "99 of 100"], *found]


def _part(rows: list[list[str]], room: int, otherwise: str) -> list[str]:
    """A table of at most *room* lines and an empty one: the first column to the left, figures to the right."""
    shown = rows[: max(2, room)]
    widths = [max(len(row[at]) for row in shown) for at in range(len(shown[0]))]
    widths[0] = min(max(widths[0], 20), 32)
    lines = [
        "  ".join([row[0][: widths[0]].ljust(widths[0]), *(map(str.rjust, row[1:], widths[1:]))]).rstrip()
        for row in shown
    ]
    return [*lines, *([otherwise] if len(rows) == 1 else []), ""]
