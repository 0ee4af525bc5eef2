"""Environments: expansion, references, what is missing. Kubernetes' own table of expansion is run beside this."""

from __future__ import annotations

import pytest

from differ.kubelet.containers.environment import PodContext, expand, resolve_environment
from objects.api.core import ConfigMap, Secret
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
    SecretEnvSource,
    SecretKeySelector,
)
from objects.api.volumes import ObjectFieldSelector, ResourceFieldSelector
from objects.errors import ContainerConfigError
from objects.names import ANNOTATION_UNREAD
from objects.secrets import SecretValue
from tests.unit.differ.building import assign

CONFIG_MAP = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"b": "bee", "a": "ay"})
SECRET = Secret(metadata=ObjectMeta(name="s", namespace="default"), data={"p": SecretValue(b"pass")})
LIMITED = ResourceRequirements(limits={"cpu": "1500m", "memory": "100Mi"}, requests={"cpu": "250m"})
POD = Pod(
    metadata=ObjectMeta(
        name="web-1",
        namespace="default",
        uid="u",
        labels={"app": "web", "tier": 'a "b"\\c'},
        annotations={"note": "two\nlines"},
    ),
    spec=PodSpec(
        containers=(Container(name="main"), Container(name="other", resources=LIMITED)), service_account_name="robot"
    ),
    status=PodStatus(pod_ip="10.244.3.7"),
)


def context(pod: Pod = POD) -> PodContext:
    return PodContext(
        pod,
        assign(
            pod,
            config_maps={("default", "c"): CONFIG_MAP},
            secrets={("default", "s"): SECRET},
            node_allocatable={"cpu": 4, "memory": "8Gi"},
        ),
    )


def key_of(kind: str, name: str, key: str, *, optional: bool | None = None) -> EnvVarSource:
    if kind == "c":
        return EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name=name, key=key, optional=optional))
    return EnvVarSource(secret_key_ref=SecretKeySelector(name=name, key=key, optional=optional))


def field(path: str) -> EnvVarSource:
    return EnvVarSource(field_ref=ObjectFieldSelector(field_path=path))


def resource(name: str, *, container: str = "", divisor: str | None = None) -> EnvVarSource:
    return EnvVarSource(
        resource_field_ref=ResourceFieldSelector(resource=name, container_name=container, divisor=divisor)
    )


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        pytest.param("$(A)-$(B)", {"A": "1", "B": "2"}, "1-2", id="two"),
        pytest.param("$$(A)", {"A": "1"}, "$(A)", id="escaped"),
        pytest.param("$$$(A)", {"A": "1"}, "$1", id="escaped-dollar-then-reference"),
        pytest.param("$(A) $B ${A}", {"A": "1", "B": "2"}, "1 $B ${A}", id="only-parentheses"),
        pytest.param("a $(S) b", {"S": SecretValue(b"x")}, SecretValue(b"a x b"), id="secret-stays-secret"),
        pytest.param("$(A)", {"A": "$(A)"}, "$(A)", id="once"),
    ],
)
def test_expand(text: str, values: dict[str, str | SecretValue], expected: str | SecretValue) -> None:
    assert expand(text, values) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(key_of("c", "c", "a"), "ay", id="config-map-key"),
        pytest.param(key_of("s", "s", "p"), SecretValue(b"pass"), id="secret-key"),
        pytest.param(key_of("c", "c", "none", optional=True), None, id="optional-key"),
        pytest.param(key_of("s", "none", "p", optional=True), None, id="optional-secret"),
        pytest.param(field("metadata.name"), "web-1", id="name"),
        pytest.param(field("metadata.namespace"), "default", id="namespace"),
        pytest.param(field("metadata.uid"), "u", id="uid"),
        pytest.param(field("metadata.labels['app']"), "web", id="label"),
        pytest.param(field("metadata.annotations['none']"), "", id="missing-annotation"),
        pytest.param(field("metadata.labels"), 'app="web"\ntier="a \\"b\\"\\\\c"', id="labels"),
        pytest.param(field("metadata.annotations"), 'note="two\\nlines"', id="annotations"),
        pytest.param(field("spec.nodeName"), "host-1", id="node"),
        pytest.param(field("spec.serviceAccountName"), "robot", id="service-account"),
        pytest.param(field("status.hostIP"), "192.0.2.1", id="host-ip"),
        pytest.param(field("status.podIPs"), "10.244.3.7", id="pod-ips"),
        pytest.param(resource("limits.cpu"), "4", id="limit-of-nobody-is-the-hosts"),
        pytest.param(resource("limits.cpu", container="other"), "2", id="cpu-rounds-up"),
        pytest.param(resource("limits.cpu", container="other", divisor="1m"), "1500", id="cpu-in-millis"),
        pytest.param(resource("requests.cpu", container="other", divisor="1m"), "250", id="request"),
        pytest.param(resource("requests.memory", container="other", divisor="1Mi"), "100", id="request-is-the-limit"),
        pytest.param(resource("requests.memory"), "0", id="no-request"),
    ],
)
def test_a_reference(source: EnvVarSource, expected: str | SecretValue | None) -> None:
    values = resolve_environment(Container(name="main", env=(EnvVar(name="V", value_from=source),)), context())
    assert values == ({} if expected is None else {"V": expected})


