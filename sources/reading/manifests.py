"""One file of the source → objects: parse, convert, decode, default, validate; every problem with its line.

What is known of a file depends on its content only (and on the namespace that its Application gives), not on its name:
so a reading can be kept for as long as a blob with the same id stands in the tree. No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from objects import codec, convert, defaults, honoured, validation
from objects.api.meta import DEFAULT_NAMESPACE, KubeObject
from objects.errors import InvalidInput
from objects.fields import FieldError, FieldPath, show_path, value_at
from objects.names import ANNOTATION_TEMPLATE_HASH
from sources.errors import ManifestError, YamlError
from sources.reading import not_manifests
from sources.reading.template_hash import hash_as_written, with_template_hash
from sources.yaml.lists import expand_list
from sources.yaml.loader import (
    DEFAULT_LIMITS,
    Limits,
    decode_text,
    load_documents,
)
from sources.yaml.scalars import old_boolean
from sources.yaml.syntax import Place, PlaceFinder

MAX_PROBLEMS = 50
"""Of one file: whoever has more than these has one mistake many times."""


class Problem(NamedTuple):
    """Something to say about a place in a file. obj: `Deployment web`, or '' before that is known."""

    line: int
    path: FieldPath
    message: str
    hint: str = ""
    obj: str = ""

    def as_error(self, file: str) -> ManifestError:
        return ManifestError(self.message, file=file, line=self.line, path=self.path, hint=self.hint, obj=self.obj)

    def as_warning(self, file: str) -> ManifestWarning:
        text = self.message + (f" ({self.hint})" if self.hint else "")
        return ManifestWarning(file, self.line, self.path, text, self.obj)


class ManifestWarning(NamedTuple):
    """Something that is accepted and that a person should know: a field not acted on yet, an old API version."""

    file: str
    line: int
    path: FieldPath
    message: str
    obj: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        name = f"{self.obj}: " if self.obj else ""
        field = f"{show_path(self.path)}: " if self.path else ""
        return f"{where}: {name}{field}{self.message}"


class Manifest(NamedTuple):
    """An object and where its document begins; document counts from 0."""

    obj: KubeObject
    line: int
    document: int


class ParsedFile(NamedTuple):
    """All that a file says. With an error in it, its manifests are those that are right by themselves.

    errors: at most `MAX_PROBLEMS`; error_count: how many there are.
    """

    manifests: tuple[Manifest, ...] = ()
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    error_count: int = 0


def parse_file(
    content: bytes, *, is_json: bool = False, namespace: str = "", limits: Limits = DEFAULT_LIMITS
) -> ParsedFile:
    """Read all manifests of a file. Never raises for what a person wrote: problems are in the result.

    namespace: for namespaced objects that name none; '' leaves them to Kubernetes' default.
    """
    if (mark := not_manifests.foreign_bytes(content)) is not None:
        return ParsedFile(errors=(Problem(mark.line, (), mark.message, mark.hint),), error_count=1)
    try:
        documents = load_documents(content, is_json=is_json, limits=limits)
        spans = [document.json_span for document in documents if document.json_span is not None]
        reader = _FileReader(PlaceFinder(decode_text(content, limits=limits), spans), namespace)
        for document in documents:
            reader.read(document.value, document.number, document.line)
    except YamlError as error:
        # What is a template as a whole is one mistake: what YAML makes of its braces says nothing to anybody.
        mark = not_manifests.template_in(content.decode("utf-8", "replace"))
        found = Problem(error.line, (), error.message, error.hint)
        if mark is not None:
            found = Problem(mark.line, (), mark.message, mark.hint)
        return ParsedFile(errors=(found,), error_count=1)
    return reader.result()


class _Part(NamedTuple):
    """One object's mapping inside a document. path: () or the way to an item of a List."""

    value: Any
    path: FieldPath


class _Where(NamedTuple):
    """The object that is being read. name: as people know it; converted: in current API versions, once it is that."""

    part: _Part
    document: int
    name: str
    converted: convert.Converted = convert.Converted({})


