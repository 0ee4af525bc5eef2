"""Which tests a change can break: `make affected`, for the minutes between two commits; `make test` has the last word.

Changed are the files that differ from where this branch left the main one, committed or not. A test module is affected

* when it is one of them, or imports one of them, however indirectly (its packages' `__init__` and the `conftest.py`s
  above it count as imported);
* when it or a module that it imports names a changed file that is not Python, or a folder that such a file lies in.

Tests on real hosts run Berth as a process, so their imports say little. For them stands the table `ON_HOSTS`; besides,
a module is affected by files that have its name in their path (test_addresses_lab.py by
reconciler/assigning/addresses.py). A module of which neither says anything is affected by every change of the product.
Files that everything hangs on (`EVERYTHING`) affect all tests.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("objects", "policies", "differ", "hosts", "sources", "reconciler", "tests", "docs")
WITHOUT_HOSTS = ("tests/unit", "tests/properties", "tests/kubernetes", "tests/golden", "tests/simulation")
WITH_HOSTS = ("tests/contract", "tests/lab")
EVERYTHING = ("pyproject.toml", "requirements.lock", "tests/conftest.py")

ON_HOSTS: Mapping[str, tuple[str, ...]] = {
    "": ("push",),
    "hosts/ssh/* hosts/streams/* hosts/docker/dial*": ("ssh_link", "engine_link", "other_hosts", "faults"),
    "hosts/docker/* hosts/observe/*": ("engine_link", "runtime_lab", "other_hosts", "charge"),
    "hosts/* differ/kubelet/*": ("contract", "pods", "runtime_lab", "drift", "other_hosts"),
    "*prob* *health* *check* *hook* *handler*": ("health_lab", "pods"),
    "hosts/measure/* *usage* *measur*": ("measuring_lab", "measuring_fails_lab", "eviction", "hpa"),
    "*scraping* *prometheus* *metrics* *canary*": ("prometheus", "hpa", "strategies"),
    "policies/autoscaling/* reconciler/*autoscal*": ("hpa", "prometheus"),
    "*eviction* *pressure* *image_gc*": ("eviction",),
    "policies/scheduling/* reconciler/*scheduling*": ("scheduling_lab", "foreign", "node_loss"),
    "*foreign*": ("foreign", "drift"),
    "*drift*": ("drift",),
    "*charge* *holder*": ("charge", "kill"),
    "reconciler/*worker* reconciler/*pass* reconciler/*assign* reconciler/*adopt*": ("kill", "faults", "node_loss"),
    "reconciler/*engine* reconciler/*store*": ("kill", "faults", "drift", "node_loss"),
    "reconciler/controllers/*deploy* reconciler/controllers/*replica*": ("strategies", "rollback", "push"),
    "reconciler/controllers/*stateful* reconciler/controllers/volumes/* reconciler/controllers/*daemon*": (
        *("workloads", "update_strategies", "node_loss"),
    ),
    "reconciler/controllers/*job* objects/*schedule*": ("workloads",),
    "reconciler/controllers/node/*": ("node_loss", "verbs"),
    "*rollback* *rollout*": ("rollback", "strategies"),
    "policies/host_support* hosts/observe/* reconciler/cli/*host*": ("host_check_lab", "refused_hosts_lab"),
    "hosts/ssh/* hosts/probes/* differ/kubelet/containers/*": ("crash_loops_lab",),
    "*redact* *words* hosts/runtime/* reconciler/status/*": ("words_lab",),
    "*pull* hosts/docker/images* *named_configuration* policies/prune*": ("namespaces_lab",),
    "sources/*": ("sources_lab", "sync", "bad_commits"),
    "sources/edit/* reconciler/editing/* reconciler/cli/*": ("verbs", "cli_lab", "plan_lab"),
    "reconciler/*commit* reconciler/*source* reconciler/*webhook* reconciler/*status*": ("sync", "bad_commits"),
    "*plan* differ/redaction/* differ/documents/*": ("plan_lab",),
    "tests/lab/*.py tests/lab/*.sh tests/lab/*.toml tests/lab/packages.txt": ("lab", "pieces", "engines"),
    ".ci/* Makefile": ("pieces",),
}
"""Patterns of changed files -> modules of `tests/lab` by the middle of their names, and the folder `contract`.

