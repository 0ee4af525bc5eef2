"""One file: what objects it gives, and what is said about what is wrong, with the line."""

from __future__ import annotations

import pytest

from objects import hashing
from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.names import ANNOTATION_TEMPLATE_HASH
from sources.reading.manifests import ParsedFile, Problem, parse_file
from sources.reading.template_hash import hash_as_written

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: web
    image: web:1
"""


def parse(text: str, **options: str) -> ParsedFile:
    return parse_file(text.encode(), **options)  # type: ignore[arg-type]


def errors(text: str) -> list[str]:
    return [str(problem.as_error("f.yaml")) for problem in parse(text).errors]


def test_objects_are_defaulted_and_know_their_line() -> None:
    parsed = parse(f"# head\n{POD}---\n# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: cm}}\n")
    assert [(found.obj.key, found.line, found.document) for found in parsed.manifests] == [
        (ObjectKey("Pod", "default", "web"), 2, 0),
        (ObjectKey("ConfigMap", "default", "cm"), 13, 2),
    ]
    pod = parsed.manifests[0].obj
    assert isinstance(pod, Pod)
    assert (pod.spec.restart_policy, parsed.errors) == ("Always", ())


def test_the_namespace_of_the_application() -> None:
    other = POD.replace("name: web\nspec", "name: web2\n  namespace: own\nspec")
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: n}\n"
    parsed = parse(f"{POD}---\n{other}---\n{space}", namespace="shop")
    assert [found.obj.key for found in parsed.manifests] == [
        ObjectKey("Pod", "shop", "web"),
        ObjectKey("Pod", "own", "web2"),
        ObjectKey("Namespace", "", "n"),
    ]


def test_json() -> None:
    text = b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "\\u00e4"}}'
    (found,) = parse_file(text, is_json=True).manifests
    assert isinstance(found.obj, ConfigMap)
    assert found.obj.data == {"a": "ä"}


_ITEM = "- metadata: {name: %s}\n  data: {a: b}\n"
_FULL_ITEM = "- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: %s}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            "apiVersion: v1\nkind: List\nitems:\n" + _FULL_ITEM % "a" + _FULL_ITEM % "b",
            [("a", 4), ("b", 7)],
            id="list",
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMapList\nitems:\n" + _ITEM % "a" + _ITEM % "b",
            [("a", 4), ("b", 6)],
            id="typed",
        ),
        pytest.param("apiVersion: v1\nkind: List\nitems: []\n", [], id="empty"),
    ],
)
def test_lists_are_taken_apart(text: str, found: list[tuple[str, int]]) -> None:
    parsed = parse(text)
    assert ([(item.obj.name, item.line) for item in parsed.manifests], parsed.errors) == (found, ())


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        pytest.param(
            POD.replace("image:", "imge:"),
            ["f.yaml:8: Pod web: spec.containers[0].imge: unknown field (did you mean 'image'?)"],
            id="unknown-field",
        ),
        pytest.param(
            POD + "  hostNetwork: 3\n",
            ["f.yaml:9: Pod web: spec.hostNetwork: must be true or false, not a whole number"],
            id="wrong-type",
        ),
        pytest.param(
            POD + "  imge: 1\n  hostPID: 'x'\n",
            [
                "f.yaml:9: Pod web: spec.imge: unknown field",
                "f.yaml:10: Pod web: spec.hostPID: must be true or false, not a text",
            ],
            id="several-at-once",
        ),
        pytest.param(
            "apiVersion: v1\nkind: List\nitems:\n" + _FULL_ITEM % "a" + "  dta: {}\n",
            ["f.yaml:7: ConfigMap a: dta: unknown field (did you mean 'data'?)"],
            id="in-a-list",
        ),
        pytest.param(
            "apiVersion: v1\nkind: Pd\nmetadata: {name: x}\n",
            ["f.yaml:2: Pd x: kind: kind 'Pd' (v1) is not known to Berth (did you mean Pod?)"],
            id="unknown-kind",
        ),
        pytest.param("kind: Pod\n", ["f.yaml:1: Pod: apiVersion: is required"], id="no-api-version"),
        pytest.param(
            "hello\n", ["f.yaml:1: a manifest must be a mapping with apiVersion and kind"], id="not-a-mapping"
        ),
        pytest.param(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}\n",
            ["f.yaml:4: ConfigMap x: data.a: must be a text, not a whole number (put it in quotes)"],
            id="number-for-text",
        ),
        pytest.param(
            POD.replace("name: web\nspec", "name: Web_1\nspec") + "    ports: [{}]\n",
            ["f.yaml:9: Pod Web_1: spec.containers[0].ports[0].containerPort: is required"],
            id="decoding-comes-before-validation",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(text: str, messages: list[str]) -> None:
    assert errors(text) == messages


def test_validation_speaks_with_lines_too() -> None:
    (message,) = errors(POD + "    ports:\n    - containerPort: 70000\n")
    assert message.startswith("f.yaml:10: Pod web: spec.containers[0].ports[0].containerPort: ")


def test_one_bad_document_does_not_hide_the_next() -> None:
    parsed = parse(f"kind: Pod\n---\n{POD}")
    assert ([found.obj.name for found in parsed.manifests], len(parsed.errors)) == (["web"], 1)


def test_syntax_errors_end_the_file() -> None:
    parsed = parse(f'{POD}---\na: "x\n')
    assert parsed.manifests == ()
    assert parsed.errors == (Problem(10, (), "not valid YAML: a quote is opened here and never closed"),)


def test_booleans_of_yaml_1_1_where_a_boolean_is_meant() -> None:
    parsed = parse(POD + "  hostNetwork: yes\n  hostname: no\n  hostPID: off\n")
    (found,) = parsed.manifests
    assert isinstance(found.obj, Pod)
    assert (found.obj.spec.host_network, found.obj.spec.hostname, found.obj.spec.host_pid) == (True, "no", False)
    said = [str(problem.as_warning("f.yaml")) for problem in parsed.warnings if "is read as" in problem.message]
    assert (parsed.errors, said) == (
        (),
        [
            "f.yaml:9: Pod web: spec.hostNetwork: 'yes' is read as true (write true)",
            "f.yaml:11: Pod web: spec.hostPID: 'off' is read as false (write false)",
        ],
    )


def test_a_quoted_yes_is_a_text() -> None:
    assert errors(POD + "  hostNetwork: 'yes'\n") == [
        "f.yaml:9: Pod web: spec.hostNetwork: must be true or false, not a text"
    ]


def test_old_versions_are_converted_and_said() -> None:
    parsed = parse(
        "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n"
        "    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: i}]}\n"
    )
    said = [str(problem.as_warning("f.yaml")) for problem in parsed.warnings]
    assert ([found.obj.API_VERSION for found in parsed.manifests], parsed.errors) == (["apps/v1"], ())
    old = "extensions/v1beta1 Deployment is an old API version: read as apps/v1 Deployment"
    assert f"f.yaml:1: Deployment web: apiVersion: {old}" in said


def test_secret_values_are_in_no_message() -> None:
    values = "data: {a: canary!, b: canary2!}\nstringData: {c: [canary]}\n"
    said = errors(f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\n{values}")
    assert len(said) == 3
    assert "canary" not in "".join(said)


# --- template hash ------------------------------------------------------------------------------------------------


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, image: "web:1"}]}
"""


