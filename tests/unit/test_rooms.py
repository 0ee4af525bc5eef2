"""The walls of the house: who may import whom, where foreign libraries may be used, what a pure room may not touch.

Read from the source by `ast`, nothing is imported. docs/architecture.md states the rules; this holds them.
"""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]

MAY_IMPORT = {
    "objects": set(),
    "differ": {"objects"},
    "policies": {"objects"},
    "hosts": {"differ", "policies", "objects"},
    "sources": {"differ", "policies", "objects"},
    "reconciler": {"sources", "hosts", "differ", "policies", "objects"},
}
ROOMS = set(MAY_IMPORT)
PURE_ROOMS = {"objects", "differ", "policies"}

PART_ORDER = {
    "differ": "kubelet redaction documents",
    "sources": "errors words yaml edit git reading",
    "hosts": "ssh docker streams probes measure network volumes observe runtime simulated",
    "reconciler": (
        "state figures controllers assigning publishing core"
        " queries charge status desired editing workers plan process cli"
    ),
}
"""Room -> its parts; one may import those before it. In a room that is not named here only circles are forbidden."""
BRAIN = tuple(f"reconciler.{part}" for part in ("state", "figures", "controllers", "assigning", "publishing", "core"))
"""The parts of `reconciler` that decide: pure like the pure rooms, and without `hosts` and `sources`."""
MODULES_AT_ONE_LEVEL = 16
"""More than that, and a folder is to be divided. What is a list by nature is named in `LISTS`."""
LISTS = {"reconciler.cli.verbs", "reconciler.cli.common"}

EDGES = {
    "git": "sources",
    "gitdb": "sources",
    "paramiko": "hosts",
    "docker": "hosts",
    "requests": "hosts",
    "urllib3": "hosts",
}
"""Foreign library -> the one room that may know it."""
SINGLE_MODULE_EDGES = ("apscheduler",)
"""Foreign libraries that exactly one module of `reconciler` may know."""

IMPURE = {
    "asyncio", "concurrent", "http", "io", "logging", "multiprocessing", "os", "pathlib", "secrets", "select", "shutil",
    "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
}  # fmt: skip
"""Standard modules that bring a clock, randomness, I/O or threads."""
PURE_PARTS = {"urllib.parse"}
IMPURE_CALLS = {
    "open",
    "input",
    "print",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "uuid.uuid1",
    "uuid.uuid4",
}
FROM_RANDOM = {"Random"}


class Use(NamedTuple):
    """An import, wherever in the module it stands. names: what is taken from it, empty for `import module`."""

    module: str
    names: tuple[str, ...]
    line: int


class Module(NamedTuple):
    """name: dotted; room: its first part; uses: its imports."""

    name: str
    room: str
    tree: ast.Module
    uses: tuple[Use, ...]


@cache
def read_modules() -> list[Module]:
    """Read when the first test asks: each worker of a parallel run imports this module, one runs it."""
    modules = []
    for room in sorted(ROOMS):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
            modules.append(Module(name, room, tree, tuple(uses(tree))))
    return modules