@pytest.mark.parametrize(
    ("container", "message"),
    [
        pytest.param(
            Container(env=(EnvVar(name="V", value_from=key_of("c", "none", "k")),)),
            'configmap "none" not found',
            id="config-map",
        ),
        pytest.param(
            Container(env=(EnvVar(name="V", value_from=key_of("s", "none", "k")),)),
            'secret "none" not found',
            id="secret",
        ),
        pytest.param(
            Container(env=(EnvVar(name="V", value_from=key_of("c", "c", "k")),)),
            "couldn't find key k in ConfigMap default/c",
            id="config-map-key",
        ),
        pytest.param(
            Container(env=(EnvVar(name="V", value_from=key_of("s", "s", "k")),)),
            "couldn't find key k in Secret default/s",
            id="secret-key",
        ),
        pytest.param(
            Container(env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="none")),)),
            'secret "none" not found',
            id="env-from",
        ),
        pytest.param(
            Container(env=(EnvVar(name="V", value_from=field("status.phase")),)),
            "unsupported fieldPath: status.phase",
            id="field",
        ),
        pytest.param(
            Container(env=(EnvVar(name="V", value_from=resource("limits.cpu", container="none")),)),
            "container none not found",
            id="container",
        ),
    ],
)
def test_what_is_missing_is_said(container: Container, message: str) -> None:
    with pytest.raises(ContainerConfigError) as caught:
        resolve_environment(container, context())
    assert caught.value.message == message


def test_later_ones_win_and_see_earlier_ones() -> None:
    container = Container(
        name="main",
        env_from=(
            EnvFromSource(prefix="X_", config_map_ref=ConfigMapEnvSource(name="c")),
            EnvFromSource(secret_ref=SecretEnvSource(name="s")),
            EnvFromSource(config_map_ref=ConfigMapEnvSource(name="none", optional=True)),
        ),
        env=(
            EnvVar(name="X_a", value="mine"),
            EnvVar(name="ALL", value="$(X_a) $(X_b) $(LATER)"),
            EnvVar(name="LATER", value="late"),
            EnvVar(name="URL", value="http://u:$(p)@h"),
        ),
    )
    assert list(resolve_environment(container, context()).items()) == [
        ("X_b", "bee"),
        ("p", SecretValue(b"pass")),
        ("X_a", "mine"),
        ("ALL", "mine bee $(LATER)"),
        ("LATER", "late"),
        ("URL", SecretValue(b"http://u:pass@h")),
    ]


def test_a_pod_on_the_hosts_network_has_the_hosts_address() -> None:
    pod = Pod(metadata=POD.metadata, spec=PodSpec(host_network=True, containers=(Container(name="main"),)))
    container = Container(name="main", env=(EnvVar(name="V", value_from=field("status.podIP")),))
    assert resolve_environment(container, context(pod)) == {"V": "192.0.2.1"}


@pytest.mark.parametrize("optional", [False, True], ids=["required", "optional"])
@pytest.mark.parametrize("kind", ["c", "s"], ids=["ConfigMap", "Secret"])
def test_a_config_that_nobody_can_read_is_never_taken_for_missing(kind: str, *, optional: bool) -> None:
    metadata = ObjectMeta(name=kind, namespace="default", annotations={ANNOTATION_UNREAD: "its commit is gone"})
    unread = assign(
        POD,
        config_maps={("default", "c"): ConfigMap(metadata=metadata)},
        secrets={("default", "s"): Secret(metadata=metadata)},
    )
    container = Container(name="main", env=(EnvVar(name="X", value_from=key_of(kind, kind, "k", optional=optional)),))
    with pytest.raises(ContainerConfigError, match="is not known: its commit is gone"):
        resolve_environment(container, PodContext(POD, unread))
