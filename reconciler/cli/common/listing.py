"""Objects of a store as text: which ones are meant, and as table, names, YAML, JSON or JSONPath. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from objects import codec
from objects.api.meta import KubeObject, LabelSelectorRequirement, ObjectKey
from objects.errors import InvalidInput, NotFound
from objects.kinds import KindInfo
from objects.selectors import requirements_match
from reconciler.cli.common.naming import Wanted, typed_name
from reconciler.cli.printing import jsonpath
from reconciler.cli.printing.printers import printer_of
from reconciler.cli.printing.table import Surroundings, labels_text, render_table
from sources.words import Words
from sources.yaml.dumper import dump


class Scope(NamedTuple):
    """Where to look. namespace: None means all. fields: path → value that it must have (`status.phase` → `Running`)."""

    namespace: str | None = "default"
    labels: tuple[LabelSelectorRequirement, ...] = ()
    fields: tuple[tuple[str, str, bool], ...] = ()


def parse_fields(text: str) -> tuple[tuple[str, str, bool], ...]:
    """`a.b=x,c!=y` → ((path, value, whether equal) …). Raises InvalidInput."""
    parsed = []
    for part in filter(None, text.split(",")):
        path, sign, value = part.partition("=")
        if not sign or not path.strip("!"):
            raise InvalidInput(f"field selector {part!r} is not path=value or path!=value")
        parsed.append((path.rstrip("!").strip(), value.removeprefix("=").strip(), not path.endswith("!")))
    return tuple(parsed)


class Layout(NamedTuple):
    """format: '' for the table, `wide`, `name`, `yaml`, `json` or `jsonpath=TEMPLATE`.

    words: what documents must not hold; a value is not found any more where YAML has broken its line.
    """

    format: str = ""
    show_labels: bool = False
    headers: bool = True
    sort_by: str = ""
    words: Words | None = None


class Found(NamedTuple):
    """Objects of one kind, in order. missing: what is wrong with each name that was asked for and is not there."""

    kind: KindInfo
    objects: tuple[KubeObject, ...]
    missing: tuple[NotFound, ...] = ()


def select(around: Surroundings, wanted: Iterable[Wanted], scope: Scope, *, sort_by: str = "") -> tuple[Found, ...]:
    """The objects that are meant, kind by kind. Raises NotFound for the first name that is not there."""
    found = select_there(around, wanted, scope, sort_by=sort_by)
    for group in found:
        for problem in group.missing:
            raise problem
    return found


def select_there(
    around: Surroundings, wanted: Iterable[Wanted], scope: Scope, *, sort_by: str = ""
) -> tuple[Found, ...]:
    """The objects that are meant and there; names that are not there are told of in `missing`."""
    groups = []
    for item in wanted:
        missing: list[NotFound] = []
        objects = _of_kind(around, item, scope, missing)
        groups.append(Found(item.kind, tuple(_sorted(objects, sort_by)), tuple(missing)))
    return tuple(groups)


def _of_kind(around: Surroundings, wanted: Wanted, scope: Scope, missing: list[NotFound]) -> list[KubeObject]:
    kind = wanted.kind.kind
    namespace = scope.namespace if kind.NAMESPACED else None
    if wanted.names:
        named: list[KubeObject] = []
        for name in wanted.names:
            try:
                named.append(_named(around, wanted.kind, namespace, name))
            except NotFound as error:
                missing.append(error)
        return named
    found = around.view.all_of(kind, namespace)
    return [obj for obj in found if requirements_match(scope.labels, obj.labels) and _fields_match(obj, scope.fields)]


def _named(around: Surroundings, info: KindInfo, namespace: str | None, name: str) -> KubeObject:
    if info.kind.NAMESPACED and namespace is None:
        raise NotFound("an object is named within one namespace", hint="use -n NAMESPACE instead of -A")
    obj = around.view.find(ObjectKey(info.kind.KIND, namespace or "", name))
    if obj is None:
        where = f" in namespace {namespace}" if namespace else ""
        raise NotFound(f'{info.plural} "{name}" not found{where}')
    return obj


def _fields_match(obj: KubeObject, fields: Sequence[tuple[str, str, bool]]) -> bool:
    if not fields:
        return True
    document = codec.encode(obj)
    return all((_field(document, path) == value) is equal for path, value, equal in fields)


def _field(document: Any, path: str) -> str:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return "" if document is None else str(document)


def _sorted(objects: list[KubeObject], path: str) -> list[KubeObject]:
    """In order of a JSONPath's value, numbers as numbers; without one as the view has them or as they were named."""
    if not path:
        return objects
    template = jsonpath.parse_path(path)

    def key(obj: KubeObject) -> tuple[bool, float, str]:
        found = template.values(codec.encode(obj))
        value = found[0] if found else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return False, float(value), ""
        return value is None, 0.0, "" if value is None else str(value)

    return sorted(objects, key=key)


# --- text ----------------------------------------------------------------------------------------------------------


def render(found: Sequence[Found], around: Surroundings, layout: Layout, *, one: bool, all_namespaces: bool) -> str:
    """What is printed, '' when there is nothing to list. one: a single named object, not a list of one."""
    objects = [obj for group in found for obj in group.objects]
    if layout.format == "name":
        return "\n".join(typed_name(group.kind, obj.name) for group in found for obj in group.objects)
    if layout.format in ("", "wide"):
        return _render_tables(found, around, layout, all_namespaces=all_namespaces)
    documents = [codec.encode(obj) for obj in objects]
    document = documents[0] if one else {"apiVersion": "v1", "kind": "List", "items": documents}
    document = layout.words.inside(document) if layout.words is not None else document
    return render_document(document, layout.format)


def render_document(document: dict[str, Any], form: str) -> str:
    """form: `yaml`, `json` or `jsonpath=TEMPLATE`; secret values are masked already by the encoder."""
    if form == "json":
        return json.dumps(document, indent=4, ensure_ascii=False)
    if form == "yaml":
        return dump(document, sort_keys=True).rstrip("\n")
    return jsonpath.parse_template(form.removeprefix("jsonpath=")).render(document)


def _render_tables(found: Sequence[Found], around: Surroundings, layout: Layout, *, all_namespaces: bool) -> str:
    groups = [group for group in found if group.objects]
    tables = [
        _render_table(group, around, layout, with_type=len(found) > 1, all_namespaces=all_namespaces)
        for group in groups
    ]
    return "\n\n".join("\n".join(table) for table in tables)


def _render_table(
    group: Found, around: Surroundings, layout: Layout, *, with_type: bool, all_namespaces: bool
) -> list[str]:
    printer, wide = printer_of(group.kind.kind.KIND), layout.format == "wide"
    with_namespace = all_namespaces and group.kind.kind.NAMESPACED
    headings = [*printer.headings(wide=wide), *(["LABELS"] if layout.show_labels else [])]
    name_column = headings.index("NAME") if "NAME" in headings else None
    rows = []
    for obj in group.objects:
        cells = list(printer.cells(obj, around, wide=wide))
        if with_type and name_column is not None:
            cells[name_column] = typed_name(group.kind, cells[name_column])
        cells += [labels_text(obj.labels)] if layout.show_labels else []
        rows.append([*([obj.namespace] if with_namespace else []), *cells])
    heading = [*(["NAMESPACE"] if with_namespace else []), *headings]
    return render_table(heading if layout.headers else (), rows)
