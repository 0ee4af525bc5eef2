"""A Git repository over SSH, HTTPS or a local path, seen through a bare clone in a cache folder.

Blobs only: nothing is ever checked out, no hook runs, no symlink is followed, no submodule is fetched. A failed read
is always an error and never an empty result. All methods may be called from any thread: one lock serialises them,
because the object reader is one pipe. Methods that talk to the remote end when nothing gets on any more.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from objects.errors import InvalidInput, RevisionNotFound, SourceError
from sources.errors import BranchVanished, CacheBroken, EmptyRepository, RefMissing
from sources.git.cache_lock import exclusive, remove_stale_locks, remove_unfinished
from sources.git.errors import missing_ref, source_error, without_progress
from sources.git.object_reader import ObjectReader, parse_batch
from sources.git.process import (
    STALL_SECONDS,
    TRANSFER_DEADLINE_SECONDS,
    GitProcess,
    GitResult,
    git_environment,
)
from sources.git.remotes import (
    SHA,
    Access,
    check_branch,
    parse_revision,
    parse_url,
)
from sources.git.revisions import Commit, Tree, follow_tree, parse_tree
from sources.words import Words

POLL_DEADLINE_SECONDS = 30.0
_TIDY_SECONDS = 300.0
MAX_BLOB_BYTES = 16 * 2**20
_TREES_KEPT = 4
_REMOTE_HEADS = "refs/remotes/origin/"
_TAGS = "refs/tags/"


class Repository:
    """One remote repository and its local clone. The clone is made by the first fetch.

    url: see `sources.git.remotes.parse_url`. cache_dir: holds the clone in a folder named after the URL; it may be
    deleted at any time. stall_seconds: a fetch or push ends when nothing gets on for so long.
    """

    def __init__(
        self,
        url: str,
        cache_dir: Path,
        access: Access | None = None,
        *,
        stall_seconds: float = STALL_SECONDS,
        words: Words | None = None,
    ) -> None:
        access = access or Access()
        self.words = words or Words()
        """Learns the Secrets of what is read here; what is written about them passes it."""
        self.url = parse_url(url)
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.url.text.removesuffix(".git")).strip("-")[-40:]
        self.git_dir = cache_dir.absolute() / f"{name}-{hashlib.sha256(self.url.text.encode()).hexdigest()[:12]}.git"
        self._environment = git_environment(self.git_dir, self.url, access)
        self._git = GitProcess(self.git_dir, self._environment)
        self._stall_seconds = stall_seconds
        self._reader: ObjectReader | None = None
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._is_damaged = False
        self._may_hold_unfinished = True
        self._moment: tuple[int, frozenset[str]] | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the helper processes. The repository can be used again afterwards."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def holder_file(self, branch: str) -> Path:
        """Where a reconciler of this branch keeps its id: beside the clone, which may be thrown away."""
        return self.git_dir.with_suffix(f".{hashlib.sha256(branch.encode()).hexdigest()[:8]}.holder")

    # --- the remote ------------------------------------------------------------------------------------------------

    def ls_remote(self, branch: str) -> str:
        """The commit id of a branch on the remote now, without fetching: the cheap poll.

        Raises SourceUnreachable, EmptyRepository, BranchVanished or RevisionNotFound.
        """
        with self._lock:
            return self._ls_remote(check_branch(branch))

    def fetch(self, branch: str, *, optional: str = "") -> Commit:
        """Bring a branch of the remote into the clone, whatever happened to it there (force-push included).

        optional: another one to bring along, if it is there, by the same connection. Raises SourceUnreachable,
        EmptyRepository, BranchVanished or RevisionNotFound.
        """
        ref = _REMOTE_HEADS + check_branch(branch)
        with self._lock:
            self._fetch_branches(branch, optional)
            return self.read_commit(self._rev_parse(ref))

    def fetch_revision(self, revision: str, *, head: str) -> str:
        """The commit id of a branch or tag as the remote has it now, or of a commit that the clone has; see `resolve`.

        head: the branch that `HEAD` means. Raises as `fetch` does, and InvalidInput.
        """
        name, steps = parse_revision(revision)
        if name == "HEAD":
            name = head
        with self._lock:
            try:
                self._fetch_branches(name, "")
            except RevisionNotFound as error:
                if not parse_revision(name).is_sha:
                    try:
                        self.fetch_refs([f"+{_TAGS}{name}:{_TAGS}{name}"])
                    except RevisionNotFound:
                        raise error from None
            return self.resolve(name + steps)

    @contextmanager
    def fetched_once(
        self, branch: str, *, optional: str, during: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """Fetch two branches at once; until the block ends this thread does not ask for them again.

        A connection costs more than what comes over it, and what is read in the block is of one moment. optional: a
        branch that need not be there. during: done while the remote is asked. Raises as `fetch` does.
        """
        moment = (threading.get_ident(), frozenset({_refspec_of(branch), _refspec_of(optional)}))
        if self._moment == moment:
            yield
            return
        with ThreadPoolExecutor(1) as others:
            fetched = others.submit(self._fetch_branches, branch, optional)
            during()
            fetched.result()
        self._moment = moment
        try:
            yield
        finally:
            self._moment = None

    def branches_beside(self, name: str) -> list[str]:
        """Branches of the remote that leave no room for one of this name: `a` and `a/b/c` for `a/b`. Asks the remote.

        Git keeps branches as files in folders, and none can be both.
        """
        parts = check_branch(name).split("/")
        above = {"/".join(parts[:count]) for count in range(1, len(parts))}
        with self._lock:
            known = (ref.removeprefix("refs/heads/") for ref in self._remote_refs("refs/heads/*"))
            return sorted(branch for branch in known if branch in above or branch.startswith(f"{name}/"))

    def fetch_refs(self, refspecs: Sequence[str], *, newest_only: bool = False) -> None:
        """Fetch with refspecs of our own making. A damaged clone is made again, once.

        newest_only: without the history before the newest commits, and what the clone has of that is given up.
        Raises RevisionNotFound, SourceUnreachable.
        """
        with self._lock:
            if self._is_damaged:
                self.discard_clone()
            elif self._moment and self._moment[0] == threading.get_ident() and self._moment[1].issuperset(refspecs):
                return
            try:
                self._fetch(refspecs, newest_only=newest_only)
            except CacheBroken:
                self.discard_clone()
                self._fetch(refspecs, newest_only=newest_only)

    def push(self, refspecs: Sequence[str], *, replaces: tuple[str, str] | None = None) -> GitResult:
        """Push without force. A rejected ref is a result with code 1 and `!` lines on stdout, as `--porcelain` says.

        replaces: (ref, commit id): this ref may be given a commit that does not follow the one it has, if that is still
        this one. Raises SourceUnreachable and its kin when the remote could not be asked.
        """
        lease = [f"--force-with-lease={replaces[0]}:{_checked(replaces[1])}"] if replaces else []
        options = ["--porcelain", "--no-verify", "--quiet", "--progress", *lease, *self._receiver()]
        with self._lock:
            self._moment = None  # what is at the remote now is not what was fetched
            result = self._transfer(["push", *options, "--", self.url.text, *refspecs])
        if result.code != 0 and not re.search(rb"^!\t", result.stdout, re.MULTILINE):
            raise source_error(result.stderr, self.url)
        return result

    # --- the clone -------------------------------------------------------------------------------------------------

    def resolve(self, revision: str) -> str:
        """The commit id of a branch or tag, a commit id or its start, each with `~N` and `^N`. Never asks the remote.

        Raises InvalidInput or RevisionNotFound.
        """
        name, steps = parse_revision(revision)
        candidates = [f"{_REMOTE_HEADS}{name}{steps}", f"{_TAGS}{name}{steps}"]
        if parse_revision(revision).is_sha:
            candidates.insert(0, f"{name}{steps}")
        with self._lock:
            for candidate in candidates:
                sha = self._try_rev_parse(candidate)
                if sha:
                    return sha
        raise RevisionNotFound(f"revision {revision!r} is not in {self.url.text}")

    def read_commit(self, sha: str) -> Commit:
        """Raises RevisionNotFound when the clone does not have this commit."""
        with self._lock:
            try:
                return self._objects().read_commit(_checked(sha))
            except CacheBroken:
                self._is_damaged = True
                raise

    def read_tree(self, commit: str, path: str = "") -> Tree:
        """Everything below a folder of a commit. path: relative, '' is the root. Raises RevisionNotFound."""
        with self._lock:
            tree = self._whole_tree(self.read_commit(commit))
        below = tree.subtree(path)
        if below is None:
            raise RevisionNotFound(f"commit {commit[:10]} has no folder {path!r}")
        return below

    def tree_hash(self, commit: str, path: str = "") -> str:
        """The revision of a folder: changes only when something in it changes. Raises RevisionNotFound."""
        return self.read_tree(commit, path).sha

    def read_blob(self, sha: str, *, limit_bytes: int = MAX_BLOB_BYTES) -> bytes:
        """The content of a file. Raises SourceError when it is larger than `limit_bytes` or not there."""
        with self._lock:
            try:
                content = self._objects().read_blob(_checked(sha))
            except CacheBroken:
                self._is_damaged = True
                raise
        if len(content) > limit_bytes:
            raise SourceError(f"file {sha[:10]} is larger than {limit_bytes} bytes")
        return content

    def read_blobs(self, shas: Collection[str]) -> dict[str, bytes]:
        """Many files at once, by id: one process in place of a round trip for each. Raises SourceError.

        The caller has bounded their sizes by what the tree says.
        """
        request = "".join(f"{_checked(sha)}\n" for sha in shas).encode()
        with self._lock:
            self._ensure_clone()
            result = self._git.run(["cat-file", "--batch"], stdin=request)
            try:
                return parse_batch(result.stdout, len(shas))
            except CacheBroken:
                self._is_damaged = True
                raise

    def log(self, path: str, *, revision: str, limit: int = 100) -> tuple[Commit, ...]:
        """The commits up to `revision` (a commit id) that touched `path`, newest first, at most `limit`."""
        arguments = [
            "log",
            "--format=%H",
            f"--max-count={int(limit)}",
            _checked(revision),
            "--",
            f":(top,literal){path}",
        ]
        return tuple(self.read_commit(sha) for sha in self._local(arguments).decode().split())

    def versions(self, path: str, *, revision: str, limit: int = 100) -> tuple[tuple[Commit, str], ...]:
        """What `path` was in the states that a branch went through up to `revision` (a commit id), newest first.

        Each with the blob id of the file, '' where it was deleted. A merged pull request is one state, as it was one
        deployment.
        """
        arguments = ["log", "--first-parent", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=commit %H"]
        listing = self._local(
            [*arguments, f"--max-count={int(limit)}", _checked(revision), "--", f":(top,literal){path}"]
        )
        found: list[tuple[Commit, str]] = []
        sha = ""
        for line in listing.decode("utf-8", "replace").splitlines():
            if line.startswith("commit "):
                sha = line.removeprefix("commit ")
            elif line.startswith(":"):
                blob = line.split()[3]
                found.append((self.read_commit(sha), "" if not blob.strip("0") else blob))
        return tuple(found)

    def trailers(self, since: str, until: str, *, limit: int = 500) -> tuple[tuple[str, str], ...]:
        """The trailers of all commits after `since` up to `until`, newest commit first.

        A pull request's merge commit does not carry the trailers of the commits that it merges. since: '' or a commit
        that was lost in a force-push counts only `until` itself.
        """
        newest = self.read_commit(until)
        if not since or not self.has_commit(since):
            return newest.trailers
        arguments = ["rev-list", f"--max-count={int(limit)}", _checked(until), f"^{_checked(since)}"]
        shas = self._local(arguments).decode().split()
        return tuple(trailer for sha in shas for trailer in self.read_commit(sha).trailers)

    def has_commit(self, sha: str) -> bool:
        """Whether the clone has this commit: after a force-push an old one may be gone."""
        with self._lock:
            return bool(self._try_rev_parse(_checked(sha)))

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether `new` builds on `old`. False after a force-push that dropped `old`."""
        with self._lock:
            if not self.has_commit(old):
                return False
            result = self._run(["merge-base", "--is-ancestor", _checked(old), _checked(new)])
            if result.code not in (0, 1):
                raise source_error(result.stderr, self.url)
            return result.code == 0

    def history_length(self, sha: str, *, limit: int) -> int:
        """How many commits the clone has up to `sha`, that one included; `limit` when there are as many or more."""
        return int(self._local(["rev-list", "--count", f"--max-count={int(limit)}", _checked(sha)]))

    def known_tip(self, ref: str) -> str:
        """The commit id of a ref in the clone; '' when the clone lacks it, which says nothing of the remote."""
        with self._lock:
            return self._try_rev_parse(ref)

    def set_ref(self, ref: str, sha: str) -> None:
        """Remember in the clone where a ref of the remote is now. Raises SourceError."""
        self._update_ref([ref, _checked(sha)])

    def forget_ref(self, ref: str) -> None:
        """Remove a ref from the clone, if it is there. Raises SourceError."""
        self._update_ref(["-d", ref])

    def fast_import(self, stream: bytes) -> None:
        """Write commits described as a `git fast-import` stream. Raises SourceError."""
        with self._lock:
            result = self._write(["fast-import", "--quiet", "--force", "--done"], stdin=stream)
            if result.code != 0:
                raise source_error(result.stderr, self.url)

    def tidy(self) -> None:
        """Let git pack what many small commits left, when it finds that worth it (3 ms when it does not).

        Its failure is no error of anybody's: the same is tried after the next commit.
        """
        with self._lock, suppress(SourceError):
            self._write(["gc", "--auto", "--quiet"], deadline_seconds=_TIDY_SECONDS)

    def discard_clone(self) -> None:
        """Throw the local clone away: the next fetch makes it again."""
        with self._lock:
            self.close()
            self._trees.clear()
            shutil.rmtree(self.git_dir, ignore_errors=True)
            self._is_damaged, self._moment = False, None

    def _receiver(self) -> list[str]:
        """How a repository on this machine takes a push: the branch that is checked out there moves with its files,
        and git refuses when somebody is at work in them."""
        if self.url.transport != "file":
            return []
        return ["--receive-pack=git -c receive.denyCurrentBranch=updateInstead receive-pack"]

    # --- inside ----------------------------------------------------------------------------------------------------

    def _objects(self) -> ObjectReader:
        if self._reader is None:
            self._ensure_clone()
            self._reader = ObjectReader(self.git_dir, self._environment)
        return self._reader

    def _ensure_clone(self) -> None:
        if not (self.git_dir / "HEAD").is_file() or not (self.git_dir / "config").is_file():
            self.git_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            result = self._git.run(["init", "--bare", "--quiet", "--template=", "--initial-branch=none"])
            if result.code != 0:
                raise source_error(result.stderr, self.url)

    def _run(self, arguments: Sequence[str]) -> GitResult:
        self._ensure_clone()
        return self._git.run(arguments)

    def _local(self, arguments: Sequence[str]) -> bytes:
        with self._lock:
            result = self._run(arguments)
        if result.code != 0:
            raise source_error(result.stderr, self.url)
        return result.stdout

    def _write(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        deadline_seconds: float = 60.0,
        stall_seconds: float | None = None,
    ) -> GitResult:
        """Run a git that changes the clone, alone in it."""
        patience = stall_seconds or deadline_seconds
        try:
            self.git_dir.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with exclusive(self.git_dir.with_suffix(".lock"), deadline_seconds=patience) as descriptor:
                self._ensure_clone()
                remove_stale_locks(self.git_dir)
                if self._may_hold_unfinished:
                    remove_unfinished(self.git_dir)
                self._may_hold_unfinished = True
                result = self._git.run(
                    arguments,
                    stdin=stdin,
                    deadline_seconds=deadline_seconds,
                    stall_seconds=stall_seconds,
                    keep_open=[descriptor],
                )
                self._may_hold_unfinished = result.code != 0
                return result
        except OSError as error:
            raise SourceError(f"the clone {self.git_dir} cannot be written: {error.strerror}") from error

    def _transfer(self, arguments: Sequence[str]) -> GitResult:
        """Run a git that talks to the remote and shows its progress."""
        result = self._write(arguments, deadline_seconds=TRANSFER_DEADLINE_SECONDS, stall_seconds=self._stall_seconds)
        return result._replace(stderr=without_progress(result.stderr))

    def _update_ref(self, arguments: Sequence[str]) -> None:
        with self._lock:
            result = self._write(["update-ref", *arguments])
            if result.code != 0:
                raise source_error(result.stderr, self.url)

    def _fetch_branches(self, branch: str, optional: str) -> None:
        """Fetch `branch`, which has to be there, and `perhaps` (not for ''), which need not be."""
        wanted = _refspec_of(branch)
        with self._lock:
            try:
                if not optional:
                    self.fetch_refs([wanted])
                elif self._try_rev_parse(_REMOTE_HEADS + optional):
                    self._fetch_if_there([wanted], optional)
                else:
                    # Nobody asks for the past of what is brought along, which may be long.
                    self.fetch_refs([wanted])
                    self._fetch_if_there([], optional, newest_only=True)
            except RevisionNotFound:
                # git names the ref; whether the branch or the whole history is missing tells the list of refs.
                self._ls_remote(branch)
                raise

    def _fetch_if_there(self, refspecs: Sequence[str], branch: str, *, newest_only: bool = False) -> None:
        """Fetch `refspecs` and `branch`; what of that branch is gone at the remote is gone here."""
        try:
            self.fetch_refs([*refspecs, _refspec_of(branch)], newest_only=newest_only)
        except RefMissing as error:
            if error.ref != f"refs/heads/{branch}":
                raise
            self.forget_ref(_REMOTE_HEADS + branch)
            if refspecs:
                self.fetch_refs(refspecs)

    def _fetch(self, refspecs: Sequence[str], *, newest_only: bool) -> None:
        # A checkout that is shallow itself (as of CI) may be the remote.
        options = ["--quiet", "--progress", "--no-tags", "--no-write-fetch-head", "--update-shallow"]
        depth = ["--depth=1"] if newest_only else []
        result = self._transfer(["fetch", *options, *depth, "--", self.url.text, *refspecs])
        if result.code != 0:
            if ref := missing_ref(result.stderr):
                raise RefMissing(f"{ref.removeprefix('refs/heads/')!r} does not exist in {self.url.text}", ref=ref)
            raise source_error(result.stderr, self.url)

    def _ls_remote(self, branch: str) -> str:
        ref = f"refs/heads/{branch}"
        sha = self._remote_refs(ref).get(ref, "")
        if sha:
            return sha
        branches = sorted(name.removeprefix("refs/heads/") for name in self._remote_refs("refs/heads/*"))
        if not branches:
            raise EmptyRepository(f"{self.url.text} has no commit yet", hint=f"push the branch {branch!r}")
        known = f"it has {', '.join(branches[:5])}" + (" and more" if len(branches) > 5 else "")
        if self._try_rev_parse(_REMOTE_HEADS + branch):
            raise BranchVanished(f"branch {branch!r} is gone from {self.url.text}", hint=known)
        raise RevisionNotFound(f"{self.url.text} has no branch {branch!r}", hint=known)

    def _remote_refs(self, pattern: str) -> dict[str, str]:
        self._ensure_clone()
        arguments = ["ls-remote", "--refs", "--", self.url.text, pattern]
        result = self._git.run(arguments, deadline_seconds=POLL_DEADLINE_SECONDS)
        if result.code != 0:
            raise source_error(result.stderr, self.url)
        lines = result.stdout.decode("utf-8", "replace").splitlines()
        return {name: sha for sha, _, name in (line.partition("\t") for line in lines)}

    def _try_rev_parse(self, revision: str) -> str:
        result = self._run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
        return result.stdout.decode().strip() if result.code == 0 else ""

    def _rev_parse(self, revision: str) -> str:
        sha = self._try_rev_parse(revision)
        if not sha:
            raise RevisionNotFound(f"{revision} is not in the clone of {self.url.text}")
        return sha

    def _whole_tree(self, commit: Commit) -> Tree:
        tree_sha = commit.tree_sha
        tree = self._trees.get(tree_sha)
        if tree is None:
            tree = self._trees[tree_sha] = self._follow_tree(commit) or self._list_tree(tree_sha)
            while len(self._trees) > _TREES_KEPT:
                self._trees.popitem(last=False)
        self._trees.move_to_end(tree_sha)
        return tree

    def _list_tree(self, tree_sha: str) -> Tree:
        return parse_tree(tree_sha, self._local(["ls-tree", "-r", "-t", "-z", "-l", "--full-tree", tree_sha]))

    def _follow_tree(self, commit: Commit) -> Tree | None:
        """From the tree of the commit before, where that is known: of a branch with ten thousand files a commit changes
        three. None where it is not, or where so much differs that listing all is faster."""
        objects = self._objects()
        for parent in commit.parents:
            try:
                base = self._trees.get(objects.read_commit(parent).tree_sha)
            except RevisionNotFound:
                continue  # a shallow clone
            if base is not None:
                with suppress(CacheBroken):
                    return follow_tree(base, commit.tree_sha, objects.read_tree, objects.size_of)
        return None


def _refspec_of(branch: str) -> str:
    """A refspec that brings one branch, whatever happened to it at the remote."""
    return f"+refs/heads/{check_branch(branch)}:{_REMOTE_HEADS}{branch}"


def _checked(sha: str) -> str:
    if not SHA.fullmatch(sha):
        raise InvalidInput(f"{sha!r} is not a commit id")
    return sha
