"""Writes documents as YAML that reads back as what it was: by us, by kubectl, by a YAML 1.1 reader.

PyYAML leaves texts unquoted that are numbers elsewhere (`1e5`, `0o17`, `0899`): a label, a commit id or a password
would come back as a number.
"""

from __future__ import annotations

from typing import Any

import yaml

from sources.yaml.scalars import resolve_plain


class _Dumper(yaml.CSafeDumper):
    """PyYAML's, with quotes around every text that is something else without them."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(resolve_plain(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(document: Any, *, sort_keys: bool = False) -> str:
    """One document in block style, up to 120 characters a line, keys as given or sorted."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=sort_keys, default_flow_style=False, allow_unicode=True, width=120
    )
    return text
