"""No table is forgotten: each is run, or left out by name with a reason, or belongs to work that is still to come."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kubernetes.tables import ABSENT, FOLDER

LATER = {
    "kubelet_network_dns": "names come with the network work",
    "proxy": "Services are accepted, not acted on yet",
    "proxy_iptables": "Services are accepted, not acted on yet",
}
"""Packages whose runners are still to be written. A package leaves this list when its runner is there."""


@pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)
def test_every_table_is_named_by_a_runner_or_waits_for_its_work() -> None:
    runners = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    tables = {path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.json")}
    forgotten = {name for name in tables if f'"{name}"' not in runners and name.partition("/")[0] not in LATER}
    assert forgotten == set()


@pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)
def test_the_list_of_later_packages_holds_only_real_ones() -> None:
    assert LATER.keys() - {path.name for path in FOLDER.iterdir() if path.is_dir()} == set()
