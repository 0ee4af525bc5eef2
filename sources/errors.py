"""What can be wrong with a source: refinements of `objects.errors` that callers tell apart.

Rule: a failed read is always one of these and never an empty result, so that nobody takes it for "nothing desired".
"""

from __future__ import annotations

from objects.errors import InvalidInput, Needs, RevisionNotFound, SourceError, SourceUnreachable
from objects.fields import FieldPath, show_path


class SourceRefused(SourceUnreachable):
    """The remote answers and does not let us in: a key, a token or a permission is wrong."""

    reason = "SourceRefused"
    needs = Needs.NEEDS_OPERATOR


class SourceHostKeyMismatch(SourceRefused):
    """The Git server shows another SSH host key than the known_hosts file says, or one that is not in it."""

    reason = "HostKeyMismatch"


class EmptyRepository(RevisionNotFound):
    """The repository exists and has no commit at all yet."""

    reason = "EmptyRepository"


class BranchVanished(RevisionNotFound):
    """A branch that we have read before is gone from the remote."""

    reason = "BranchVanished"


class RefMissing(RevisionNotFound):
    """A ref that was asked for is not at the remote. ref: its whole name."""

    def __init__(self, message: str, *, ref: str) -> None:
        super().__init__(message)
        self.ref = ref


class CacheBroken(SourceError):
    """The local clone is damaged (power loss, full disk): it is thrown away and made again."""

    reason = "CacheBroken"


class YamlError(InvalidInput):
    """A text is not the YAML or JSON that we accept. line and column count from 1; 0 when unknown.

    The message never quotes values of the text: it may hold a secret.
    """

    def __init__(self, message: str, *, line: int = 0, column: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column


class ManifestError(InvalidInput):
    """One thing that is wrong in one place of one file of the source.

    Reads `apps/web/web.yaml:12: spec.replicas: must not be negative (hint)`. line counts from 1, 0 when unknown.
    path: keys and indices from the root of the document.
    """

    reason = "InvalidManifest"

    def __init__(
        self, message: str, *, file: str, line: int = 0, path: FieldPath = (), hint: str = "", obj: str = ""
    ) -> None:
        super().__init__(message, hint=hint, obj=obj)
        self.file = file
        self.line = line
        self.path = path

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        field = f"{show_path(self.path)}: " if self.path else ""
        name = f"{self.obj}: " if self.obj else ""
        return f"{where}: {name}{field}{self.message}" + (f" ({self.hint})" if self.hint else "")
