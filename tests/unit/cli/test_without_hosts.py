"""Verbs that look at hosts where there is none, or none that answers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from reconciler.cli.common.exit_codes import FAILED, INVALID, UNREACHABLE
from tests.unit.cli.gitops import HOST, GitOps, make_gitops


@pytest.fixture
def silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> GitOps:
    """A cluster whose one host refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    key = tmp_path / "key"
    key.write_text("none is needed: nobody answers\n")
    host = HOST.replace("address: 192.0.2.11", f"address: 127.0.0.1\n  port: {port}\n  keyFiles: [{key}]")
    return make_gitops(tmp_path, capsys, {"hosts/alpha.yaml": host})


def test_a_plan_of_hosts_that_nobody_has_seen_is_none(silent: GitOps) -> None:
    ran = silent.berth("plan")
    assert (ran.code, ran.out) == (UNREACHABLE, "")
    assert "error: none of 1 hosts answers, so nothing can be planned (alpha: " in ran.err


def test_apply_without_a_host_ends_at_once(silent: GitOps) -> None:
    silent.remote.git("rm", "--quiet", "hosts/alpha.yaml")
    commit = silent.remote.push(message="no host")
    ran = silent.berth("apply")
    assert ran.code == INVALID
    assert f"error: commit {commit[:10]} has no Host, so nothing can run" in ran.err


def test_what_is_there_is_shown_though_another_name_is_not(silent: GitOps) -> None:
    ran = silent.berth("get", "configmap", "nosuch", "settings", "-o", "name")
    assert (ran.code, ran.out) == (FAILED, "configmap/settings\n")
    assert 'error: configmaps "nosuch" not found in namespace default' in ran.err
    ran = silent.berth("-n", "shop", "get", "configmap", "settings")
    assert 'error: configmaps "settings" not found in namespace shop' in ran.err
