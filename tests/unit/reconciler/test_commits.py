"""Commits as messages, on a real repository: what is new, what is refused, what a fresh process is told."""

import pytest

from objects.api.meta import ObjectKey
from objects.errors import SourceError
from reconciler.desired.commits import CommitReader, both_said
from reconciler.state.messages import Desired
from sources.git.repository import Repository
from sources.reading.desired import CommitRefused
from tests.unit.sources.conftest import Remote

BERTH = "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: demo}\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: %d
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec: {containers: [{name: c, image: web:v1}]}
"""
KEY = ObjectKey("Deployment", "default", "web")


def web(replicas=1, label="web"):
    return {"berth.yaml": BERTH, "apps/shop/web.yaml": WEB % (replicas, label, label)}


@pytest.fixture
def remote(tmp_path):
    return Remote(tmp_path / "git")


@pytest.fixture
def reader(remote, tmp_path):
    with Repository(remote.url, tmp_path / "cache") as repository:
        yield CommitReader(repository, "main")


def test_a_commit_is_told_once(remote, reader):
    sha = remote.push(web())
    desired = reader.read()
    assert (desired.commit, desired.application[KEY]) == (sha, "shop")
    assert reader.read() is None


def test_a_commit_that_changes_nothing_of_what_is_desired_is_not_told(remote, reader):
    remote.push(web())
    reader.read()
    remote.push({"README.md": "# Our cluster\n"})
    assert reader.read() is None
    remote.push(web(replicas=2))
    assert reader.read() is not None


def test_a_refused_commit_is_refused_each_time_and_a_newer_good_one_is_told(remote, reader):
    remote.push(web())
    reader.read()
    remote.push({"apps/shop/web.yaml": WEB.replace("replicas", "replcas") % (1, "web", "web")})
    for _ in range(2):
        with pytest.raises(CommitRefused, match="did you mean 'replicas'"):
            reader.read()
    sha = remote.push(web(replicas=3))
    assert reader.read().commit == sha


def test_a_deletion_is_confirmed_by_any_commit_since_the_one_in_force(remote, reader):
    remote.push(web())
    reader.read()
    remote.push({"notes": "1"}, message="Clean up\n\nBerth-Confirm-Delete: all\nBerth-Orphan: Deployment/shop/web")
    remote.push({"notes": "2"})
    desired = reader.read()
    assert (desired.confirmations, desired.orphaned) == (("all",), {"Deployment/shop/web"})


def test_a_commit_that_was_read_halfway_is_read_again(remote, reader, monkeypatch):
    remote.push(web())
    reader.read()
    sha = remote.push(web(replicas=2), message="More\n\nBerth-Confirm-Delete: all")

    def full(*_, **__):
        raise SourceError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(reader._repository, "trailers", full)
        for _ in range(2):
            with pytest.raises(SourceError, match="no space"):
                reader.read()
    desired = reader.read()
    assert (desired.commit, desired.confirmations) == (sha, ("all",))


def test_who_is_to_go_alone_is_told_although_the_files_are_the_same(remote, reader):
    remote.push(web())
    reader.read()
    remote.push({"notes": "1"})
    assert reader.read() is None
    remote.push({"notes": "2"}, message="It shall go alone\n\nBerth-Orphan: Deployment/default/web")
    assert reader.read().orphaned == {"Deployment/default/web"}


def test_what_a_commit_says_counts_when_the_next_one_comes_before_it_was_taken_in():
    said = Desired(commit="c1", objects=(), confirmations=("all",), orphaned=frozenset({"a"}), given_up=frozenset("v"))
    later = Desired(commit="c2", objects=(), orphaned=frozenset({"b"}))
    both = both_said(said, later)
    assert (both.commit, both.confirmations, both.orphaned, both.given_up) == ("c2", ("all",), {"a", "b"}, {"v"})
    assert both_said(None, later) is later


def test_what_cannot_change_on_what_runs_is_refused_with_the_commit(remote, reader):
    remote.push(web())
    reader.read()
    remote.push(web(label="other"))
    with pytest.raises(CommitRefused, match=r"spec\.selector"):
        reader.read()


def test_a_fresh_process_compares_with_the_commit_in_force(remote, tmp_path):
    in_force = remote.push(web())
    remote.push(web(label="other"))
    with Repository(remote.url, tmp_path / "cache") as repository:
        fresh = CommitReader(repository, "main")
        fresh.start_from(in_force)
        with pytest.raises(CommitRefused, match=r"spec\.selector"):
            fresh.read()


def test_a_commit_in_force_that_is_gone_holds_nothing_up(remote, tmp_path):
    sha = remote.push(web())
    with Repository(remote.url, tmp_path / "cache") as repository:
        fresh = CommitReader(repository, "main")
        fresh.start_from("0" * 40)
        assert fresh.read().commit == sha


def test_any_revision_can_be_read_for_a_plan(remote, reader):
    first = remote.push(web())
    remote.push(web(replicas=2), branch="feature")
    assert reader.read().commit == first
    assert reader.read_at("feature").objects != reader.read_at(first).objects