def template_hash(text: str) -> str:
    (found,) = parse(text).manifests
    return found.obj.annotations[ANNOTATION_TEMPLATE_HASH]


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        pytest.param(DEPLOYMENT.replace("replicas: 1", "replicas: 5"), True, id="scaled"),
        pytest.param("# comment\n" + DEPLOYMENT.replace('"web:1"', "'web:1'"), True, id="layout"),
        pytest.param(DEPLOYMENT.replace("apps/v1", "extensions/v1beta1"), True, id="api-version"),
        pytest.param(DEPLOYMENT.replace("web:1", "web:2"), False, id="image"),
        pytest.param(DEPLOYMENT.replace("{name: c,", "{name: c, tty: true,"), False, id="field"),
    ],
)
def test_the_template_hash_is_of_what_was_written(text: str, is_same: bool) -> None:
    assert (template_hash(text) == template_hash(DEPLOYMENT)) is is_same


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        pytest.param(POD.replace("name: web\nspec", "name: web\n  labels: {}\nspec"), False, id="labels"),
        pytest.param(POD.replace("web:1", "web:2"), False, id="image"),
        pytest.param(POD.replace("v1\nkind", "v1 # x\nkind"), True, id="comment"),
    ],
)
def test_a_bare_pods_hash(text: str, is_same: bool) -> None:
    assert (template_hash(text) == template_hash(POD)) is is_same


def test_kinds_that_run_nothing_have_no_hash() -> None:
    assert hash_as_written({"apiVersion": "v1", "kind": "ConfigMap", "data": {}}) is None
    assert hash_as_written({"kind": "CronJob", "spec": {"jobTemplate": {}}}) is not None


def test_a_hash_that_a_person_wrote_is_overwritten_and_said() -> None:
    text = POD.replace("name: web\nspec", f"name: web\n  annotations: {{{ANNOTATION_TEMPLATE_HASH}: mine}}\nspec")
    parsed = parse(text)
    assert parsed.manifests[0].obj.annotations[ANNOTATION_TEMPLATE_HASH] != "mine"
    assert [str(problem.as_warning("f")) for problem in parsed.warnings if "overwritten" in problem.message] == [
        "f:5: Pod web: metadata.annotations['berth.dev/template-hash']: is overwritten by Berth"
    ]


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        pytest.param("64Mi", "64Mi", id="as-written"),
        pytest.param("1024Mi", "1Gi", id="larger-suffix"),
        pytest.param("1073741824", "1Gi", id="without-suffix"),
        pytest.param("500M", "500M", id="decimal"),
        pytest.param("1000m", "1", id="whole"),
        pytest.param(0.5, "500m", id="number"),
        pytest.param("a-typo", "a-typo", id="unreadable"),
    ],
)
def test_equal_amounts_have_one_hash_that_of_the_usual_spelling(amount: str | float, text: str) -> None:
    def hash_with(memory: str | float) -> str | None:
        container = {"name": "a", "image": "a", "resources": {"requests": {"memory": memory}}}
        return hash_as_written({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}})

    assert hash_with(amount) == hash_with(text)
    assert hash_with(text) == hashing.template_hash(
        {"spec": {"containers": [{"name": "a", "image": "a", "resources": {"requests": {"memory": text}}}]}}
    )
