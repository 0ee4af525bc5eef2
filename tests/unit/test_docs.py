"""The documentation keeps up with the code: every reason and exit code is explained, every link leads somewhere."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from objects.errors import BerthError
from reconciler.cli.common.exit_codes import MEANINGS
from reconciler.cli.verbs import VERBS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples-repo/README.md",
]
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
MODULES_WITH_ERRORS = (
    "objects.errors",
    "objects.codec",
    "sources.errors",
    "sources.reading.desired",
    "hosts.ssh.transport",
)


def subclasses(kind: type[BerthError]) -> set[type[BerthError]]:
    return {kind}.union(*(subclasses(sub) for sub in kind.__subclasses__()))


def test_every_reason_is_explained() -> None:
    for name in MODULES_WITH_ERRORS:
        importlib.import_module(name)
    ours = {kind for kind in subclasses(BerthError) if not kind.__module__.startswith("tests.")}
    missing = sorted({kind.reason for kind in ours if f"`{kind.reason}`" not in OPERATIONS})
    assert missing == [], "docs/operations.md, the table of reasons"


def test_what_is_generated_is_up_to_date() -> None:
    """As `python docs/generate.py --check`."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    stale = [path for path, text in generate.render_all().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert stale == [], "out of date: run `make docs`"


def test_every_exit_code_is_explained() -> None:
    table = OPERATIONS.partition("## Exit codes")[2].partition("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [code for code, _ in MEANINGS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_exist(page: Path) -> None:
    """`berth word`, wherever it is typed out."""
    typed = re.findall(r"(?:^ {4}|`)berth ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(typed) - VERBS.keys()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_in_the_text_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    typed = re.findall(r"(?:^ {4}|`)make ([a-z][a-z0-9-]*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(typed) - targets) == []
