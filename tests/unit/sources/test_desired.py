"""From a commit to what is desired: the whole way on real repositories, and every way in which a commit is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from objects.api.meta import ObjectKey
from objects.errors import NotFound
from sources.git.repository import Repository
from sources.reading.desired import CommitRefused, DesiredReader, Reading
from sources.reading.validate import validate_path
from tests.unit.sources.conftest import Remote

CLUSTER = "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: main}\n"
HOST = """\
apiVersion: berth.dev/v1alpha1
kind: Host
metadata: {name: %s}
spec:
  address: 192.0.2.1
  hostKey: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGUkYqTGy2dNr6rVbY4pl0cMGMQaO2S/nzmvEVZQGTlF
"""
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: %s
spec:
  containers:
  - name: web
    image: web:1
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n"
APPLICATION = "apiVersion: berth.dev/v1alpha1\nkind: Application\nmetadata: {name: %s}\nspec: {path: %s}\n"

GOOD: dict[str, str | bytes] = {
    "berth.yaml": CLUSTER,
    "README.md": "# Cluster\n",
    "hosts/a.yaml": HOST % "a",
    "apps/web/pod.yaml": POD % "web",
    "apps/web/README.md": "text: [not yaml\n",
    "apps/db/settings.yaml": CONFIG_MAP % "settings",
}


class Source:
    """Pushes files and reads what they come to."""

    def __init__(self, remote: Remote, repository: Repository) -> None:
        self.remote = remote
        self.repository = repository
        self._reader = DesiredReader(repository)

    def read(self, files: Mapping[str, str | bytes] | None = None) -> Reading:
        self.remote.push(files)
        return self._reader.read(self.repository.fetch("main").sha)

    def refused(self, files: Mapping[str, str | bytes]) -> list[str]:
        """The messages with which the good repository and these files are refused."""
        reading = self.read({**GOOD, **files})
        assert reading.desired is None
        return [str(error) for error in reading.errors]


@pytest.fixture
def source(remote: Remote, repository: Repository) -> Source:
    return Source(remote, repository)


def test_a_whole_repository(source: Source) -> None:
    reading = source.read(GOOD)
    desired = reading.require()
    sha = source.remote.git("rev-parse", "HEAD")
    assert {key: str(desired.origins[key]) for key in desired.objects} == {
        ObjectKey("Cluster", "", "main"): "berth.yaml:1",
        ObjectKey("Host", "", "a"): "hosts/a.yaml:1",
        ObjectKey("Application", "", "db"): "apps/db:1",
        ObjectKey("Application", "", "web"): "apps/web:1",
        ObjectKey("ConfigMap", "default", "settings"): "apps/db/settings.yaml:1",
        ObjectKey("Pod", "default", "web"): "apps/web/pod.yaml:1",
    }
    assert {key.kind: name for key, name in desired.application_of.items()} == {
        "Cluster": "",
        "Host": "",
        "Application": "",
        "ConfigMap": "db",
        "Pod": "web",
    }
    assert desired.commit is not None
    assert (desired.commit.sha, desired.cluster.name, list(desired.hosts), list(desired.applications)) == (
        sha,
        "main",
        ["a"],
        ["db", "web"],
    )
    assert desired.tree_hashes == {name: source.remote.git("rev-parse", f"HEAD:apps/{name}") for name in ("db", "web")}
    assert reading.errors == ()


def test_declared_applications(source: Source) -> None:
    reading = source.read(
        {
            **GOOD,
            "apps/all.yaml": "---\n".join(
                (APPLICATION % ("web", "apps/web"), "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
            )
            + "---\n"
            + (APPLICATION % ("extra", "elsewhere"))
            .replace("}\n", ", namespace: shop}\n", 2)
            .replace("extra, namespace: shop", "extra"),
            "elsewhere/deep/cm.yaml": CONFIG_MAP % "deep",
        }
    )
    desired = reading.require()
    assert {str(key): name for key, name in desired.application_of.items() if name} == {
        "Pod default/web": "web",
        "ConfigMap shop/deep": "extra",
    }
    assert [str(warning) for warning in reading.warnings if "belongs to no" in warning.message] == [
        "apps/db: belongs to no Application: it is not deployed"
    ]


def test_only_what_changed_is_parsed_again_and_moving_changes_nothing(source: Source) -> None:
    first = source.read(GOOD).require()
    source.remote.git("mv", "apps/web/pod.yaml", "apps/web/renamed.yaml")
    second = source.read({"apps/db/settings.yaml": CONFIG_MAP % "settings" + "data: {a: b}\n"}).require()
    pod, settings = ObjectKey("Pod", "default", "web"), ObjectKey("ConfigMap", "default", "settings")
    assert (second.objects[pod] is first.objects[pod], str(second.origins[pod])) == (True, "apps/web/renamed.yaml:1")
    assert second.objects[settings] != first.objects[settings]


def test_a_refused_commit_then_a_good_one(source: Source) -> None:
    good = source.read(GOOD).require()
    bad = source.read({"apps/web/pod.yaml": "a: [1\n"})
    with pytest.raises(CommitRefused) as caught:
        bad.require()
    assert str(caught.value) == (
        f"commit {bad.commit[:10]} is refused: 1 error\n"
        "  apps/web/pod.yaml:1: not valid YAML: a bracket is opened here and not closed, or a ',' is missing"
    )
    again = source.read({"apps/web/pod.yaml": POD % "web"}).require()
    assert dict(again.objects) == dict(good.objects)


_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: web, tier: web2}}
    spec: {containers: [{name: web, image: web:1}]}
"""


