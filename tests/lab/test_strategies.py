"""Canary and blue-green on real hosts, by annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab

STEPS = "25%:2s, 50%:hold"


def staged(name: str, image: str, strategy: str, steps: str = "") -> dict[str, str | bytes | None]:
    document = yaml.safe_load(deployment(name, image=image, replicas=4))
    said = {"berth.dev/strategy": strategy, **({"berth.dev/canary-steps": steps} if steps else {})}
    document["metadata"]["annotations"] = said
    return {f"apps/{name}/{name}.yaml": yaml.safe_dump(document, sort_keys=False)}


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("strategies")
    files = {**staged("bird", "web:v1", "canary", STEPS), **staged("pair", "web:v1", "blue-green")}
    return Cluster.create(lab, "strategies", home, files=files)


@pytest.fixture(scope="module", autouse=True)
def _berth(cluster: Cluster) -> Iterator[None]:
    with cluster.running():
        cluster.wait_running("bird-", 4, timeout_seconds=60)
        cluster.wait_running("pair-", 4, timeout_seconds=60)
        yield


def images(cluster: Cluster, name: str) -> Counter[str]:
    return Counter(found.image for found in cluster.running_pods(name))


def test_a_canary_goes_in_steps_and_on_by_a_commit(cluster: Cluster) -> None:
    cluster.push("A canary", staged("bird", "web:v2", "canary", STEPS))
    cluster.wait(lambda: images(cluster, "bird-") == {"web:v1": 3, "web:v2": 1}, "one new pod", pod="bird-")
    cluster.wait(lambda: images(cluster, "bird-") == {"web:v1": 2, "web:v2": 2}, "two new pods", pod="bird-")
    cluster.wait(lambda: "canary: 2 of 4 pods are new (50%)" in cluster.readme, "a status that says where it rests")
    assert images(cluster, "bird-") == {"web:v1": 2, "web:v2": 2}
    cluster.push("It sings", staged("bird", "web:v2", "canary", "25%:2s"))
    cluster.wait_running("bird-", 4, image="web:v2")


def test_blue_and_green_stand_side_by_side(cluster: Cluster) -> None:
    seen: list[Counter[str]] = []

    def is_green() -> bool:
        seen.append(images(cluster, "pair-"))
        return seen[-1] == {"web:v2": 4}

    cluster.push("Green", staged("pair", "web:v2", "blue-green"))
    cluster.wait(is_green, "four green pods alone", pod="pair-")
    both = [one for one in seen if one["web:v1"] < 4 and one["web:v2"] < 4]
    assert both == [], "a blue pod went before the last green one ran"
