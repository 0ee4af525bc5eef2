"""`make affected`: by imports where there are any, by a table for tests on real hosts."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.affected import ON_HOSTS, affected, project_sources
from tests.lab.fixtures import LONGEST_FIRST

SOURCES = {
    "objects/values/quantity.py": "",
    "policies/drift.py": "",
    "objects/api/pods.py": "from objects.values import quantity\n",
    "hosts/ssh/link.py": "import objects.api.pods\n",
    "reconciler/cli/__init__.py": 'MODULES = ["reconciler.cli.verbs.get"]\n',
    "reconciler/cli/verbs/get.py": "",
    "tests/unit/test_quantity.py": "from objects.values.quantity import parse\n",
    "tests/unit/test_pods.py": "from objects.api.pods import Pod\n",
    "tests/unit/test_get.py": "from reconciler.cli import main\n",
    "tests/unit/test_pages.py": 'PAGE = ROOT / "scheduling.md"\n',
    "tests/unit/test_stories.py": 'STORIES = HERE / "walkthrough"\n',
    "tests/contract/test_contract.py": "import hosts.ssh.link\n",
    "tests/lab/test_push.py": "",
    "tests/lab/test_ssh_link.py": "import hosts.ssh.link\n",
    "tests/lab/test_lab.py": "",
    "tests/lab/test_drift_lab.py": "",
}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(["tests/unit/test_pods.py"], ["tests/unit/test_pods.py"], id="a test"),
        pytest.param(
            ["objects/values/quantity.py"],
            ["tests/lab/test_push.py", "tests/unit/test_pods.py", "tests/unit/test_quantity.py"],
            id="a leaf, and who imports it by way of another",
        ),
        pytest.param(
            ["hosts/ssh/link.py"],
            ["tests/contract/test_contract.py", "tests/lab/test_push.py", "tests/lab/test_ssh_link.py"],
            id="what touches hosts",
        ),
        pytest.param(
            ["reconciler/cli/verbs/get.py"],
            ["tests/lab/test_push.py", "tests/unit/test_get.py"],
            id="imported by its name only",
        ),
        pytest.param(["objects/gone.py"], ["tests/lab/test_push.py"], id="a file that is gone"),
        pytest.param(["docs/scheduling.md"], ["tests/unit/test_pages.py"], id="a page that a test reads"),
        pytest.param(
            ["tests/walkthrough/pod.yaml"], ["tests/unit/test_stories.py"], id="a file of a folder that is read"
        ),
        pytest.param(
            ["policies/drift.py"],
            ["tests/lab/test_drift_lab.py", "tests/lab/test_push.py"],
            id="a module on real hosts of the same name",
        ),
        pytest.param(["tests/lab/host_init.sh"], ["tests/lab/test_lab.py"], id="the lab itself"),
        pytest.param(["requirements.lock"], sorted(path for path in SOURCES if "/test_" in path), id="everything"),
    ],
)
def test_affected(changed: list[str], expected: list[str]) -> None:
    assert affected(changed, SOURCES) == expected


def test_a_module_on_real_hosts_without_a_rule_is_always_affected() -> None:
    sources = {**SOURCES, "tests/lab/test_something_new.py": ""}
    assert "tests/lab/test_something_new.py" in affected(["policies/drift.py"], sources)
    assert "tests/lab/test_something_new.py" not in affected(["docs/lab.md"], sources)


def test_no_rule_for_real_hosts_has_lost_its_modules_or_files() -> None:
    sources = project_sources()
    named = {name for names in ON_HOSTS.values() for name in names}
    modules = {Path(path).stem.removeprefix("test_") for path in sources if path.startswith("tests/lab/test_")}
    assert named - modules == {"contract"}
    files = [*sources, "Makefile", ".ci/venv", *(str(path) for path in Path("tests/lab").iterdir())]
    lost = [
        pattern
        for patterns in ON_HOSTS
        for pattern in patterns.split()
        if not any(fnmatch(file, pattern) for file in files)
    ]
    assert lost == []


def test_modules_that_come_first_are_there() -> None:
    on_hosts = {Path(path).stem for path in project_sources() if path.startswith(("tests/lab/", "tests/contract/"))}
    assert [name for name in LONGEST_FIRST if name not in on_hosts] == []
