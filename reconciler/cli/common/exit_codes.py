"""Exit codes of `berth`: part of its interface, so that scripts can tell what happened without reading text.

`berth exec` ends with the code of the command it ran, and 1 to 5 only if that command never began.
"""

from __future__ import annotations

from typing import Final

from objects.errors import (
    BerthError,
    HostError,
    InChargeElsewhere,
    InvalidInput,
    Needs,
    NotFound,
    SourceUnreachable,
    Superseded,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INVALID: Final = 3
NOT_CONVERGED: Final = 4
UNREACHABLE: Final = 5
IN_CHARGE_ELSEWHERE: Final = 6
SUPERSEDED: Final = 7
PLAN_HAS_CHANGES: Final = 10
INTERRUPTED: Final = 130

MEANINGS: Final = (
    (OK, "done"),
    (FAILED, "failed; the message says why"),
    (USAGE, "the command line is wrong"),
    (INVALID, "manifests or settings in Git are wrong"),
    (NOT_CONVERGED, "not converged in time (apply)"),
    (UNREACHABLE, "a host or the Git remote did not answer"),
    (IN_CHARGE_ELSEWHERE, "another reconciler is in charge (apply)"),
    (SUPERSEDED, "another reconciler took over (run, apply)"),
    (PLAN_HAS_CHANGES, "there are changes (plan --exit-code)"),
    (INTERRUPTED, "interrupted by Ctrl-C"),
)


def code_of(error: BerthError) -> int:
    """The exit code that an error ends the process with.

    A host that answers and says no (a full disk, a refused image) has failed; one that cannot be talked to is
    unreachable, whatever the cause.
    """
    if isinstance(error, NotFound):
        return FAILED
    if isinstance(error, InvalidInput):
        return INVALID
    if isinstance(error, InChargeElsewhere):
        return IN_CHARGE_ELSEWHERE
    if isinstance(error, Superseded):
        return SUPERSEDED
    if isinstance(error, SourceUnreachable) or error.reason in _NO_CONTACT:
        return UNREACHABLE
    if error.needs is Needs.WAIT_FOR_CHANGE and not isinstance(error, HostError):
        return INVALID
    return FAILED


_NO_CONTACT: Final = frozenset(
    {"HostUnreachable", "HostKeyMismatch", "AuthenticationRefused", "EngineUnavailable", "DeadlineExceeded"}
)