def test_what_cannot_be_changed_on_what_runs(source: Source) -> None:
    selector = "matchLabels: {app: web}"
    first = source.read({**GOOD, "apps/web/deployment.yaml": _DEPLOYMENT % "web"}).require()
    source.remote.push(
        {"apps/web/deployment.yaml": (_DEPLOYMENT % "web").replace(selector, "matchLabels: {tier: web2}")}
    )
    sha = source.repository.fetch("main").sha
    reading = DesiredReader(source.repository).read(sha, before=first.objects)
    assert [str(error) for error in reading.errors] == [
        "apps/web/deployment.yaml:1: Deployment web: spec.selector: cannot be changed "
        "(give the object another name, or delete it in one commit and create it in the next)"
    ]
    assert DesiredReader(source.repository).read(sha).errors == ()


_BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + step, 98 + step, b",".join([b"*%c" % (97 + step)] * 9)) for step in range(9)
)


@pytest.mark.parametrize(
    ("files", "messages"),
    [
        pytest.param(
            {"apps/web/pod.yaml": "a: b: c\n"},
            ["apps/web/pod.yaml:1: not valid YAML: a second ':' in one line "
             "(quote the value, or correct the indentation)"],
            id="syntax-error",
        ),
        pytest.param(
            {"apps/web/pod.yaml": (POD % "web").replace("image:", "imge:")},
            ["apps/web/pod.yaml:8: Pod web: spec.containers[0].imge: unknown field (did you mean 'image'?)"],
            id="unknown-field",
        ),
        pytest.param(
            {"apps/web/pod.yaml": POD % "web" + "  priority: high\n"},
            ["apps/web/pod.yaml:9: Pod web: spec.priority: must be a whole number, not a text"],
            id="wrong-type",
        ),
        pytest.param(
            {"apps/web/pod.yaml": POD % "web" + "  containers: []\n"},
            ["apps/web/pod.yaml:9: the key 'containers' is given twice (first in line 6)"],
            id="duplicate-key",
        ),
        pytest.param(
            {"apps/web/again.yaml": "\n" + CONFIG_MAP % "settings"},
            ["apps/web/again.yaml:2: ConfigMap settings: is already defined in apps/db/settings.yaml:1 "
             "(remove one of them)"],
            id="two-objects-of-one-name",
        ),
        pytest.param(
            {"apps/web/pod.yaml": (POD % "web").replace("spec:", "spec:\n  priorityClassName: urgent", 1)},
            [
                "apps/web/pod.yaml:1: Pod web: PriorityClass 'urgent' does not exist "
                "(known: system-cluster-critical, system-node-critical)"
            ],
            id="priority-class",
        ),
        pytest.param(
            {"apps/web/pod.yaml": (POD % "web").replace("name: web\nspec", "name: web\n  namespace: shpo\nspec"),
             "apps/web/ns.yaml": NAMESPACE % "shop"},
            ["apps/web/pod.yaml:1: Pod web: namespace 'shpo' does not exist (did you mean 'shop'?)"],
            id="namespace",
        ),
        pytest.param({"apps/web/bomb.yaml": _BOMB},
                     ["apps/web/bomb.yaml:6: the file has more than 200000 values, aliases expanded"], id="laughs"),
        pytest.param({"apps/web/bomb.yaml": b"a: b\n" * 2**20},
                     ["apps/web/bomb.yaml: the file is larger than 3 MiB"], id="5-megabytes"),
        pytest.param({"berth.yaml": "# nothing\n"},
                     ["berth.yaml: no Cluster object (add one: apiVersion: berth.dev/v1alpha1, kind: Cluster, "
                      "metadata: {name: main})"], id="no-cluster"),
        pytest.param({"hosts/c.yaml": CLUSTER.replace("main", "other")},
                     ["hosts/c.yaml:1: Cluster other: there is a Cluster already in berth.yaml:1 (keep one)"],
                     id="two-clusters"),
        pytest.param({"apps/web/host.yaml": HOST % "b"},
                     ["apps/web/host.yaml:1: Host b: does not belong into an application's folder (move it to hosts/)"],
                     id="host-in-an-application"),
        pytest.param({"apps/all.yaml": APPLICATION % ("web", "apps/wbe")},
                     ["apps/all.yaml:1: Application web: its path 'apps/wbe' does not exist "
                      "(did you mean 'apps/web'?)"],
                     id="path-that-is-not-there"),
        pytest.param({"apps/all.yaml": APPLICATION % ("web", "apps/web") + "---\n" + APPLICATION % ("all", "apps")},
                     ["apps/all.yaml:6: Application all: path 'apps' overlaps with 'apps/web' of Application web"],
                     id="overlapping-applications"),
        pytest.param({"apps/web/kustomization.yaml": "resources: []\n"},
                     ["apps/web/kustomization.yaml: kustomize is not rendered yet (commit the rendered manifests)"],
                     id="kustomize"),
        pytest.param({"hosts/b.yaml": HOST % "b" + "  jump: c\n"},
                     ["hosts/b.yaml:1: Host b: jump host 'c' does not exist"], id="jump-host"),
        pytest.param({"hosts/b.yaml": HOST % "b" + "  jump: c\n", "hosts/c.yaml": HOST % "c" + "  jump: b\n"},
                     ["hosts/b.yaml:1: Host b: its jump hosts go round in a circle",
                      "hosts/c.yaml:1: Host c: its jump hosts go round in a circle"], id="jump-circle"),
    ],
)  # fmt: skip
def test_commits_that_are_refused(source: Source, files: dict[str, str | bytes], messages: list[str]) -> None:
    assert source.refused(files) == messages


