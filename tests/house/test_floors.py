"""Imports point down, never up, never sideways; time, dice, sockets, files and tasks enter on two floors only."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.house.conftest import Module

FLOORS = {
    "spec": 1,
    "model": 2,
    "engine": 3,
    "commands": 4,
    "durability": 4,
    "replication": 4,
    "cluster": 4,
    "surfaces": 5,
    "net": 6,
    "app": 7,
    "testing": 8,
    "pytest_plugin": 8,
}
INDEPENDENT = ("commands", "durability", "replication", "cluster")
PACKAGES = {"kv_protocol": 0, "kv_server": 1, "kv_client": 1, "kv_pool": 2}
EDGES = ("kv_server.net", "kv_server.app", "kv_server.testing", "kv_server.pytest_plugin", "kv_client", "kv_pool")
INSIDE = ("kv_client._core", "kv_pool._config", "kv_pool._ledger")
FACES = {
    "trio": ("kv_client._trio", "kv_pool._trio"),
    "outcome": ("kv_client._trio",),
    "asyncio": ("kv_client.aio", "kv_pool.aio", "kv_client.shell"),
    "threading": ("kv_client.sync", "kv_pool.sync"),
}
BANNED = {
    "time": "take now_ms and elapsed_ms from the caller: net/ reads the clocks",
    "random": "use the dice you are handed (tx.dice, Start.dice); only the type random.Random may be imported",
    "secrets": "take the secret as an argument: app/ draws it",
    "uuid": "take the identity as an argument: app/ draws it",
    "socket": "work on bytes (receive_data, data_to_send): net/ owns the sockets",
    "select": "work on bytes: net/ owns the loop",
    "selectors": "work on bytes: net/ owns the loop",
    "os": "take the setting or the file's bytes as an argument: app/ reads the environment, net/ the disk",
    "pathlib": "take the file's bytes as an argument: net/ owns the disk",
    "subprocess": "nothing below net/ starts programs",
    "threading": "the engine is one thread; net/ owns the others",
    "asyncio": "nothing below net/ waits",
}
BANNED_CALLS = {
    "open": BANNED["pathlib"],
    "print": "return it, or raise; app/ talks to people",
    "input": "take it as an argument",
    "datetime.now": BANNED["time"],
    "datetime.utcnow": BANNED["time"],
    "datetime.today": BANNED["time"],
    "hash": "salted anew in each process: use kv_protocol.names.slot or a seeded hash",
}


def below(name: str, *floors: str) -> bool:
    """Whether the module *name* is one of *floors*, or inside one."""
    return any(name == floor or name.startswith(floor + ".") for floor in floors)


def is_edge(name: str) -> bool:
    return below(name, *EDGES) and not below(name, *INSIDE)


def test_imports_point_down(module: Module) -> None:
    room = (module.name.split(".") + [""])[1]
    floor = FLOORS.get(room, 0 if room == "" else 7)
    for line, target in module.imports():
        parts = target.split(".")
        if parts[0] != module.package or len(parts) < 3 or module.package != "kv_server":
            continue
        there = FLOORS[parts[1]]
        assert there <= floor, f"{module.name}:{line} imports {target}, which is above it"
        if there == floor:
            sideways = room != parts[1] and (room in INDEPENDENT or parts[1] in INDEPENDENT)
            assert not sideways, f"{module.name}:{line} imports {target}: rooms of one floor do not know each other"


def test_packages_know_only_what_is_below_them(module: Module) -> None:
    for line, target in module.imports():
        other = target.partition(".")[0]
        if other in PACKAGES and other != module.package:
            assert PACKAGES[other] < PACKAGES[module.package], f"{module.name}:{line} imports {target}"


def test_every_room_has_its_floor(modules: list[Module]) -> None:
    rooms = {module.name.split(".")[1] for module in modules if module.package == "kv_server" and "." in module.name}
    assert rooms - {"__main__"} <= FLOORS.keys()


def test_trio_only_at_the_edges(module: Module) -> None:
    if not is_edge(module.name):
        lines = [line for line, target in module.imports() if target.partition(".")[0] in ("trio", "anyio")]
        assert not lines, f"{module.name}:{lines}: trio belongs to net, app and the client's face"


def test_each_face_knows_its_own_way_to_wait_alone(module: Module) -> None:
    if module.package in ("kv_client", "kv_pool"):
        for line, target in module.imports():
            homes = FACES.get(target.partition(".")[0])
            assert homes is None or below(module.name, *homes), f"{module.name}:{line} imports {target}: {homes} do"


def test_nothing_waits_below_the_edges(module: Module) -> None:
    if not below(module.name, *EDGES):
        waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
        lines = [node.lineno for node in ast.walk(module.tree) if isinstance(node, waits)]
        assert not lines, f"{module.name}:{lines}: what is below net/ is synchronous"


def test_the_world_stays_outside(module: Module) -> None:
    if is_edge(module.name):
        return
    for line, target in module.imports():
        name = target.partition(".")[0]
        if name in BANNED and target != "random.Random":
            raise AssertionError(f"{module.name}:{line} imports {name}: {BANNED[name]}")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in BANNED_CALLS, f"{module.name}:{node.lineno} {called}(): {BANNED_CALLS[called]}"
            assert called != "Random" or node.args, f"{module.name}:{node.lineno} Random(): give it a seed"