The first is for any change of the product. A changed test module runs in any case."""


def affected(changed: Iterable[str], sources: Mapping[str, str]) -> list[str]:
    """The affected test modules, sorted.

    changed: paths of changed files. sources: path -> text of each Python file of the project, as it is now; a module
    that imports one that is gone is affected too.
    """
    files = sorted(set(changed))
    if any(file in EVERYTHING for file in files):
        return sorted(path for path in sources if _is_test(path))
    imports = {path: set(_imported_paths(path, text)) for path, text in sources.items()}
    moved = {file for file in files if file.endswith(".py")}
    moved |= {path for path, text in sources.items() if any(_names(text, file) for file in files if file not in moved)}
    reached = _importers(moved, imports)
    tests = {path for path in reached if _is_test(path) and not path.startswith(WITH_HOSTS)}
    tests |= {file for file in files if file in sources and _is_test(file)}
    return sorted(tests | set(_on_hosts(files, sources)))


def _on_hosts(files: list[str], sources: Mapping[str, str]) -> Iterator[str]:
    theirs = [file for file in files if not file.startswith(WITHOUT_HOSTS) and not _is_test(file)]
    yield from (path for path in sources if any(is_of(path, file) for file in theirs))
    if any(file.split("/")[0] in ROOMS[:-2] for file in theirs):
        yield from _without_rule(sources)
    for patterns, names in ON_HOSTS.items():
        concerns = any(
            fnmatch(file, pattern) if pattern else file.split("/")[0] in ROOMS[:-2]
            for file in theirs
            for pattern in patterns.split(" ")
        )
        for name in names if concerns else ():
            wanted = "tests/contract/" if name == "contract" else f"tests/lab/test_{name}.py"
            yield from (path for path in sources if path.startswith(wanted) and _is_test(path))


def _without_rule(sources: Mapping[str, str]) -> Iterator[str]:
    """Lab modules of which nothing says what they depend on: any change of the product may break them."""
    named = {f"tests/lab/test_{name}.py" for names in ON_HOSTS.values() for name in names}
    for module in sources:
        is_unnamed = module.startswith("tests/lab/test_") and module not in named
        if is_unnamed and not any(is_of(module, path) for path in sources):
            yield module


def is_of(module: str, file: str) -> bool:
    """Whether a lab module has the name of what a file is about (test_addresses_lab.py, assigning/addresses.py)."""
    name = Path(module).stem.removeprefix("test_").removesuffix("_lab")
    return module.startswith("tests/lab/test_") and name in file and not file.startswith("tests/")


def _is_test(path: str) -> bool:
    return Path(path).name.startswith("test_") and path.endswith(".py")


def _importers(moved: set[str], imports: Mapping[str, set[str]]) -> set[str]:
    """All modules that import one of these, however indirectly, and these."""
    users: dict[str, set[str]] = {}
    for path, imported in imports.items():
        for each in imported:
            users.setdefault(each, set()).add(path)
    reached, todo = set(moved), list(moved)
    while todo:
        new = users.get(todo.pop(), set()) - reached
        reached |= new
        todo += new
    return reached


def _imported_paths(path: str, text: str) -> Iterator[str]:
    """Every file that importing this module may read; not all of them exist."""
    names: set[str] = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    # A lazy import by name, as the command line's `import_module("reconciler.cli.verbs.get")`, is a string in the
    # source.
    names |= {node.value for node in ast.walk(tree) if _is_module_name(node)}  # type: ignore[attr-defined]
    for name in names:
        parts = name.split(".")
        if parts[0] in ROOMS:
            yield "/".join(parts) + ".py"
            yield from ("/".join([*parts[:depth], "__init__.py"]) for depth in range(1, len(parts) + 1))
    if _is_test(path):
        yield from (f"{parent.as_posix()}/conftest.py" for parent in Path(path).parents)


def _is_module_name(node: ast.AST) -> bool:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    parts = node.value.split(".")
    return len(parts) > 1 and parts[0] in ROOMS and all(part.isidentifier() for part in parts)


def _names(text: str, file: str) -> bool:
    """Whether a source names the file, or a folder it lies in: `"walkthrough"` names tests/walkthrough/pod.yaml."""
    path = Path(file)
    folders = [part for part in path.parts[:-1] if part not in (*ROOMS, "lab", "unit", "cli")]
    return any(f'"{word}"' in text or f"/{word}" in text for word in (path.name, *folders))


def changed_files(main: str) -> list[str]:
    """Files that differ from where this branch left `main`, in commits, in the working tree or not tracked yet."""
    base = _git("merge-base", main, "HEAD").strip()
    listed = _git("diff", "--name-only", "--no-renames", base) + _git("ls-files", "--others", "--exclude-standard")
    return sorted(set(listed.split("\n")) - {""})


def project_sources() -> dict[str, str]:
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard", "*.py").split("\n")
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in listed if path and (ROOT / path).exists()}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"affected: git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def main(argv: list[str]) -> None:
    """`PART MAIN`: print, in one line, the modules of a part (`fast` or `hosts`) that changes since MAIN affect."""
    part, main_branch = argv
    folders = WITH_HOSTS if part == "hosts" else WITHOUT_HOSTS
    found = affected(changed_files(main_branch), project_sources())
    print(" ".join(path for path in found if path.startswith(folders)))


if __name__ == "__main__":
    main(sys.argv[1:])