class _FileReader:
    """Collects objects and problems of one text."""

    def __init__(self, places: PlaceFinder, namespace: str) -> None:
        self._places = places
        self._namespace = namespace
        self._manifests: list[Manifest] = []
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []

    def result(self) -> ParsedFile:
        kept = tuple(self._errors[:MAX_PROBLEMS])
        return ParsedFile(tuple(self._manifests), kept, tuple(self._warnings), len(self._errors))

    def read(self, value: Any, document: int, line: int) -> None:
        """One document; empty ones say nothing."""
        if value is None:
            return
        for part in (_Part(item, path) for path, item in expand_list(value)):
            start = self._places.locate(document, part.path).line if part.path else line
            self._read_part(part, document, start)

    def _read_part(self, part: _Part, document: int, line: int) -> None:
        if (mark := not_manifests.foreign_document(part.value)) is not None:
            self._errors.append(Problem(line, part.path, mark.message, mark.hint, _display_name(part.value)))
            return
        if not isinstance(part.value, dict):
            self._errors.append(Problem(line, part.path, "a manifest must be a mapping with apiVersion and kind"))
            return
        where = _Where(part, document, _display_name(part.value))
        try:
            where = where._replace(converted=convert.convert(part.value))
            obj = self._object(where)
        except codec.DecodeError as error:
            self._errors += [self._problem(where, problem) for problem in error.problems]
            return
        except InvalidInput as error:
            self._errors.append(Problem(line, part.path, error.message, error.hint, where.name))
            return
        self._errors += [self._problem(where, found) for found in validation.validate(obj)]
        for notice in honoured.field_support(obj):
            found = self._problem(where, FieldError(notice.path, notice.message))
            (self._errors if notice.level is honoured.Level.REFUSED else self._warnings).append(found)
        self._manifests.append(Manifest(obj, line, document))

    def _object(self, where: _Where) -> KubeObject:
        """The defaulted object of a mapping. Raises DecodeError or InvalidInput."""
        converted = where.converted
        try:
            obj = codec.decode(converted.manifest, server_fields=False)
        except codec.DecodeError as error:
            corrected = self._with_old_booleans(where, error)
            if corrected is None:
                raise
            obj = codec.decode(corrected, server_fields=False)
        self._warnings += [self._problem(where, found, is_as_written=True) for found in converted.warnings]
        if ANNOTATION_TEMPLATE_HASH in obj.annotations:
            path = ("metadata", "annotations", ANNOTATION_TEMPLATE_HASH)
            self._warnings.append(self._problem(where, FieldError(path, "is overwritten by Berth")))
        obj = defaults.default(obj, namespace=self._namespace or DEFAULT_NAMESPACE)
        return with_template_hash(obj, hash_as_written(where.part.value))

    def _with_old_booleans(self, where: _Where, error: codec.DecodeError) -> dict[str, Any] | None:
        """The manifest with unquoted `yes`, `off` … as booleans where a text did not fit; None when there are none.

        kubectl reads them so everywhere, which breaks texts (a country called `no`); we do where a boolean is meant.
        """
        manifest = where.converted.manifest
        corrected: Any = dict(manifest)
        found = False
        for problem in error.problems:
            value = value_at(manifest, problem.path)
            meant = old_boolean(value) if isinstance(value, str) else None
            if meant is None or not self._place(where, where.converted.written_at(problem.path)).is_plain:
                continue
            corrected = _replaced(corrected, problem.path, meant)
            found = True
            text = f"'{value}' is read as {str(meant).lower()}"
            hint = f"write {str(meant).lower()}"
            self._warnings.append(self._problem(where, FieldError(problem.path, text, hint)))
        return corrected if found else None

    def _problem(self, where: _Where, found: FieldError, *, is_as_written: bool = False) -> Problem:
        """is_as_written: the path is that of the file already, not of the converted manifest."""
        path = found.path if is_as_written else where.converted.written_at(found.path)
        hint = found.suggestion
        value = value_at(where.part.value, path)
        if isinstance(value, str) and (mark := not_manifests.template_in(value)) is not None:
            hint = f"{mark.message}: {mark.hint}"
        return Problem(self._place(where, path).line, path, found.message, hint, where.name)

    def _place(self, where: _Where, path: FieldPath) -> Place:
        return self._places.locate(where.document, where.part.path + path)


def _display_name(manifest: Any) -> str:
    if not isinstance(manifest, Mapping):
        return ""
    kind, metadata = manifest.get("kind"), manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return " ".join(word for word in (kind, name) if isinstance(word, str))


def _replaced(value: Any, path: FieldPath, new: Any) -> Any:
    """A copy of `value` with another value at `path`; nothing that `value` shares is changed."""
    if not path:
        return new
    key = path[0]
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[key] = _replaced(value[key], path[1:], new)
    return copy
