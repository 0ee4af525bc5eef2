"""Tables of the kubelet's `container` package and of its `$(NAME)` expansion."""

from __future__ import annotations

import pytest

from differ.kubelet.actions import PortBinding
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.containers.environment import PodContext, expand
from differ.kubelet.containers.mounts import expand_sub_path
from differ.kubelet.containers.spec import compose_container, port_bindings
from objects.api.pods import (
    Container,
    EnvVar,
    Pod,
    PodSpec,
)
from objects.codec import decode_struct
from objects.errors import ContainerConfigError
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "kubelet_container/cache__TestCacheSetAndGet": "Berth has no pod cache: every plan begins with a look",
    "kubelet_container/cache__TestGetIfNewerThanWhenPodExists": "no pod cache",
    "kubelet_container/cache__TestGetNewerThan": "no pod cache",
    "kubelet_container/cache__TestGetPodNewerThanWhenPodDoesNotExist": "no pod cache",
    "kubelet_container/helpers__TestAllContainersAreWindowsHostProcess": "no Windows hosts",
    "kubelet_container/helpers__TestHasAnyActiveRegularContainerStarted": "Go's PodStatus of the CRI; "
    "test_plan_host has the rule on observed containers",
    "kubelet_container/helpers__TestHasAnyRegularContainerStarted": "Berth looks at containers, not at statuses",
    "kubelet_container/helpers__TestHasPrivilegedContainer": "a question that nothing in Berth asks",
    "kubelet_container/helpers__TestHasWindowsHostProcessContainer": "no Windows hosts",
    "kubelet_container/helpers__TestHashContainerWithoutResources": "expects the numbers of Go's hash",
    "kubelet_container/helpers__TestSandboxToContainerState": "numbers of the CRI",
    "kubelet_container/helpers__TestShouldAllContainersRestart": "restartPolicyRules is an alpha field, refused",
    "kubelet_container/ref__TestFieldPath": "events of Berth name the pod, not a path in it",
    "kubelet_container/ref__TestGenerateContainerRef": "events of Berth name the pod, not a path in it",
    "kubelet_container/runtime__TestBuildPodFullName": "a name form inside the kubelet",
    "kubelet_container/runtime__TestContainerIDString": "ids are written as `docker://ID` in one place, tested there",
    "kubelet_container/runtime__TestGetPodFullName": "a name form inside the kubelet",
    "kubelet_container/runtime__TestParseContainerID": "nothing in Berth reads such an id back",
    "kubelet_container/runtime__TestParsePodFullName": "a name form inside the kubelet",
    "kubelet_container/runtime__TestPodFindContainerByID": "look-ups in a Go struct",
    "kubelet_container/runtime__TestPodFindContainerByName": "look-ups in a Go struct",
    "kubelet_container/runtime__TestPodFindSandboxByID": "look-ups in a Go struct",
    "kubelet_container/runtime__TestPodIsEmpty": "look-ups in a Go struct",
    "kubelet_container/runtime__TestPodStatusFindContainerStatusByName": "look-ups in a Go struct",
    "kubelet_container/runtime__TestPodsFindPod": "look-ups in a Go struct",
    "kubelet_container/runtime__TestRuntimeConditionString": "text of the CRI",
    "kubelet_container/runtime__TestRuntimeFeaturesString": "text of the CRI",
    "kubelet_container/runtime__TestRuntimeHandlerString": "text of the CRI",
    "kubelet_container/sync_result__TestMinBackoffExpiration": "Go's error aggregates; back-offs are `wake_at` here",
}

VALUES = {"VAR_A": "A", "VAR_B": "B", "VAR_C": "C", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}
"""The variables that the table of expansion assumes."""


@table("third_party_forked_golang_expansion/expand__doExpansionTest")
def test_expansion(case: Case) -> None:
    assert expand(case["input"], VALUES) == case["expected"]


@pytest.fixture
def context() -> PodContext:
    network = PodNetwork(subnet="10.244.0.0/24", cluster_cidr="10.244.0.0/16")
    assignment = HostAssignment(host="h", host_ip="192.0.2.1", network=network, pause_image="pause")
    return PodContext(Pod(spec=PodSpec(containers=(Container(name="c"),))), assignment)


def variables(case: Case) -> tuple[EnvVar, ...]:
    return tuple(
        EnvVar(name=e.get("Name") or e.get("name"), value=e.get("Value") or e.get("value") or "")
        for e in case.get("envs") or ()
    )


@table("kubelet_container/helpers__TestExpandCommandAndArgs")
def test_command_and_arguments(case: Case, context: PodContext) -> None:
    fields = {**case["container"], "name": "c"}
    check_command(decode_struct({**fields, "env": []}, Container), case, case.get("expectedCommand"), context)


@table("kubelet_container/helpers__TestExpandContainerCommandOnlyStatic")
def test_command_of_static_values(case: Case, context: PodContext) -> None:
    container = Container(name="c", command=tuple(case.get("command") or ()))
    check_command(container, case, case.get("expected"), context)


def check_command(container: Container, case: Case, expected: list[str] | None, context: PodContext) -> None:
    fields = {name: getattr(container, name) for name in container.__struct_fields__}
    with_variables = Container(**{**fields, "env": variables(case)})
    spec = compose_container(with_variables, context, attempt=0, sandbox_id="", host_memory_bytes=0)
    assert spec.entrypoint == (tuple(expected) if expected else None)


@table("kubelet_container/helpers__TestExpandVolumeMountsWithSubpath")
def test_sub_paths(case: Case, context: PodContext) -> None:
    # The table's mounts have neither name nor path, which no manifest may have: they are given some.
    mounts = [
        {"name": "v", "mountPath": "/v", **{k: v for k, v in m.items() if v}} for m in case["container"]["volumeMounts"]
    ]
    container = decode_struct({"name": "c", "volumeMounts": mounts}, Container)
    fields = {name: getattr(container, name) for name in container.__struct_fields__}
    container = Container(**{**fields, "env": variables(case)})
    (mount,) = container.volume_mounts
    if case["expectedOk"]:
        assert expand_sub_path(mount, container, context) == case["expectedSubPath"]
    else:
        with pytest.raises(ContainerConfigError):
            expand_sub_path(mount, container, context)


@table("kubelet_container/helpers__TestMakePortMappings")
def test_port_mappings(case: Case) -> None:
    container = decode_struct({**case["container"], "name": "c"}, Container)
    expected = tuple(
        PortBinding(
            container_port=port["ContainerPort"],
            protocol=port["Protocol"].lower(),
            host_port=port["HostPort"],
            host_ip=port["HostIP"],
        )
        for port in case["expectedPortMappings"]
    )
    assert port_bindings(container.ports) == expected