def test_a_repository_without_berth_yaml(source: Source) -> None:
    reading = source.read({"web.yaml": POD % "web"})
    assert [str(error) for error in reading.errors] == [
        "berth.yaml: is missing at the root of the repository (berth init writes one)"
    ]


@pytest.mark.parametrize(
    ("link", "target", "message"),
    [
        pytest.param(
            "apps/web/secret.yaml",
            "../../../../etc/passwd",
            "apps/web/secret.yaml: is a symbolic link out of the repository (put the file itself there)",
            id="out-of-the-tree",
        ),
        pytest.param(
            "apps/web/secret.yaml",
            "/etc/passwd",
            "apps/web/secret.yaml: is a symbolic link out of the repository (put the file itself there)",
            id="absolute",
        ),
        pytest.param(
            "apps/web/copy.yaml",
            "pod.yaml",
            "apps/web/copy.yaml: is a symbolic link to 'pod.yaml', which is not followed (copy what it points to)",
            id="inside",
        ),
        pytest.param(
            "apps/more",
            "web",
            "apps/more: is a symbolic link to 'web', which is not followed (copy what it points to)",
            id="folder",
        ),
    ],
)
@pytest.mark.parametrize("from_folder", [False, True])
def test_links_are_refused(source: Source, link: str, target: str, message: str, from_folder: bool) -> None:
    source.remote.write(GOOD)
    (source.remote.work / link).symlink_to(target)
    reading = source.read()
    errors = validate_path(source.remote.work).errors if from_folder else reading.errors
    assert [str(error) for error in errors] == [message]


