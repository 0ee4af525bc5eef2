"""The generated documentation is current, and says something about every field of Berth's own kinds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from objects import config
from objects.meta import KubeObject, KubeStruct

ROOT = Path(__file__).resolve().parents[2]


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", ["docs/features.md", "docs/manifests.md", "README.md"])
def test_the_page_is_current(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == load_generator().render_all()[path], "run `make docs`"


def test_every_setting_is_described() -> None:
    texts = load_generator().field_texts(config)
    kinds = [one for one in vars(config).values() if isinstance(one, type) and one.__module__ == config.__name__]
    settings = [
        (kind.__name__, field.name)
        for kind in kinds
        if issubclass(kind, KubeStruct) and not issubclass(kind, KubeObject) and not kind.__name__.endswith("Status")
        for field in msgspec.structs.fields(kind)
    ]
    assert settings != []
    assert [setting for setting in settings if setting not in texts] == []
