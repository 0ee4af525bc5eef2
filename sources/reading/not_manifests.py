"""Files and documents that are no manifests, but input of some tool: named for what they are, with what to do. Pure.

Only asked when something cannot be read, or has a mark that no manifest has: braces in a ConfigMap are its own matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """What a text is, the line that shows it, and what to do."""

    message: str
    hint: str
    line: int = 1


_HELM = re.compile(
    r"\{\{-?\s*(?:\.(?:Values|Release|Chart|Capabilities|Files|Template)\b"
    r"|(?:include|template|define|toYaml|tpl|range|with|if|else|end|required|default|printf|quote|nindent|lookup)\b|/\*|\$)"
)
_BRACES = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")
_BEGINNINGS = (
    (b"version https://git-lfs.github.com/spec/", "is a pointer of Git LFS, not the file itself",
     "keep manifests out of LFS: git lfs untrack, then add the file again"),
    (b"\x00GITCRYPT\x00", "is encrypted with git-crypt", "Berth cannot decrypt it: commit manifests only"),
    (b"$ANSIBLE_VAULT;", "is encrypted with Ansible Vault", "Berth cannot decrypt it: commit manifests only"),
    (b"age-encryption.org/", "is encrypted with age", "Berth cannot decrypt it: commit manifests only"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "is encrypted with age", "Berth cannot decrypt it: commit manifests only"),
    (b"-----BEGIN PGP MESSAGE-----", "is encrypted with PGP", "Berth cannot decrypt it: commit manifests only"),
)  # fmt: skip
_KUSTOMIZE = frozenset(
    {
        "bases", "commonAnnotations", "commonLabels", "components", "configMapGenerator", "crds", "generators",
        "helmCharts", "images", "labels", "namePrefix", "nameSuffix", "openapi", "patches", "patchesJson6902",
        "patchesStrategicMerge", "replacements", "replicas", "resources", "secretGenerator", "transformers", "vars",
    }
)  # fmt: skip
RENDER_KUSTOMIZE = "commit what `kustomize build` makes of it"


def foreign_bytes(content: bytes) -> Mark | None:
    """What a file is that begins as no YAML does: a pointer, something encrypted."""
    return next((Mark(text, hint) for start, text, hint in _BEGINNINGS if content.startswith(start)), None)


def template_in(text: str) -> Mark | None:
    """Whether a text that cannot be read is a template, by its first line with a placeholder outside of comments."""
    for number, line in enumerate(text.split("\n"), start=1):
        if "{" not in line or line.lstrip().startswith("#"):
            continue
        if _HELM.search(line):
            return Mark("looks like a Helm template", "commit the rendered manifests", number)
        if _BRACES.search(line):
            return Mark("looks like a template ({{ … }})", "commit the rendered manifests", number)
    return None


def foreign_document(value: Any) -> Mark | None:
    """What a parsed document is when it is no manifest. The line is that of the document."""
    if isinstance(value, list):
        is_patch = bool(value) and all(isinstance(one, Mapping) and {"op", "path"} <= one.keys() for one in value)
        return Mark("is a JSON patch (RFC 6902), as Kustomize takes them", RENDER_KUSTOMIZE) if is_patch else None
    if not isinstance(value, Mapping):
        return None
    sops = value.get("sops")
    if isinstance(sops, Mapping) and ("mac" in sops or "lastmodified" in sops):
        return Mark("is encrypted with SOPS, which is not decrypted yet", "keep it out of the deployed folders")
    rest = value.keys() - _KUSTOMIZE - {"namespace", "metadata"}
    if value.keys() & _KUSTOMIZE and not rest:
        return Mark("is a kustomization.yaml", RENDER_KUSTOMIZE)
    if _has_patch_directive(value):
        return Mark("is a patch for Kustomize ($patch)", RENDER_KUSTOMIZE)
    return None


def patches_of(value: Any) -> Iterator[str]:
    """The files that a kustomization.yaml names as patches, as it writes them: relative to its folder."""
    if not isinstance(value, Mapping):
        return
    for field in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        named = value.get(field)
        for patch in named if isinstance(named, list) else ():
            path = patch.get("path") if isinstance(patch, Mapping) else patch
            if isinstance(path, str) and "\n" not in path:
                yield path


def _has_patch_directive(value: Any, depth: int = 12) -> bool:
    """Whether a strategic merge patch's own words are used as keys."""
    if isinstance(value, Mapping):
        if "$patch" in value or "$retainKeys" in value:
            return True
        # What ConfigMaps hold is text, so keys like these lie in structures only.
        return depth > 0 and any(_has_patch_directive(part, depth - 1) for part in value.values())
    return isinstance(value, list) and depth > 0 and any(_has_patch_directive(part, depth - 1) for part in value)