def test_an_application_behind_a_link(source: Source) -> None:
    source.remote.write({**GOOD, "apps/all.yaml": APPLICATION % ("web", "linked/web")})
    (source.remote.work / "linked").symlink_to("apps")
    assert [str(error) for error in source.read().errors] == [
        "apps/all.yaml:1: Application web: its path 'linked/web' leads through the symbolic link linked "
        "(links are not followed)"
    ]


def test_all_errors_are_said_up_to_a_bound(source: Source) -> None:
    messages = source.refused({f"apps/web/{number:03}.yaml": "kind: Pod\n" for number in range(60)})
    assert messages == [f"apps/web/{number:03}.yaml:1: Pod: apiVersion: is required" for number in range(50)]
    with pytest.raises(CommitRefused, match=r"60 errors(.|\n)*\n  and 10 more$"):
        source.read().require()


def test_things_that_are_only_worth_a_warning(source: Source) -> None:
    source.remote.write({**GOOD, "apps/web/pod.yaml": POD % "web" + "  nodeName: b\n"})
    source.remote.write({"apps/empty/notes.txt": "nothing\n"})
    reading = source.read()
    assert reading.desired is not None
    assert [str(warning) for warning in reading.warnings] == [
        "apps/empty:1: Application empty: its folder 'apps/empty' holds no manifest",
        "apps/web/pod.yaml:1: Pod web: spec.nodeName: there is no host 'b': its pods wait",
    ]


def put_submodule(source: Source, path: str) -> None:
    """In the index: nothing of it is checked out."""
    empty = source.remote.git("hash-object", "-t", "tree", "/dev/null")
    commit = source.remote.git("commit-tree", empty, "-m", "other")
    if (source.remote.work / path).exists():
        source.remote.git("rm", "-r", "--quiet", path)
    source.remote.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    source.remote.git("commit", "--quiet", "-m", "submodule")
    source.remote.git("push", "--quiet", "origin", "HEAD:refs/heads/main")


@pytest.mark.parametrize(
    ("path", "files", "expected"),
    [
        pytest.param("apps/web", {}, ["apps/web: is a submodule, whose content is not read"], id="application"),
        pytest.param("apps/web/vendor", {}, ["apps/web/vendor: is a submodule, whose content is not read"], id="below"),
        pytest.param("hosts", {}, ["hosts: is a submodule, whose content is not read"], id="hosts"),
        pytest.param("apps", {}, ["apps: is a submodule, whose content is not read"], id="all applications"),
        pytest.param(
            "other",
            {"berth.yaml": CLUSTER + "---\n" + APPLICATION % ("web", "other/web")},
            ["berth.yaml:5: Application web: its path 'other/web' leads into the submodule other"],
            id="declared path",
        ),
        pytest.param("vendor", {}, [], id="elsewhere"),
        pytest.param("apps/web/.vendor", {}, [], id="hidden"),
    ],
)
def test_a_submodule_is_never_taken_for_an_empty_folder(
    source: Source, path: str, files: dict[str, str], expected: list[str]
) -> None:
    source.read({**GOOD, **files})
    put_submodule(source, path)
    source.repository.fetch("main")
    reading = DesiredReader(source.repository).read(source.repository.resolve("main"))
    hint = "put its files themselves there, or move it out of what is read"
    assert [str(error) for error in reading.errors] == [f"{text} ({hint})" for text in expected]


