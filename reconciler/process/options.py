"""What a person says on every command line: which repository, how it is reached, how much is shown.

A value that the command line makes and `reconciler.process.compose` takes. Settings of a cluster are not here: they are
in Git.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sources.words import Words


@dataclass(frozen=True, kw_only=True)
class Options:
    """repo: URL or path of the Git repository; "" is the checkout one stands in.

    ssh_key, git_known_hosts, git_token_file, git_ca_file: for the Git remote only (SSH and HTTPS); hosts have theirs in
    the repository. cache_dir: bare clones, nothing that could not be fetched again. color: whether output has colours.
    words: what this process must not say; no option, it goes where the options go.
    """

    repo: str = ""
    branch: str = "main"
    ssh_key: Path | None = None
    git_known_hosts: Path | None = None
    git_token_file: Path | None = None
    git_ca_file: Path | None = None
    cache_dir: Path = Path("~/.cache/berth")
    verbose: bool = False
    color: bool = False
    words: Words = field(default_factory=Words, repr=False, compare=False)
