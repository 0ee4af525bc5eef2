"""The walls of the house: who may import whom, where foreign libraries may be used, what a pure room may not touch.

Read from the source by `ast`, nothing is imported. docs/architecture.md states the rules; this holds them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
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


class Module(NamedTuple):
    """name: dotted; room: its first part."""

    name: str
    room: str
    tree: ast.Module


class Use(NamedTuple):
    """An import, wherever in the module it stands. names: what is taken from it, empty for `import module`."""

    module: str
    names: tuple[str, ...]
    line: int


def read_modules() -> list[Module]:
    modules = []
    for room in sorted(ROOMS):
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            modules.append(Module(name, room, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))))
    return modules


MODULES = read_modules()


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
        for use in uses(module.tree)
        if (top(use.module) in ROOMS and top(use.module) not in allowed) or top(use.module) == "tests"
    ]


def foreign_imports(module: Module) -> list[str]:
    return [
        f"{module.name}:{use.line} imports {use.module}, which belongs to {EDGES[top(use.module)]}"
        for use in uses(module.tree)
        if EDGES.get(top(use.module), module.room) != module.room
    ]


def impurities(module: Module) -> list[str]:
    found = [f"{module.name}:{use.line} imports {use.module}" for use in uses(module.tree) if _is_impure(use)]
    random_names = {"random"} if any(use.module == "random" and not use.names for use in uses(module.tree)) else set()
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


def test_every_room_has_code() -> None:
    assert {module.room for module in MODULES} == ROOMS


def test_arrows_point_down() -> None:
    assert [line for module in MODULES for line in forbidden_imports(module)] == []


def test_foreign_libraries_stay_at_their_edge() -> None:
    assert [line for module in MODULES for line in foreign_imports(module)] == []


@pytest.mark.parametrize("library", SINGLE_MODULE_EDGES)
def test_known_to_one_module_only(library: str) -> None:
    knowing = {module.name for module in MODULES for use in uses(module.tree) if top(use.module) == library}
    assert len(knowing) <= 1
    assert {top(name) for name in knowing} <= {"reconciler"}


def test_pure_rooms_touch_nothing() -> None:
    assert [line for module in MODULES if module.room in PURE_ROOMS for line in impurities(module)] == []


def test_imports_are_absolute() -> None:
    """A relative import would hide from the rules above which room it means."""
    assert [line for module in MODULES for line in relative_imports(module)] == []


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
    assert rule(Module("m", room, ast.parse(source))) == expected
