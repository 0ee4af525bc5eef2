"""A plan says which keys of a Secret change, and nothing else."""

from collections.abc import Mapping

import pytest

from differ.documents.objects import FieldChange, diff_documents
from differ.documents.secret_changes import CHANGED, with_changes_marked
from objects import codec
from objects.api.core import Secret
from objects.api.meta import ObjectMeta
from objects.secrets import MASK, SecretValue

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def secret(data: Mapping[str, str], *, applied: str = "") -> Secret:
    metadata = ObjectMeta(name="db", annotations={APPLIED: applied} if applied else {})
    return Secret(metadata=metadata, data={key: SecretValue(value.encode()) for key, value in data.items()})


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        pytest.param(secret({"a": "x"}), secret({"a": "x"}), (), id="nothing"),
        pytest.param(secret({"a": "x"}), secret({"a": "y"}), (("data.a", MASK, CHANGED),), id="changed"),
        pytest.param(secret({}), secret({"a": "y"}), (("data", None, {"a": MASK}),), id="first-key"),
        pytest.param(secret({"a": "x"}), secret({"a": "x", "b.c": "y"}), (("data['b.c']", None, MASK),), id="added"),
        pytest.param(secret({"a": "x", "b": "y"}), secret({"a": "x"}), (("data.b", MASK, None),), id="removed"),
        pytest.param(
            secret({"a": "x"}, applied='{"data":{"a":"eA=="}}'),
            secret({"a": "x"}, applied='{"data":{"a":"eQ=="}}'),
            ((f"metadata.annotations['{APPLIED}']", MASK, CHANGED),),
            id="annotation-of-kubectl",
        ),
    ],
)
def test_which_keys_change(old: Secret, new: Secret, fields: tuple[tuple[str, object, object], ...]):
    document = with_changes_marked(codec.encode(new), old, new)
    found = diff_documents(codec.encode(old), document)
    assert found == tuple(FieldChange(path=path, old=before, new=after) for path, before, after in fields)


def test_an_annotation_with_a_manifest_is_masked_whole_on_a_secret_alone():
    written = secret({"a": "x"}, applied='{"data":{"a":"b2xkLXZhbHVl"}}')
    assert "b2xkLXZhbHVl" not in codec.encode_json(written).decode()
    assert codec.encode(written)["metadata"]["annotations"] == {APPLIED: MASK}
    # What is revealed is what was written.
    revealed = codec.decode(codec.encode(written, reveal=True))
    assert revealed == written
