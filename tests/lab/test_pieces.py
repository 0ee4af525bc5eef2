"""Pieces of the lab that can be judged without bringing one up."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.lab import catalog, network
from tests.lab.berth_process import REPOSITORY, running_berth
from tests.lab.errors import LabError
from tests.lab.hostspec import HostSpec, plain_hosts
from tests.lab.images import Entry, archive, build_image
from tests.lab.lab import Lab
from tests.lab.names import LabNames, is_worker_lab, worker_lab
from tests.lab.processes import PACKAGES_FILE, PROGRAMS, Process, read_process, require_root_and_programs, run


@pytest.mark.parametrize(
    ("lab_name", "host", "bridge", "veth"),
    [
        pytest.param("berth", "host-1", "bl-berth-br", "bl-berth-h1", id="short names are kept"),
        pytest.param("berth", "registry", "bl-berth-br", "bl-berth-r8724", id="long host name"),
        pytest.param("a-very-long-lab-name", "host-12345", "bl-a-e430-br", "bl-a-e430-h7bb2", id="both long"),
    ],
)
def test_interface_names_fit_the_kernel(lab_name: str, host: str, bridge: str, veth: str) -> None:
    names = LabNames(lab_name).host(host)
    assert (names.lab.bridge, names.veth) == (bridge, veth)
    assert max(len(bridge), len(veth)) <= 15


@pytest.mark.parametrize("name", ["", "Upper", "_images", "../x", "1st", "a" * 21, "with.dot"])
def test_names_that_could_not_be_cleaned_up_safely_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="lab name"):
        LabNames(name)


@pytest.mark.parametrize(
    ("taken", "remembered", "expected"),
    [
        pytest.param(set(), None, 121, id="derived from the name"),
        pytest.param({121, 122}, None, 123, id="the next free one"),
        pytest.param(set(), 150, 150, id="as last time"),
        pytest.param({150}, 150, 121, id="another lab took it meanwhile"),
    ],
)
def test_choose_block(taken: set[int], remembered: int | None, expected: int) -> None:
    assert network.choose_block("nsx", taken=taken, remembered=remembered) == expected


def test_hosts_of_one_name_are_refused_before_anything_is_made() -> None:
    with pytest.raises(LabError, match="two hosts of one name: git, registry, host-1, host-1"):
        Lab.up("twins", [HostSpec("host-1"), HostSpec("host-1")])
    assert not LabNames("twins").state.exists()


def test_missing_programs_are_named_with_their_packages(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"dockerd.*apt-get install .*docker\.io"):
        require_root_and_programs(search_path=str(tmp_path))


def test_every_package_that_programs_need_is_installed_by_make() -> None:
    # containerd and runc come with docker.io; util-linux is on every Debian.
    implied = {"containerd", "runc", "util-linux"}
    # Its program comes with docker.io, or in a package of its own; the keys of Debian are no program.
    more = {"docker-cli?", "debian-archive-keyring"}
    assert set(PROGRAMS.values()) - implied == set(PACKAGES_FILE.read_text().split()) - more


def test_without_root_the_lab_says_so() -> None:
    command = ["unshare", "--user", sys.executable, "-m", "tests.lab", "up", "--name", "rootless"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    assert (done.returncode, b"run it as root" in done.stderr) == (1, True)


def test_plain_hosts() -> None:
    assert plain_hosts(2) == [HostSpec("host-1"), HostSpec("host-2")]


def test_equal_content_is_an_equal_image() -> None:
    first, second = (build_image("a:1", files={"/b": "b", "/a": Entry(link="b")}) for _ in range(2))
    assert first == second
    assert build_image("a:1", files={"/b": "c"}).image_id != first.image_id


def test_archive_holds_a_shared_layer_once() -> None:
    base = build_image("base:1", files={"/base": "x"})
    above = build_image("above:1", "above:2", base=base, files={"/above": "y"})
    out = io.BytesIO()
    archive([base, above], out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        names = tar.getnames()
    layers = [f"{layer.digest}/layer.tar" for layer in above.layers]
    assert sorted(name for name in names if name.endswith("layer.tar")) == sorted(layers)


def test_each_worker_of_a_parallel_run_has_a_lab_of_its_own() -> None:
    assert [worker_lab("ci", worker) for worker in ("", "0", "1")] == ["ci", "ci-0", "ci-1"]
    labs = ["ci", "ci-0", "ci-12", "ci-2nd", "ci2-0", "ci-0-2nd"]
    assert [name for name in labs if is_worker_lab(name, "ci")] == ["ci-0", "ci-12"]


def test_the_catalog_is_cached_until_it_changes(tmp_path: Path) -> None:
    images = catalog.build_catalog()
    first = catalog.catalog_archive(tmp_path, images)
    (cached,) = tmp_path.iterdir()
    written = cached.stat()
    assert catalog.catalog_archive(tmp_path, images) == first
    assert cached.stat().st_mtime_ns == written.st_mtime_ns
    assert catalog.catalog_archive(tmp_path, images[:2]) != first
    assert len([*tmp_path.iterdir()]) == 2


def test_a_recycled_pid_is_not_the_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        process = read_process(sleeper.pid)
        assert process is not None
        assert process.is_alive
        earlier = Process(process.pid, process.start_ticks - 1, process.inner_pids, process.command)
        earlier.send(9)
        assert (earlier.is_alive, process.is_alive) == (False, True)
        process.send(9)
        assert sleeper.wait(timeout=10) == -9
    assert not process.is_alive


def test_run_tells_what_failed_in_its_own_words() -> None:
    with pytest.raises(LabError, match=r"exit code 3 from sh -c .*: no such luck"):
        run(["sh", "-c", "echo no such luck >&2; exit 3"])
    with pytest.raises(LabError, match=r"no end after 0\.1 s"):
        run(["sleep", "5"], timeout_seconds=0.1)


def test_berth_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    with running_berth("--help", log=tmp_path / "log", directory=tmp_path) as berth:
        berth.wait_for("Usage: berth")
        assert berth.wait(timeout_seconds=20) == 0
        with pytest.raises(LabError, match="berth ended with 0 without saying 'never said'"):
            berth.wait_for("never said")
