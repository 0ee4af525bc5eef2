"""What years leave behind: how long a fresh reconciler needs to know where it is, and how large its clone becomes.

The remote has a status branch of half a year at one commit a minute, as it is where force is forbidden.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from tests.bench.case import Settings, main
from tests.bench.figures import Figure

COMMITS = 262_800
OBJECTS = 60
MOST_SECONDS = 5.0
MOST_MEGABYTES = 50.0


def run(settings: Settings) -> Sequence[Figure]:
    commits = 20_000 if settings.is_quick else COMMITS
    with TemporaryDirectory(prefix="berth-bench-") as home:
        remote = _remote_of(Path(home), commits)
        settings.say(f"a remote with {commits} status commits is made")
        began = time.perf_counter()
        with Repository(str(remote), Path(home) / "cache") as repository:
            repository.fetch("main", optional="berth/status")
            snapshot = StatusBranch(repository).read()
            seconds = time.perf_counter() - began
            size = _megabytes(repository.git_dir)
        assert len(snapshot.files) == OBJECTS
        return [
            Figure(f"years: fresh start, {commits} status commits", seconds, "s", MOST_SECONDS),
            Figure("years: its clone", size, "MB", MOST_MEGABYTES),
            Figure("years: the remote, for comparison", _megabytes(remote), "MB"),
        ]


def _remote_of(home: Path, commits: int) -> Path:
    remote = home / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(remote)], check=True)
    with subprocess.Popen(["git", "-C", str(remote), "fast-import", "--quiet"], stdin=subprocess.PIPE) as importer:
        assert importer.stdin
        for chunk in _history(commits):
            importer.stdin.write(chunk)
        importer.stdin.close()
        assert importer.wait(timeout=1800) == 0
    return remote


def _history(commits: int) -> Iterator[bytes]:
    yield _commit("main", 0, [("apps/web.yaml", b"a: 1\n")])
    text = b"".join(b"condition%d: True\n" % number for number in range(60))
    yield _commit("berth/status", 0, [(f"objects/{number}.yaml", text) for number in range(OBJECTS)])
    for step in range(1, commits):
        path = f"objects/{step % OBJECTS}.yaml"
        yield _commit("berth/status", step, [(path, b"count: %d\n" % step + text)])


def _commit(branch: str, step: int, files: Sequence[tuple[str, bytes]]) -> bytes:
    lines = [
        f"commit refs/heads/{branch}\ncommitter Berth <b@example> {1_700_000_000 + 60 * step} +0000\ndata 1\ns".encode()
    ]
    lines += [f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content for path, content in files]
    return b"\n".join([*lines, b""])


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main("years", run)
