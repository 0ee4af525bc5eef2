"""Writes the generated parts of the documentation anew: `make docs`.

* `docs/features.md`: every kind and field, and whether Berth acts on it, from the rules in `objects.honoured`.
* `docs/manifests.md`: the reference of Berth's own kinds, from the structs and their texts in `objects/own/config.py`;
  what stands behind its `by hand` mark is kept.
* `README.md`: the short table between its `features` marks.
* `docs/architecture.md`: the parts of each room between its `parts` marks, from the first lines of their folders.

`python docs/generate.py --check` writes nothing and fails when something is out of date; a unit test does the same.
"""

from __future__ import annotations

import ast
import inspect as python_inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402
from msgspec import inspect  # noqa: E402

from objects.api.meta import KubeObject  # noqa: E402
from objects.honoured.kinds import KIND_SUPPORT, NOT_YET, KindSupport  # noqa: E402
from objects.honoured.pods import POD_TABLE  # noqa: E402
from objects.honoured.table import Level, Rule  # noqa: E402
from objects.kinds import BY_KIND  # noqa: E402
from objects.own import config  # noqa: E402

GENERATED = "<!-- written by docs/generate.py: do not edit -->\n"
ROOMS = ("reconciler", "sources", "hosts", "differ", "policies", "objects")
BY_HAND = "\n<!-- by hand from here -->\n"
_MARKS = {Level.HONOURED: "yes", Level.WARNED: "not yet", Level.REFUSED: "refused"}


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` only compare. Returns the exit code."""
    stale = [path for path, text in render_all().items() if (ROOT / path).read_text(encoding="utf-8") != text]
    if "--check" in arguments:
        sys.stderr.writelines(f"{path} is out of date: run `make docs`\n" for path in stale)
        return 1 if stale else 0
    for path in stale:
        (ROOT / path).write_text(render_all()[path], encoding="utf-8")
    return 0


def render_all() -> Mapping[str, str]:
    """Path below the repository -> text, for everything that is generated."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    return {
        "docs/features.md": render_features(),
        "docs/manifests.md": render_manifests() + by_hand((ROOT / "docs/manifests.md").read_text(encoding="utf-8")),
        "README.md": between_marks(readme, "features", render_summary()),
        "docs/architecture.md": between_marks(architecture, "parts", render_parts()),
    }


def by_hand(page: str) -> str:
    """What a person wrote at the end of a generated page, its mark included; '' when there is none."""
    _, mark, text = page.partition(BY_HAND)
    return mark + text


def between_marks(page: str, name: str, text: str) -> str:
    """The page with `text` between its marks `NAME:begin` and `NAME:end`."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->\n"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"the page has lost its marks {begin.strip()} … {end.strip()}")
    return before + begin + text + end + after


def render_parts() -> str:
    """A table of the folders inside each room: what a folder's first line says it is for."""
    lines = ["| part | what it is for |", "|---|---|"]
    for room in ROOMS:
        for init in sorted((ROOT / room).rglob("__init__.py")):
            folder = init.parent.relative_to(ROOT).as_posix()
            purpose = (ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
            if folder != room:
                lines.append(f"| `{folder}/` | {' '.join(purpose.split())} |")
    return "\n".join(lines) + "\n"


# --- features -----------------------------------------------------------------------------------------------------


def render_summary() -> str:
    """One line a level: which kinds are acted on, which only accepted."""
    lines = ["| | kinds |", "|---|---|"]
    titles = {
        Level.HONOURED: "acted on",
        Level.WARNED: "read, converted, validated and kept; not acted on yet, and `berth validate` says so",
        Level.REFUSED: "refused: Berth makes them itself",
    }
    for level, title in titles.items():
        kinds = ", ".join(kind for kind, support in KIND_SUPPORT.items() if support.level is level)
        lines.append(f"| {title} | {kinds} |")
    return "\n".join(lines) + "\n"


def render_features() -> str:
    """The page of all kinds and fields."""
    return "\n".join(
        (
            GENERATED,
            "# What Berth acts on",
            "",
            "Nothing is ignored in silence: each field of a manifest is honoured, or accepted with a warning, or",
            "refused with file and line. A line covers all fields below it that have no line of their own.",
            "`berth validate` tells it for your manifests.",
            "",
            "## Kinds",
            "",
            "| kind | apiVersion | acted on | |",
            "|---|---|---|---|",
            *(_kind_line(kind, support) for kind, support in KIND_SUPPORT.items()),
            "",
            "## Fields of pods",
            "",
            "Below `spec` of a Pod, or `spec.template.spec` of what makes pods.",
            "",
            *_rule_table(POD_TABLE.rules),
            *_kind_tables(),
            "",
        )
    )


def _kind_line(kind: str, support: KindSupport) -> str:
    reason = support.reason.removeprefix(NOT_YET)
    return f"| {kind} | {BY_KIND[kind].kind.API_VERSION} | {_MARKS[support.level]} | {reason} |"


def _kind_tables() -> Iterator[str]:
    for kind, support in KIND_SUPPORT.items():
        if support.table.rules:
            yield from ("", f"## {kind}", "", *_rule_table(support.table.rules))


def _rule_table(rules: Iterable[Rule]) -> list[str]:
    lines = ["| field | acted on | |", "|---|---|---|"]
    seen: set[str] = set()
    for rule in sorted(rules, key=lambda rule: (rule.path, rule.level.value)):
        partly = rule.level is not Level.HONOURED and (rule.when is not None or rule.path in seen)
        seen.add(rule.path)
        mark = f"{_MARKS[rule.level]}, in part" if partly else _MARKS[rule.level]
        lines.append(f"| `{rule.path}` | {mark} | {rule.reason} |")
    return lines


# --- own kinds ----------------------------------------------------------------------------------------------------

_INTRODUCTION = """# Manifests of Berth's own kinds

Ordinary Kubernetes manifests describe what runs; three kinds of Berth's own, `berth.dev/v1alpha1`, say where. They lie
in the same repository: `berth.yaml` holds the Cluster, `hosts/` one file a Host, and Applications name the folders that
are deployed. All are checked as strictly as the rest: an unknown field is an error.

Which Kubernetes kinds and fields are acted on: [features.md](features.md). Examples: `examples-repo/`.
"""


def render_manifests() -> str:
    """The reference page of Cluster, Host and Application."""
    texts = field_texts(config)
    kinds = (config.Cluster, config.Host, config.Application)
    return "\n".join((GENERATED, _INTRODUCTION, *(_kind_section(kind, texts) for kind in kinds)))


def field_texts(module: Any) -> dict[tuple[str, str], str]:
    """(class, attribute) -> the text under the attribute in the module's source."""
    texts: dict[tuple[str, str], str] = {}
    for node in ast.parse(python_inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        for field, text in zip(node.body, node.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                texts[node.name, field.target.id] = " ".join(str(text.value.value).split())
    return texts


def _kind_section(kind: type[KubeObject], texts: Mapping[tuple[str, str], str]) -> str:
    lines = [
        f"## {kind.KIND}",
        "",
        python_inspect.getdoc(kind) or "",
        "",
        "| field | type | default | |",
        "|---|---|---|---|",
    ]
    spec = next(field for field in _struct(inspect.type_info(kind)).fields if field.name == "spec")
    lines += _field_lines(_struct(spec.type), "spec", texts)
    return "\n".join([*lines, ""])


def _field_lines(struct: inspect.StructType, path: str, texts: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for field in struct.fields:
        place = f"{path}.{field.encode_name}"
        inner = _inner_struct(field.type)
        text = texts.get((struct.cls.__name__, field.name), "")
        if inner is not None and inner.cls.__module__ == config.__name__:
            is_list = isinstance(field.type, inspect.VarTupleType)
            yield f"| `{place}{'[]' if is_list else ''}` | {'list' if is_list else 'mapping'} | | {text} |"
            yield from _field_lines(inner, f"{place}[]" if is_list else place, texts)
        else:
            yield f"| `{place}` | {_type_name(field.type)} | {_default_of(field)} | {text} |"


def _struct(kind: inspect.Type) -> inspect.StructType:
    found = _inner_struct(kind)
    if found is None:
        raise TypeError(f"{kind} is no struct")
    return found


def _inner_struct(kind: inspect.Type) -> inspect.StructType | None:
    if isinstance(kind, inspect.VarTupleType):
        kind = kind.item_type
    return kind if isinstance(kind, inspect.StructType) else None


_TYPE_NAMES: tuple[tuple[type[inspect.Type], str], ...] = (
    (inspect.BoolType, "true or false"),
    (inspect.IntType, "whole number"),
    (inspect.FloatType, "number"),
    (inspect.StrType, "text"),
    (inspect.DictType, "mapping of quantities"),
)


def _type_name(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.UnionType):
        names = {type(member) for member in kind.types if not isinstance(member, inspect.NoneType)}
        if names == {inspect.StrType, inspect.IntType, inspect.FloatType}:
            return "quantity or percentage"
        return "number or percentage" if inspect.StrType in names else "whole number"
    if isinstance(kind, inspect.VarTupleType):
        inner = _inner_struct(kind)
        return f"list of {inner.cls.__name__}s" if inner else f"list of {_type_name(kind.item_type)}s"
    return next((name for member, name in _TYPE_NAMES if isinstance(kind, member)), "mapping")


def _default_of(field: inspect.Field) -> str:
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT or field.default in (None, "", ()):
        return ""
    encoded: Callable[[object], bytes] = msgspec.json.encode
    return f"`{encoded(field.default).decode()}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