def uses(tree: ast.AST) -> Iterator[Use]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Use(alias.name, (), node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Use(node.module or "", tuple(alias.name for alias in node.names), node.lineno)


def top(module: str) -> str:
    return module.split(".")[0]


def forbidden_imports(module: Module) -> list[str]:
    allowed = MAY_IMPORT[module.room] | {module.room}
    return [
        f"{module.name}:{use.line} imports {use.module}"
        for use in module.uses
        if (top(use.module) in ROOMS and top(use.module) not in allowed) or top(use.module) == "tests"
    ]


def foreign_imports(module: Module) -> list[str]:
    return [
        f"{module.name}:{use.line} imports {use.module}, which belongs to {EDGES[top(use.module)]}"
        for use in module.uses
        if EDGES.get(top(use.module), module.room) != module.room
    ]


def impurities(module: Module) -> list[str]:
    found = [f"{module.name}:{use.line} imports {use.module}" for use in module.uses if _is_impure(use)]
    random_names = {"random"} if any(use.module == "random" and not use.names for use in module.uses) else set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in IMPURE_CALLS:
                found.append(f"{module.name}:{node.lineno} calls {called}")
        elif (
            isinstance(node, ast.Attribute) and ast.unparse(node.value) in random_names and node.attr not in FROM_RANDOM
        ):
            found.append(f"{module.name}:{node.lineno} uses random.{node.attr}")
    return found


def _is_impure(use: Use) -> bool:
    if use.module in PURE_PARTS:
        return False
    if use.module == "random":
        return not set(use.names) <= FROM_RANDOM
    return top(use.module) in IMPURE


def relative_imports(module: Module) -> list[str]:
    return [
        f"{module.name}:{node.lineno}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def part_of(name: str) -> str:
    """The part of a room that a module belongs to (`hosts.ssh.link`: `hosts.ssh`). One beside the parts is a part."""
    return ".".join(name.removesuffix(".__init__").split(".")[:2])


@cache
def arrows_between_parts() -> dict[str, set[str]]:
    """part -> the other parts of its room that it imports."""
    names = {module.name.removesuffix(".__init__") for module in read_modules()}
    arrows: dict[str, set[str]] = {}
    for module in read_modules():
        part = part_of(module.name)
        for use in module.uses:
            for name in use.names or ("",):
                target = f"{use.module}.{name}" if f"{use.module}.{name}" in names else use.module
                if target in names and "." in target and top(target) == module.room and part_of(target) != part:
                    arrows.setdefault(part, set()).add(part_of(target))
    return arrows


def test_every_room_has_code() -> None:
    assert {module.room for module in read_modules()} == ROOMS


def test_arrows_point_down() -> None:
    assert [line for module in read_modules() for line in forbidden_imports(module)] == []


def test_foreign_libraries_stay_at_their_edge() -> None:
    assert [line for module in read_modules() for line in foreign_imports(module)] == []


@pytest.mark.parametrize("library", SINGLE_MODULE_EDGES)
def test_known_to_one_module_only(library: str) -> None:
    knowing = {module.name for module in read_modules() for use in module.uses if top(use.module) == library}
    assert len(knowing) <= 1
    assert {top(name) for name in knowing} <= {"reconciler"}


def test_pure_rooms_touch_nothing() -> None:
    assert [line for module in read_modules() if module.room in PURE_ROOMS for line in impurities(module)] == []


def test_imports_are_absolute() -> None:
    """A relative import would hide from the rules above which room it means."""
    assert [line for module in read_modules() for line in relative_imports(module)] == []


def test_parts_of_a_room_form_no_circle() -> None:
    tuple(graphlib.TopologicalSorter(arrows_between_parts()).static_order())  # raises CycleError with the circle


@pytest.mark.parametrize("room", sorted(PART_ORDER))
def test_parts_import_only_those_before_them(room: str) -> None:
    order = [f"{room}.{part}" for part in PART_ORDER[room].split()]
    parts = {part_of(module.name) for module in read_modules() if module.room == room} - {room}
    assert parts == set(order), "every part has its place in PART_ORDER"
    arrows = arrows_between_parts()
    assert [
        f"{part} imports {other}"
        for part in order
        for other in sorted(arrows.get(part, ()))
        if order.index(other) > order.index(part)
    ] == []


def test_the_brain_is_pure() -> None:
    brain = [module for module in read_modules() if part_of(module.name) in BRAIN]
    assert {part_of(module.name) for module in brain} == set(BRAIN)
    found = [line for module in brain for line in impurities(module)]
    assert [line for line in found if not line.endswith(" imports logging")] == [], (
        "a bug may be logged where it is met"
    )
    assert [
        f"{module.name}:{use.line} imports {use.module}"
        for module in brain
        for use in module.uses
        if top(use.module) in {"hosts", "sources"}
    ] == []


def test_every_folder_says_what_it_is_for() -> None:
    folders = {module.name.removesuffix(".__init__"): module for module in read_modules() if _is_folder(module)}
    assert {module.name.rpartition(".")[0] for module in read_modules() if not _is_folder(module)} <= set(folders)
    assert [name for name, module in folders.items() if not ast.get_docstring(module.tree)] == []


def test_no_folder_is_crowded() -> None:
    sizes = Counter(module.name.rpartition(".")[0] for module in read_modules() if not _is_folder(module))
    assert {name: n for name, n in sizes.items() if n > MODULES_AT_ONE_LEVEL and name not in LISTS} == {}


def _is_folder(module: Module) -> bool:
    return module.name.endswith(".__init__")


@pytest.mark.parametrize(
    ("room", "source", "rule", "expected"),
    [
        pytest.param(
            "objects",
            "import differ.kubelet.pods",
            forbidden_imports,
            ["m:1 imports differ.kubelet.pods"],
            id="upwards",
        ),
        pytest.param("hosts", "from sources import x", forbidden_imports, ["m:1 imports sources"], id="sideways"),
        pytest.param(
            "differ", "import policies.prune", forbidden_imports, ["m:1 imports policies.prune"], id="pure-sideways"
        ),
        pytest.param("reconciler", "import tests.lab", forbidden_imports, ["m:1 imports tests.lab"], id="tests"),
        pytest.param("hosts", "import objects.api.meta", forbidden_imports, [], id="downwards"),
        pytest.param(
            "reconciler",
            "def f():\n    import paramiko",
            foreign_imports,
            ["m:2 imports paramiko, which belongs to hosts"],
            id="foreign-inside-a-function",
        ),
        pytest.param("hosts", "from docker.errors import X", foreign_imports, [], id="foreign-at-home"),
        pytest.param("objects", "import time", impurities, ["m:1 imports time"], id="clock"),
        pytest.param("objects", "from random import choice", impurities, ["m:1 imports random"], id="global-random"),
        pytest.param(
            "objects",
            "import random\nrandom.random()",
            impurities,
            ["m:2 uses random.random"],
            id="global-random-attribute",
        ),
        pytest.param("objects", "import random\ndef f(r: random.Random): ...", impurities, [], id="random-as-argument"),
        pytest.param("objects", "from urllib.parse import urlsplit", impurities, [], id="pure-part"),
        pytest.param("policies", "now = datetime.now()", impurities, ["m:1 calls datetime.now"], id="now"),
        pytest.param("policies", "def f():\n    return open('x')", impurities, ["m:2 calls open"], id="open"),
        pytest.param("policies", "import logging", impurities, ["m:1 imports logging"], id="logging"),
        pytest.param("hosts", "from . import x", relative_imports, ["m:1"], id="relative"),
    ],
)
def test_the_rules_find_what_they_forbid(room: str, source: str, rule: object, expected: list[str]) -> None:
    assert callable(rule)
    tree = ast.parse(source)
    assert rule(Module("m", room, tree, tuple(uses(tree)))) == expected
