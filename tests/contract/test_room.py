"""What is measured of a host, and how room is made on it: the same on a simulated host and on a real Docker Engine."""

from __future__ import annotations

import msgspec
import pytest

from differ.kubelet.actions import RemoveImage
from differ.kubelet.usage import pod_uses
from objects.api.pods import PodStatus
from objects.api.volumes import EmptyDirVolumeSource, Volume
from objects.errors import EngineError
from tests.contract.world import Kubelet, container, make_pod, show


def test_nothing_of_an_evicted_pod_stays_on_its_host(kubelet: Kubelet) -> None:
    volume = Volume(name="cache", empty_dir=EmptyDirVolumeSource())
    pod = make_pod("evicted", container("stubborn"), container("sleeper"), volumes=(volume,))
    kubelet.settle(pod)
    status = PodStatus(phase="Failed", reason="Evicted", message="why", pod_ip=pod.status.pod_ip)
    evicted = msgspec.structs.replace(pod, status=status)
    kubelet.until(lambda _: not kubelet.world.runtime.observe().containers, evicted)
    plan = kubelet.step(evicted)
    found = plan.statuses[pod.uid]
    assert show(found) == "Failed [stubborn Error(137) r0, sleeper Completed(0) r0]"
    assert (found.reason, found.message, plan.gone, plan.actions) == ("Evicted", "why", (), ())
    kubelet.forget()
    kubelet.step(evicted)  # a fresh process makes sure of the volumes once more
    assert kubelet.step(evicted).actions == ()


def test_what_runs_is_measured(kubelet: Kubelet) -> None:
    volume = Volume(name="cache", empty_dir=EmptyDirVolumeSource())
    pod = make_pod("measured", container("sleeper"), volumes=(volume,))
    kubelet.settle(pod)
    runtime = kubelet.world.runtime
    seen = runtime.observe()
    assert runtime.measure().containers == {}
    light = pod_uses(runtime.measure(containers=True), None, (pod,), seen.containers)[pod.uid]
    assert [(one.name, one.memory_bytes is None, one.disk_bytes) for one in light.containers] == [
        ("sleeper", False, None)
    ]
    whole = pod_uses(runtime.measure(containers=True, disk=True), None, (pod,), seen.containers)[pod.uid]
    assert [(one.name, one.disk_bytes is None) for one in whole.containers] == [("sleeper", False)]
    left = runtime.measure().vitals
    assert left.memory_available_bytes > 0
    assert 0 < left.disk_free_bytes <= left.disk_bytes


def test_an_image_in_use_stays(kubelet: Kubelet) -> None:
    kubelet.settle(make_pod("user", container("sleeper")))
    runtime = kubelet.world.runtime
    (found,) = runtime.observe().containers
    image = next(one for one in runtime.observe().facts.images if one.id == found.image_id)
    with pytest.raises(EngineError) as caught:
        runtime.perform(RemoveImage(id=image.id))
    assert caught.value.status == 409
    assert image.id in {one.id for one in runtime.observe().facts.images}


def test_an_image_that_is_gone_already_is_fine(kubelet: Kubelet) -> None:
    kubelet.world.runtime.perform(RemoveImage(id="sha256:" + "0" * 64, names=("no/such:image",)))
