"""Both builds as processes that run scripts, and what differs in what became of these."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgpack import Unpacker, unpackb

from kv_protocol.frames import FrameReader
from tests.builds.scripts import Script, packed

ROOT = Path(__file__).resolve().parents[2]
PLAIN = [str(ROOT / "packages" / name / "src") for name in ("kv-protocol", "kv-server", "kv-client", "kv-pool")]
SIZES = re.compile(rb"\d[\d,]* bytes|(?<=has )\d[\d,]*")
"""What data takes is accounted for by what it takes in the build."""


def native_folder() -> Path | None:
    """Where the native build is, if there is one."""
    folder = Path(os.environ.get("NATIVE_BUILD") or ROOT / "build" / "native")
    return folder if any(folder.glob("kv_server/engine/*.so")) else None


class Build:
    """A worker process."""

    def __init__(self, *folders: str) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "KV_"))}
        environment |= {"PYTHONPATH": os.pathsep.join((*folders, str(ROOT))), "PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.builds.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT,
        )  # fmt: skip
        self._reader = Unpacker(
            raw=False, strict_map_key=False, max_buffer_size=1 << 30, unicode_errors="surrogateescape"
        )
        self.compiled: bool = self.take()["compiled"]

    def give(self, script: Script) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(packed(script))
        self._process.stdin.flush()

    def take(self) -> dict[str, Any]:
        """What became of the script that was given first."""
        assert self._process.stdout is not None
        while True:
            for found in self._reader:
                return found
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            if not data:
                raise RuntimeError(f"a worker ended with {self._process.wait()}")
            self._reader.feed(data)

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


FAR_MS: Final = 15 * 10**12


class Difference(NamedTuple):
    """What one build did and the other did not; *step* is where, none if it shows at the end."""

    script: Script
    step: int | None
    what: str
    plain: Any
    native: Any

    def __str__(self) -> str:
        shown = [f"{self.script.name}, {self.script.terms}: {self.what}"]
        last = len(self.script.steps) if self.step is None else self.step + 1
        shown += [f"  {at}: {str(step)[:600]}" for at, step in enumerate(self.script.steps[:last])]
        plain, native = repr(self.plain), repr(self.native)
        at = next((at for at, pair in enumerate(zip(plain, native, strict=False)) if pair[0] != pair[1]), 0)
        low = max(0, at - 200)
        return "\n".join([*shown, f"  plain:  ...{plain[low : at + 400]}", f"  native: ...{native[low : at + 400]}"])


class Twins:
    """The plain build and the native one."""

    def __init__(self, native: Path) -> None:
        self.plain = Build(*PLAIN)
        self.native = Build(str(native))
        self.calls = self.hurried = self.scripts = 0

    def compare(self, script: Script) -> Difference | None:
        """Run *script* in both."""
        self.plain.give(script)
        self.native.give(script)
        try:
            plain, native = self.plain.take(), self.native.take()
        except RuntimeError as error:
            raise RuntimeError(f"{script.name}: {error}") from None
        self.calls += plain["calls"]
        self.hurried += native["hurried"]
        self.scripts += 1
        return next(differences(script, plain, native), None)

    def shortened(self, found: Difference) -> Difference:
        """The same difference, with what it does not need left out."""
        size = max(1, len(found.script.steps) // 2)
        while size:
            at = 0
            while at < len(found.script.steps):
                steps = found.script.steps[:at] + found.script.steps[at + size :]
                again = self.compare(found.script._replace(steps=steps))
                if again is not None and again.what == found.what:
                    found = again
                else:
                    at += size
            size //= 2
        return found

    def end(self) -> None:
        self.plain.end()
        self.native.end()


def differences(script: Script, plain: dict[str, Any], native: dict[str, Any]) -> Iterator[Difference]:
    """What is not the same, and what went wrong in both."""
    for at, (step, ours, theirs) in enumerate(zip(script.steps, plain["steps"], native["steps"], strict=True)):
        sent, log, raised, revision, due = zip(ours, theirs, strict=True)
        way = step[3] if len(step) > 3 else ""
        if sent[0] != sent[1] and said(sent[0], way) != said(sent[1], way):
            yield Difference(script, at, "what was said", *sent)
        if raised[0] or raised[1]:
            yield Difference(script, at, "what was raised", *raised)
        for name, pair in (("rows of the log", log), ("revisions", revision), ("times", due)):
            if pair[0] != pair[1] and -1 not in pair and not (name == "times" and far(*pair)):
                yield Difference(script, at, name, *pair)
    for name in plain["whole"] | native["whole"]:
        pair = plain["whole"].get(name), native["whole"].get(name)
        if pair[0] != pair[1] or name == "failed":
            yield Difference(script, None, name, *pair)


def far(*due: int | None) -> bool:
    """Whether both have nothing to do for some centuries: compiled tables know deadlines up to the year 2527."""
    return all(each is not None and each > FAR_MS for each in due)


def said(sent: dict[int, bytes], way: str) -> dict[int, Any]:
    """What connections were told, without what is not the same in both builds: what data takes; and if the step says
    so, the order of keys (*way* is `sorted`), which key it is (`any`), all numbers (`sized`).
    """
    return {
        number: _of_frames(data, way) if data[:1] == b"\x00" else _of_lines(data, way) for number, data in sent.items()
    }


def _of_lines(data: bytes, way: str) -> Any:
    if way == "any":
        return data.count(b"\r\n")
    if way == "sized":
        return re.sub(rb"[\d.]+[BKMG]?", b"#", data)
    data = SIZES.sub(b"? bytes", data)
    return sorted(data.split(b"\r\n")) if way == "sorted" else data


def _of_frames(data: bytes, way: str) -> Any:
    reader = FrameReader(1 << 30)
    bodies = reader.feed(data.removesuffix(b"<closed>"))
    replies = [_told(unpackb(body, raw=True, strict_map_key=False), way) for body in bodies]
    return replies, reader.held, data.endswith(b"<closed>")


def _told(reply: list[Any], way: str) -> Any:
    """One message: a failure for want of room without its figures."""
    if reply[1] == 2:
        return [*reply[:2], reply[2][0], SIZES.sub(b"? bytes", reply[2][1]), sorted(reply[2][2])]
    if way == "sized":
        return re.sub(r"\d+", "#", repr(reply[2]))
    if way == "any":
        return [*reply[:2], reply[2] is None]
    return [*reply[:2], sorted(reply[2], key=repr)] if way == "sorted" and isinstance(reply[2], list) else reply