@pytest.mark.parametrize("is_checked_out", [True, False])
def test_a_submodule_on_disk_is_not_looked_into(tmp_path: Path, *, is_checked_out: bool) -> None:
    _fill(tmp_path, {**GOOD, "apps/more/pod.yaml": POD % "more"})
    if is_checked_out:
        (tmp_path / "apps/more/.git").write_text("gitdir: ../../.git/modules/more\n")
    else:
        (tmp_path / ".gitmodules").write_text('[submodule "more"]\n\tpath = apps/more\n\turl = ../more.git\n')
    assert [error.message for error in validate_path(tmp_path).errors] == ["is a submodule, whose content is not read"]


@pytest.mark.parametrize("name", ["hosts", "apps"])
def test_a_file_in_place_of_a_folder_of_the_layout_is_refused(source: Source, name: str) -> None:
    source.remote.git("rm", "-r", "--quiet", "--ignore-unmatch", name)
    files = {path: text for path, text in GOOD.items() if not path.startswith(f"{name}/")}
    assert [str(error) for error in source.read({**files, name: "../elsewhere"}).errors] == [
        f"{name}: is a file, and has to be a folder (remove it when there is to be none)"
    ]


@pytest.mark.parametrize("suffix", ["YAML", "YML", "Yaml", "yMl"])
def test_a_suffix_in_other_letters_is_the_same_suffix(source: Source, suffix: str) -> None:
    reading = source.read({**GOOD, f"apps/web/pod.{suffix}": POD % "odd"})
    assert ObjectKey("Pod", "default", "odd") in reading.require().objects


def test_json_in_other_letters_is_json(source: Source) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}}, indent="\t")
    assert ObjectKey("ConfigMap", "default", "odd") in source.read({**GOOD, "apps/web/c.Json": text}).require().objects


@pytest.mark.parametrize("name", ["pod.yaml ", "pod.yml\r", "pod.json\u200b"])
def test_what_cannot_be_seen_after_a_suffix_hides_no_manifest(source: Source, name: str) -> None:
    (error,) = source.read({**GOOD, f"apps/web/{name}": POD % "odd"}).errors
    assert error.message == "characters that cannot be seen stand after its suffix"


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param("apps/web/NOTES.md", "../../docs/web.md", id="readme"),
        pytest.param("apps/web/LICENSE", "../../LICENSE", id="without suffix"),
        pytest.param("apps/web/LICENSE", "../../docs/same", id="through a link"),
        pytest.param("apps/web/docs", "../../docs", id="folder without manifests"),
        pytest.param("apps/web/NOTES.md", "/usr/share/doc/README.md", id="out of the tree"),
        pytest.param("apps/web/NOTES.md", "nothing.md", id="to nothing"),
        pytest.param("apps/README.md", "../docs/web.md", id="beside applications"),
        pytest.param("hosts/README", "../docs/web.md", id="beside hosts"),
        pytest.param("apps/web/.hidden.yaml", "/etc/passwd", id="hidden"),
    ],
)
@pytest.mark.parametrize("from_folder", [False, True])
def test_a_link_beside_manifests_refuses_nothing(source: Source, link: str, target: str, from_folder: bool) -> None:
    source.remote.write({**GOOD, "docs/web.md": "# Web\n", "LICENSE": "free\n"})
    (source.remote.work / "docs/same").symlink_to("../LICENSE")
    (source.remote.work / link).symlink_to(target)
    reading = source.read()
    errors = validate_path(source.remote.work).errors if from_folder else reading.errors
    assert errors == ()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        pytest.param("apps/web/more", "../../other", id="folder with manifests"),
        pytest.param("apps/web/more", "../../around", id="through a link"),
        pytest.param("apps/web/more", "/srv/manifests", id="out of the tree"),
        pytest.param("apps/web/more", "more", id="to itself"),
        pytest.param("apps/more", "../docs", id="in place of an application"),
        pytest.param("apps/web/a.YAML", "../../docs/web.md", id="by its suffix"),
    ],
)
def test_a_link_that_may_hold_manifests_is_refused(source: Source, link: str, target: str) -> None:
    source.remote.write({**GOOD, "docs/web.md": "# Web\n", "other/deep/pod.yaml": POD % "other"})
    (source.remote.work / "around").symlink_to("other")
    (source.remote.work / link).symlink_to(target)
    (error,) = source.read().errors
    assert (error.file, error.message.startswith("is a symbolic link")) == (link, True)


