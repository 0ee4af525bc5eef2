"""Scheduler plug-ins as their users bring them: an installed package with entry points."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from objects.errors import InvalidInput
from objects.own.config import (
    Cluster,
    ClusterSpec,
    PluginWeight,
    SchedulerProfile,
    SchedulingSettings,
)
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.process.plugins import load_rules
from tests.unit.reconciler.cluster import FakeCluster, bare_pod

PAGE = Path(__file__).parents[3] / "docs" / "scheduling.md"


def install(folder: Path, module: str, code: str, entry_points: str) -> None:
    """What pip leaves behind of a package."""
    (folder / f"{module}.py").write_text(code)
    about = folder / f"{module}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(entry_points)


def test_the_example_of_the_page_as_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    points = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    # In pyproject.toml a table each; in what is installed the same with plain values.
    written = re.sub(r'\[project\.entry-points\."(.*)"\]', r"[\1]", points).replace('"', "")
    install(tmp_path, "even_hosts", code, written)
    monkeypatch.syspath_prepend(str(tmp_path))
    profile = SchedulerProfile(priorities=(PluginWeight(name="LongNames", weight=50),))
    settings = Cluster(spec=ClusterSpec(scheduling=SchedulingSettings(profiles=(profile,))))
    cluster = FakeCluster("host-1", "host-2", "long-host-4", "h-6")
    cluster.engine = Engine(CONTROLLERS, source=Random(1), rules=load_rules())
    objects = (obj for obj in cluster.desired(bare_pod()).objects if obj.key != settings.key)
    message = cluster.desired(bare_pod())
    cluster.settle(type(message)(commit="c1", objects=(settings, *objects)))
    assert {name for name, pods in cluster.running.items() if pods} == {"long-host-4"}


def test_one_that_cannot_be_loaded_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "broken_rule", "import nothing_of_this_name\n", "[berth.predicates]\nBad = broken_rule:Bad\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(InvalidInput, match=r"plug-in Bad \(broken_rule:Bad\) cannot be loaded: ModuleNotFoundError"):
        load_rules()
