"""The part of kubectl's JSONPath that people use: fields, indices, slices, `*`, `..name`, filters, `range`, text.

    {.metadata.name}                     a field; `['a.b/c']` and `a\\.b/c` for names with dots
    {.items[0].status.podIP} {[-1]} {[0:4:2]} {[*]}
    {.metadata['name','uid']} {.items[0,2]}   unions
    {.items[?(@.type=="Ready")].status}  filters with == != < <= > >=, or that a field is there
    {range .items[*]}{.metadata.name}{"\\n"}{end}

Values that are not there are no error and print nothing. No scripts and no functions: a template that needs them is
refused. What ends a name is what ends it in kubectl (`isTerminator` of client-go's jsonpath).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from objects.errors import InvalidInput

Step: TypeAlias = Callable[[Any], Iterator[Any]]
"""From one value to those it leads to."""

_TOKEN: Final = re.compile(
    r"""
      (?P<deep>\.\.)(?P<deep_name>[\w*-]+)
    | \.(?P<name>(?:[^\s.,\[\]$@{}()<>=!'"\\*]|\\.)+|\*)
    | \[\s*(?:
          (?P<names>(?:'[^']*'|"[^"]*")(?:\s*,\s*(?:'[^']*'|"[^"]*"))*)
        | (?P<star>\*)
        | (?P<first>-?\d*)\s*:\s*(?P<last>-?\d*)(?:\s*:\s*(?P<stride>\d*))?
        | (?P<indices>-?\d+(?:\s*,\s*-?\d+)*)
        | \?\(\s*@(?P<left>(?:\.(?:[^\s.,\[\]$@{}()<>=!'"\\*]|\\.)+|\['[^']*'\])+)\s*
              (?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<right>"[^"]*"|'[^']*'|[\w.+-]+))?\s*\)
      )\s*\]
    """,
    re.VERBOSE,
)
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class Path(NamedTuple):
    steps: tuple[Step, ...]

    def values(self, root: Any) -> list[Any]:
        """All values that the path leads to, in order."""
        found = [root]
        for step in self.steps:
            found = [value for before in found for value in step(before)]
        return found


class Text(NamedTuple):
    text: str


class Range(NamedTuple):
    path: Path
    body: Template


class Template(NamedTuple):
    parts: tuple[Text | Path | Range, ...]

    def render(self, root: Any) -> str:
        """Several values of one path stand with a blank between, as kubectl prints them."""
        out: list[str] = []
        for part in self.parts:
            match part:
                case Text():
                    out.append(part.text)
                case Path():
                    out.append(" ".join(map(_shown, part.values(root))))
                case Range():
                    out += [part.body.render(value) for value in part.path.values(root)]
        return "".join(out)


# --- reading -------------------------------------------------------------------------------------------------------


def parse_path(text: str) -> Path:
    """A path alone, as in `--sort-by=.metadata.name`; braces around it are allowed. Raises InvalidInput."""
    text = text.strip().removeprefix("{").removesuffix("}").strip()
    return _parse_path(text if text.startswith((".", "[", "$", "@")) else f".{text}", text)


def parse_template(text: str) -> Template:
    """Text with `{expressions}`. Raises InvalidInput."""
    pieces = re.split(r"\{((?:[^{}\"']|\"[^\"]*\"|'[^']*')*)\}", text)
    parts, rest = _parse_parts([(piece, index % 2 == 1) for index, piece in enumerate(pieces)], text, inside=False)
    assert not rest
    return parts


def _parse_parts(
    pieces: list[tuple[str, bool]], whole: str, *, inside: bool
) -> tuple[Template, list[tuple[str, bool]]]:
    parts: list[Text | Path | Range] = []
    while pieces:
        (piece, is_expression), *pieces = pieces
        piece = piece.strip() if is_expression else piece
        if not is_expression:
            parts += [Text(piece)] if piece else []
        elif piece == "end":
            if not inside:
                raise InvalidInput(f"jsonpath {whole!r}: {{end}} without {{range}}")
            return Template(tuple(parts)), pieces
        elif piece.startswith("range "):
            body, pieces = _parse_parts(pieces, whole, inside=True)
            parts.append(Range(_parse_path(piece.removeprefix("range ").strip(), whole), body))
        elif piece[:1] in ("'", '"'):
            parts.append(Text(_unquoted(piece, whole)))
        else:
            parts.append(_parse_path(piece, whole))
    if inside:
        raise InvalidInput(f"jsonpath {whole!r}: {{range}} without {{end}}")
    return Template(tuple(parts)), []


def _unquoted(piece: str, whole: str) -> str:
    try:
        return str(json.loads(f'"{piece[1:-1]}"'))
    except json.JSONDecodeError:
        raise InvalidInput(f"jsonpath {whole!r}: {piece} is not a quoted text") from None


def _parse_path(text: str, whole: str) -> Path:
    rest, steps = text.removeprefix("$").removeprefix("@"), []
    if rest == ".":
        return Path(())
    while rest:
        token = _TOKEN.match(rest)
        if token is None:
            raise InvalidInput(f"jsonpath {whole!r}: cannot read {rest!r}", hint="see: berth get --help")
        steps.append(_step(token))
        rest = rest[token.end() :]
    return Path(tuple(steps))


def _step(token: re.Match[str]) -> Step:
    part = token.groupdict()
    if part["deep"]:
        return _deep_step(part["deep_name"])
    if part["star"] or part["name"] == "*":
        return _children
    if part["name"]:
        return _field_step(part["name"].replace("\\", ""))
    if part["names"]:
        return _union_step([_field_step(quoted[1:-1]) for quoted in re.findall(r"'[^']*'|\"[^\"]*\"", part["names"])])
    if part["indices"]:
        return _union_step([_slice_step(slice(i, i + 1 or None)) for i in map(int, part["indices"].split(","))])
    if part["left"]:
        return _filter_step(_parse_path(part["left"], part["left"]), part["op"], part["right"])
    last, stride = (int(part[name]) if part[name] else None for name in ("last", "stride"))
    if stride == 0:
        raise InvalidInput(f"jsonpath {token[0]!r}: a slice's step must be above 0")
    return _slice_step(slice(int(part["first"] or 0), last, stride))


# --- steps ---------------------------------------------------------------------------------------------------------


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _field_step(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _union_step(parts: list[Step]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        for part in parts:
            yield from part(value)

    return step


def _slice_step(part: slice) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[part]

    return step


def _deep_step(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]
        for child in _children(value):
            if name == "*":
                yield child
            yield from step(child)

    return step


def _filter_step(left: Path, comparison: str | None, right: str | None) -> Step:
    wanted = None if right is None else right[1:-1] if right[0] in "'\"" else _scalar(right)

    def is_match(item: Any) -> bool:
        found = left.values(item)
        if comparison is None or not found:
            return bool(found)
        try:
            return _COMPARISONS[comparison](found[0], wanted)
        except TypeError:
            return False  # a text is neither less nor more than a number

    def step(value: Any) -> Iterator[Any]:
        yield from filter(is_match, _children(value))

    return step


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