@pytest.mark.parametrize("name", [b"Icon\r", "größe".encode("latin-1"), b"two\nlines", "caf\u0065\u0301".encode()])
@pytest.mark.parametrize("folder", ["assets", "apps/web", "assets/odd"])
def test_an_odd_name_beside_manifests_refuses_nothing(source: Source, name: bytes, folder: str) -> None:
    source.remote.write(GOOD)
    place = source.remote.work / folder
    place.mkdir(parents=True, exist_ok=True)
    Path(os.fsdecode(os.fsencode(place) + b"/" + name)).write_text("x")
    inner = Path(os.fsdecode(os.fsencode(place) + b"/" + name + b"-folder"))
    inner.mkdir()
    (inner / "notes").write_text("x")
    assert (source.read().errors, validate_path(source.remote.work).errors) == ((), ())


def test_a_manifest_of_an_odd_name_is_read(source: Source) -> None:
    source.remote.write(GOOD)
    odd = Path(os.fsdecode(os.fsencode(source.remote.work / "apps/web") + "/größe.yaml".encode("latin-1")))
    odd.write_text(POD % "odd")
    key = ObjectKey("Pod", "default", "odd")
    report = validate_path(source.remote.work)
    assert (report.errors, key in {obj.key for obj, _ in report.objects}) == ((), True)
    assert key in source.read().require().objects


AUTOSCALER = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {kind: Deployment, name: web}
  maxReplicas: 3
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  - {type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: 1}}}
"""
CANARY = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: bird
  annotations:
    berth.dev/strategy: canary
    berth.dev/canary-steps: 10% if errors
    berth.dev/canary-checks: "errors: sum(errors) < 1"
spec:
  selector: {matchLabels: {app: bird}}
  template:
    metadata: {labels: {app: bird}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""


def test_what_needs_a_metrics_server_is_warned_of_without_one(source: Source) -> None:
    files = {**GOOD, "apps/web/hpa.yaml": AUTOSCALER, "apps/web/bird.yaml": CANARY}
    missing = "there is no metrics server (spec.metrics.prometheus.url of the Cluster)"
    assert [str(warning) for warning in source.read(files).warnings] == [
        "apps/web/bird.yaml:1: Deployment bird: metadata.annotations['berth.dev/canary-checks']: "
        f"{missing}: its canaries stop at the first step that asks for a check",
        f"apps/web/hpa.yaml:1: HorizontalPodAutoscaler web: spec.metrics[1]: {missing}: the metric has no value",
    ]
    served = CLUSTER + "spec: {metrics: {prometheus: {url: 'http://127.0.0.1:9090'}}}\n"
    assert source.read({**files, "berth.yaml": served}).warnings == ()


# --- folders and files without Git --------------------------------------------------------------------------------


def _fill(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_working_directory_is_checked_as_a_commit_is(source: Source, tmp_path: Path) -> None:
    by_commit = source.read(GOOD).require()
    by_folder = validate_path(_fill(tmp_path / "copy", {**GOOD, ".git/x.yaml": "a: [", "apps/.b/c.yaml": "a: ["}))
    assert (by_folder.errors, dict(by_commit.objects)) == ((), {obj.key: obj for obj, _ in by_folder.objects})


def test_a_bare_folder_and_a_single_file(tmp_path: Path) -> None:
    folder = _fill(
        tmp_path, {"a.yaml": (POD % "a").replace("name: a\n", "name: a\n  namespace: x\n"), "b/c.json": "{}"}
    )
    report = validate_path(folder)
    assert [str(error) for error in report.errors] == ["b/c.json:1: apiVersion: is required"]
    report = validate_path(folder / "a.yaml")
    assert ([str(origin) for _, origin in report.objects], report.errors) == (["a.yaml:1"], ())


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        validate_path(tmp_path / "nothing")
    assert str(caught.value) == f"{tmp_path / 'nothing'} does not exist"
    os.mkfifo(tmp_path / "pipe.yaml")
    assert validate_path(tmp_path).objects == ()
