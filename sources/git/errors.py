"""Turns what git wrote to stderr into one of our errors: a table of rules, the first match wins.

The whole message is our own sentence. git's words are added only where no rule knows them, in one bounded line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from objects.errors import RevisionNotFound, SourceError, SourceUnreachable
from sources.errors import CacheBroken, SourceHostKeyMismatch, SourceRefused
from sources.git.remotes import RemoteUrl

_MAX_QUOTED = 300
_PROGRESS = re.compile(
    r"(remote: )?((Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Writing|Checking|Updating) \w+"
    r"|Delta compression using|Total \d+ )"
)
"""Beginnings of lines that tell how far a transfer is."""


class _Rule(NamedTuple):
    pattern: str
    error: type[SourceError]
    message: str
    hint: str = ""


# `{url}` and `{host}` are filled in. Order matters: ssh reports a changed key and then also that the remote hung up.
_RULES = (
    _Rule(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed",
        SourceHostKeyMismatch,
        "{host} shows another SSH host key than the known_hosts file has",
        "if the change is genuine, put the new key there",
    ),
    _Rule(
        r"Host key verification failed|host key is known",
        SourceHostKeyMismatch,
        "the SSH host key of {host} is not in the known_hosts file",
        "add the line that ssh-keyscan prints, after comparing it",
    ),
    _Rule(r"No space left on device", SourceError, "no space left on the reconciler's disk for the clone of {url}"),
    _Rule(
        r"Load key .*(No such file|invalid format|error in libcrypto)|UNPROTECTED PRIVATE KEY"
        r"|Identity file .* not accessible",
        SourceRefused,
        "the SSH key for {url} cannot be used",
        "it must exist, be a private key, and be readable by its owner only",
    ),
    _Rule(
        r"Permission denied \(|Too many authentication failures",
        SourceRefused,
        "{host} refuses our SSH key",
        "register the public key there",
    ),
    _Rule(
        r"Authentication failed|could not read (Username|Password)|HTTP 40[13]|error: 40[13]|Invalid credentials",
        SourceRefused,
        "{host} refuses our token",
        "check the token file and what the token may do",
    ),
    _Rule(
        r"Could not resolve host|Name or service not known|Temporary failure in name resolution|nodename nor servname",
        SourceUnreachable,
        "the name {host} does not resolve",
    ),
    _Rule(r"Connection refused", SourceUnreachable, "{host} refuses the connection"),
    _Rule(r"timed out|Timeout", SourceUnreachable, "{host} does not answer"),
    _Rule(r"No route to host|Network is unreachable", SourceUnreachable, "there is no route to {host}"),
    _Rule(
        r"certificate verif|SSL certificate|self.signed certificate|certificate has expired|peer certificate",
        SourceRefused,
        "the TLS certificate of {host} is not trusted",
        "name the file of its certification authority",
    ),
    _Rule(
        r"dubious ownership",
        SourceRefused,
        "the repository {url} belongs to another user",
        "run as its owner, or reach it over SSH",
    ),
    _Rule(
        r"mismatched algorithms|unsupported object format|unknown object format",
        SourceError,
        "the repository {url} uses SHA-256 object names, which are not supported",
    ),
    _Rule(r"couldn't find remote ref", RevisionNotFound, "the branch does not exist in {url}"),
    _Rule(
        r"object file .* is empty|is corrupt|bad object|bad signature|inflate: |unable to unpack|not our ref in cache"
        r"|did not send all necessary objects|garbage at end of loose object|reference broken|packed-refs file"
        # Only our own GIT_DIR is named like this; a remote "does not appear to be" one.
        r"|fatal: not a git repository",
        CacheBroken,
        "the local clone of {url} is damaged",
    ),
    _Rule(
        r"[Rr]epository.* not found|does not appear to be a git repository|does not exist|error: 404"
        r"|no such (repository|project)",
        SourceRefused,
        "there is no repository {url}, or we may not read it",
    ),
    _Rule(
        r"unable to update url base from redirection|redirect|error: 30[1278]",
        SourceRefused,
        "{url} redirects to another address",
        "write the address that the repository has now",
    ),
    _Rule(
        r"early EOF|unexpected disconnect|hung up|TLS connection|SSL_read|Connection (reset|closed)|Broken pipe"
        r"|kex_exchange",
        SourceUnreachable,
        "the connection to {host} broke off",
    ),
)


def source_error(stderr: str, url: RemoteUrl) -> SourceError:
    """The error for what git said on stderr about `url`."""
    host = url.host or url.text
    for rule in _RULES:
        if re.search(rule.pattern, stderr):
            return rule.error(rule.message.format(url=url.text, host=host), hint=rule.hint)
    return SourceUnreachable(f"git failed on {url.text}: {quote_stderr(stderr)}")


def missing_ref(stderr: str) -> str:
    """The ref that a fetch asked for and that the remote does not have; '' when that was not it."""
    found = re.search(r"couldn't find remote ref (\S+)", stderr)
    return found[1] if found else ""


def without_progress(stderr: str) -> str:
    """What git said besides how far it was (`--progress`)."""
    return "\n".join(line for line in re.split(r"[\r\n]+", stderr) if line.strip() and not _PROGRESS.match(line))


def quote_stderr(stderr: str) -> str:
    """git's own words as one bounded line without control characters."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    text = " / ".join("".join(char if char.isprintable() else " " for char in line) for line in lines)
    return text[:_MAX_QUOTED] or "no message"
