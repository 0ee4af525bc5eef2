"""Engines of other Debian releases: which packages are taken, and that a layer is made anew when it is damaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.lab import engines
from tests.lab.debian_archive import Suite, parse_mirror
from tests.lab.engines import EnginePins, Pin, choose_versions, ensure_layer, is_version, is_whole, layer_of, read_pins
from tests.lab.errors import LabError
from tests.lab.hostspec import MIXED_ENGINES
from tests.lab.processes import run

PINS = EnginePins("28", ("sid",), {"docker.io": Pin("28.5.2+dfsg4-5", "aa"), "runc": Pin("1.3.6+ds1-1", "bb")})


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        pytest.param(
            {"docker.io": ["29.1.0-1", "28.5.2+dfsg4-5"], "runc": ["1.4.0-1", "1.3.6+ds1-1"]},
            {"docker.io": "28.5.2+dfsg4-5", "runc": "1.3.6+ds1-1"},
            id="as pinned",
        ),
        pytest.param(
            {"docker.io": ["28.6.0-1", "28.5.3-1"], "runc": ["1.4.0-1"]},
            {"docker.io": "28.6.0-1", "runc": "1.4.0-1"},
            id="the suite has moved on within the major version",
        ),
        pytest.param({"docker.io": ["29.1.0-1"], "runc": ["1.3.6+ds1-1"]}, None, id="to another engine"),
        pytest.param({"docker.io": ["28.5.2+dfsg4-5"]}, None, id="a package is missing"),
    ],
)
def test_choose_versions(offered: dict[str, list[str]], chosen: dict[str, str] | None) -> None:
    assert choose_versions(PINS, offered) == chosen


@pytest.mark.parametrize(
    ("version", "engine", "expected"),
    [
        ("28.5.2+dfsg4-5", "28", True),
        ("20.10.24+dfsg1", "20.10", True),
        ("28.5.2", "2", False),
        ("2.8", "28", False),
        ("28", "28", True),
    ],
)
def test_is_version(version: str, engine: str, expected: bool) -> None:
    assert is_version(version, engine) is expected


@pytest.mark.parametrize(
    ("targets", "mirror"),
    [
        pytest.param("Debian|bookworm|http://mirror.example/debian/\n", "http://mirror.example/debian", id="the one"),
        pytest.param(
            "Somebody|stable|https://other.example/apt/\nDebian|bookworm-security|http://m.example/security/\n"
            "Debian|bookworm-updates|http://m.example/debian/\n",
            "http://m.example/debian",
            id="not of others, nor the security archive",
        ),
        pytest.param("Ubuntu|noble|http://mirror.example/ubuntu/\n", "", id="another distribution"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_machines_own_mirror(targets: str, mirror: str) -> None:
    assert parse_mirror(targets) == mirror


def test_a_suite_that_cannot_be_reached_is_named_with_what_to_do(tmp_path: Path) -> None:
    suite = Suite("trixie", "http://127.0.0.1:9/debian", tmp_path)
    with pytest.raises(
        LabError, match=r"suite trixie cannot be read from http://127\.0\.0\.1:9/debian.*BERTH_LAB_MIRROR"
    ):
        suite.update()


def test_an_engine_that_nobody_pinned() -> None:
    with pytest.raises(LabError, match=r"no engine '19' for amd64; it has 28, 26, 20\.10"):
        read_pins("19", architecture="amd64")


def test_a_damaged_layer_is_made_anew_from_the_kept_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = next(each for each in MIXED_ENGINES if layer_of(each) is not None)
    ensure_layer(engine, print)
    (tmp_path / "packages").symlink_to(engines.STORE / "packages")
    monkeypatch.setattr(engines, "STORE", tmp_path)
    layer = layer_of(engine)
    assert layer is not None
    daemon = layer / "usr/sbin/dockerd"
    daemon.parent.mkdir(parents=True)
    daemon.write_bytes(b"torn")
    (layer / "layer.json").write_text('{"files": {"usr/sbin/dockerd": 79640312}}')
    assert not is_whole(layer)
    ensure_layer(engine, print)
    assert is_whole(layer)
    assert is_version(run([str(daemon), "--version"]).stdout.decode().split()[2], engine)


def test_a_torn_download_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "STORE", tmp_path)
    whole, torn = (tmp_path / "packages" / f"{name}_1%3a2-3_amd64.deb" for name in ("whole", "torn"))
    whole.parent.mkdir()
    for path in (whole, torn):
        path.write_bytes(b"content")
    digest = hashlib.sha256(b"content").hexdigest()
    torn.write_bytes(b"cont")
    assert engines.kept_package("whole", Pin("1:2-3", digest)) == whole
    assert engines.kept_package("torn", Pin("1:2-3", digest)) is None
    assert not torn.exists()
