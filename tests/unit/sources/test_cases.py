"""Files as people have them, each with what is said about it: adding a case needs no code.

`cases/<name>.yaml` (or `.json`, or a folder) is read as `berth validate` reads it. What is expected stands in comments
at the top of the file, or in `<name>.expect` beside what can hold no comments:

    # expect: valid
    # expect: error 12: spec.replica: unknown field      one for each error, line and a part of the text
    # expect: warning 7: serviceAccount                  this warning is among the others
    # expect: no warning: old API version                no warning has this text
    # expect: 70 errors                                  the count alone

Two files `1.yaml` and `2.yaml` in a folder below `updates/` are two commits, one after the other: the second says what
is expected.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.cli.verbs.validate import as_lines
from sources.reading import crosscheck
from sources.reading.desired import ParsedFiles, read_plain
from sources.reading.files import open_file
from sources.reading.validate import validate_path

CASES = Path(__file__).parent / "cases"
UPDATES = CASES / "updates"
_EXPECT = re.compile(r"^# expect: (.+)$", re.MULTILINE)


class Expected(NamedTuple):
    """errors, warnings: line and a part of the text. count: of errors, where it is all that is said."""

    errors: list[tuple[int, str]]
    warnings: list[tuple[int, str]]
    no_warnings: list[str]
    count: int | None


def parse_expected(text: str) -> Expected:
    wanted = Expected([], [], [], None)
    lines = _EXPECT.findall(text)
    assert lines, "the case says nothing of what is expected"
    for line in lines:
        if line == "valid":
            continue
        if match := re.fullmatch(r"(\d+) errors", line):
            wanted = wanted._replace(count=int(match[1]))
        elif match := re.fullmatch(r"no warning: (.+)", line):
            wanted.no_warnings.append(match[1])
        else:
            match = re.fullmatch(r"(error|warning) (\d+): (.+)", line)
            assert match, f"not understood: {line}"
            (wanted.errors if match[1] == "error" else wanted.warnings).append((int(match[2]), match[3]))
    return wanted


def expected_of(path: Path) -> Expected:
    beside = path.with_suffix(".expect")
    return parse_expected((beside if beside.exists() else path).read_text(encoding="utf-8", errors="replace"))


def case_files() -> list[Path]:
    return sorted(path for path in CASES.iterdir() if path.suffix != ".expect" and path != UPDATES)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in case_files()])
def test_case(path: Path) -> None:
    wanted, report = expected_of(path), validate_path(path)
    summary = as_lines(report, path)[-1]
    if wanted.count is not None:
        assert f"{wanted.count} errors" in summary
        return
    said = sorted((error.line, str(error)) for error in report.errors)
    assert len(said) == len(wanted.errors), said
    for (line, text), (found_line, found) in zip(wanted.errors, said, strict=True):
        assert text in found
        assert line == found_line, found
    for line, text in wanted.warnings:
        assert any(line == found.line and text in str(found) for found in report.warnings), report.warnings
    for text in wanted.no_warnings:
        assert not any(text in str(found) for found in report.warnings), report.warnings


@pytest.mark.parametrize("folder", [pytest.param(path, id=path.name) for path in sorted(UPDATES.iterdir())])
def test_update(folder: Path) -> None:
    before, after = (read_plain(open_file(folder / name), ParsedFiles()) for name in ("1.yaml", "2.yaml"))
    desired = after.require()
    placed = [crosscheck.Placed(obj, desired.origins[key]) for key, obj in desired.objects.items()]
    said = [str(error) for error in crosscheck.find_forbidden_updates(before.require().objects, placed)]
    wanted = expected_of(folder / "2.yaml").errors
    assert len(said) == len(wanted), said
    assert all(text in found for (_, text), found in zip(wanted, said, strict=True)), said
