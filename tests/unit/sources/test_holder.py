"""The id of a reconciler: the same after any end of its process, never that of two at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sources.git.holder import held

HOLD = "import sys; from pathlib import Path; from sources.git.holder import held\n" + (
    "with held(Path(sys.argv[1]), name='the other') as it:\n    print(it.id, flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "x.holder"


def test_an_id_outlives_its_process_also_a_killed_one(file: Path) -> None:
    root = str(Path(__file__).resolve().parents[3])
    arguments = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(arguments, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = other.stdout.readline().strip()
        with held(file, name="me") as mine:
            assert mine.id != theirs
            assert mine.other == "the other"
        other.kill()
    with held(file, name="me") as after:
        assert after == (theirs, "")


def test_another_cache_is_another_one(file: Path, tmp_path: Path) -> None:
    with held(file, name="a") as one, held(tmp_path / "y.holder", name="b") as two:
        assert one.id != two.id


@pytest.mark.parametrize("content", [b"", b"0123", b"not an id\nme\n"])
def test_a_file_that_was_cut_is_begun_anew(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    with held(file, name="me") as first:
        pass
    with held(file, name="me") as second:
        assert second.id == first.id
