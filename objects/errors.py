"""The one taxonomy of errors.

Every error says *what failed, on which object and host, why, and what happens next or what to do*, carries a closed
CamelCase `reason` (shown in status and events) and what it needs before it can succeed. Foreign exceptions
(paramiko, docker, git, yaml) end at the edge module that owns the library and are chained to one of these.

`Unschedulable`, `NotReady` and `Waiting` are values, not errors: see `objects.conditions`.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Needs(enum.Enum):
    """What has to happen before the same operation can succeed."""

    RETRY = "Retry"
    """Nothing but time: the next pass tries again with back-off."""
    WAIT_FOR_CHANGE = "WaitForChange"
    """A new commit: the same input fails for ever."""
    NEEDS_OPERATOR = "NeedsOperator"
    """A person must act outside Git: a key, a disk, a permission."""
    BUG = "Bug"
    """A promise of our own code is broken."""


class BerthError(Exception):
    """Base of all errors that cross a room's border.

    message: one sentence, may name object and host. hint: what to do, shown on a line of its own.
    """

    reason: ClassVar[str] = "InternalError"
    needs: ClassVar[Needs] = Needs.BUG

    def __init__(self, message: str, *, host: str = "", obj: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.host = host
        self.obj = obj
        self.hint = hint

    def __str__(self) -> str:
        where = "".join(f"{label} {value}: " for label, value in (("host", self.host), ("", self.obj)) if value)
        return f"{where.lstrip()}{self.message}" + (f" ({self.hint})" if self.hint else "")


# --- input: manifests, settings, command lines -------------------------------------------------------------------


class InvalidInput(BerthError):
    """Something a person wrote is wrong; carries no position (see `ManifestError` for files)."""

    reason = "InvalidInput"
    needs = Needs.WAIT_FOR_CHANGE


class NotFound(InvalidInput):
    """A named thing does not exist (any more)."""

    reason = "NotFound"


# --- hosts -------------------------------------------------------------------------------------------------------


class HostError(BerthError):
    """A host or its engine did not do what it was asked.

    lasting: the text without what is true for this moment only (`next attempt in 3.7 s`), '' when that is all of it:
    for a status, which is a commit each time that it changes.
    """

    lasting = ""
    reason = "HostError"
    needs = Needs.RETRY


class HostUnreachable(HostError):
    """No contact (refused, timed out, link lost, half open). The host is unknown, its pods are not absent."""

    reason = "HostUnreachable"


class HostKeyMismatch(HostError):
    """The host shows another key than its Host object: nothing is sent until a person decides."""

    reason = "HostKeyMismatch"
    needs = Needs.NEEDS_OPERATOR


class AuthenticationRefused(HostError):
    """sshd refuses our user or key."""

    reason = "AuthenticationRefused"
    needs = Needs.NEEDS_OPERATOR


class EngineUnavailable(HostError):
    """SSH works, Docker Engine does not answer (stopped, paused, no permission on its socket)."""

    reason = "EngineUnavailable"


class DeadlineExceeded(HostError):
    """A call took longer than its deadline; whether it had an effect is unknown."""

    reason = "DeadlineExceeded"


class EngineError(HostError):
    """Docker Engine answered with an error. status: HTTP status code."""

    reason = "EngineError"

    def __init__(self, message: str, *, status: int, host: str = "", obj: str = "", hint: str = "") -> None:
        super().__init__(message, host=host, obj=obj, hint=hint)
        self.status = status


class DiskFull(HostError):
    """The host's disk has no space left for an image, a container or a file."""

    reason = "DiskFull"
    needs = Needs.NEEDS_OPERATOR


class ImagePullFailed(HostError):
    """The registry refused, does not know or did not deliver the image."""

    reason = "ErrImagePull"


class ImageNeverPull(HostError):
    """`imagePullPolicy: Never` and the image is not on the host."""

    reason = "ErrImageNeverPull"
    needs = Needs.NEEDS_OPERATOR


class ChargeInDoubt(HostError):
    """Somebody else's mark of being in charge appeared on the host, and nobody has looked at it yet."""

    reason = "ChargeInDoubt"


class ContainerConfigError(HostError):
    """The container cannot be composed: a missing ConfigMap, Secret, key or an unsupported setting."""

    reason = "CreateContainerConfigError"
    needs = Needs.WAIT_FOR_CHANGE


class CommandFailed(HostError):
    """A command on a host ended with a non-zero code."""

    reason = "CommandFailed"


# --- sources -----------------------------------------------------------------------------------------------------


class SourceError(BerthError):
    """A source of desired state cannot be read: what was read before stays in force."""

    reason = "SourceError"
    needs = Needs.RETRY


class SourceUnreachable(SourceError):
    """The Git remote does not answer, or refuses us."""

    reason = "SourceUnreachable"


class RevisionNotFound(SourceError):
    """The branch, tag or commit does not exist in the source."""

    reason = "RevisionNotFound"
    needs = Needs.WAIT_FOR_CHANGE


class InChargeElsewhere(BerthError):
    """Another reconciler is in charge of the cluster: a second one would act against it."""

    reason = "InChargeElsewhere"
    needs = Needs.NEEDS_OPERATOR


class Superseded(BerthError):
    """Another reconciler took over: this one acts no more."""

    reason = "Superseded"
    needs = Needs.NEEDS_OPERATOR


class PushRejected(SourceError):
    """Our commit could not be pushed after fetching and replaying it on what others pushed."""

    reason = "PushRejected"


class DeletionHeld(BerthError):
    """A commit would delete more than its deletion budget allows."""

    reason = "DeletionBudgetExceeded"
    needs = Needs.WAIT_FOR_CHANGE
