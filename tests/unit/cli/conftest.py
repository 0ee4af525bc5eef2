"""A GitOps repository for the tests of verbs that write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.gitops import AUTHOR, GitOps, make_gitops


@pytest.fixture
def gitops(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> GitOps:
    monkeypatch.setenv("BERTH_AUTHOR", AUTHOR)
    monkeypatch.setenv("HOME", str(tmp_path))
    return make_gitops(tmp_path, capsys)
