"""The Git repository as the rest of Callboard sees it."""

import contextlib
import hashlib
import random
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard.errors import (
    CallboardError,
    ConflictError,
    NotFoundError,
    NotReadyError,
    reason_of,
)
from callboard.git import changes as changing
from callboard.git import history, objects
from callboard.git.address import check_hash, check_reference, parse_address
from callboard.git.asking import BRANCHES, TAGS, Asker
from callboard.git.environment import (
    LOCAL_RECEIVE_PACK,
    LOCAL_UPLOAD_PACK,
    authorization,
    remote_config,
    remote_environment,
)
from callboard.git.failures import explain, is_rejected_push, push_refused
from callboard.git.lock import MirrorLock
from callboard.git.mirror import Mirror, missing
from callboard.git.remote import Target, ask
from callboard.git.runner import GitFailedError, GitRunner
from callboard.git.smart import SmartServer
from callboard.git.values import Author, Commit, Contributor, Credentials, Reference, TreeFile
from callboard.i18n import Message, Text, Translator
from callboard.redaction import redact

if TYPE_CHECKING:
    from callboard.http import HttpClient

_ = Translator("callboard")

MAXIMUM_COMMITS: Final = 200_000
PUSH_ATTEMPTS: Final = 6
_SALT: Final = secrets.token_bytes(16)


class GitRepository:
    """A remote repository and its bare mirror in `directory`.

    `timeout` (s) bounds each git command, `maximum_bytes` the mirror, `maximum_file_bytes` a file.
    `depth` cuts history at that many commits; None keeps all of it, also for those who share the
    mirror with a depth. Local paths are read only
    below the folders of `allow_local`, plain http only with `allow_http`. `ca_bundle` replaces the
    machine's certificates, `proxy` (a URL) the proxies named in the environment. Servers of http
    and https are asked for their references by the client that `http` gives, which must have the
    same limits of its own; without it, and when the answer is unusual, by a process of git.

    Every method raises `InputError` for a refused address, name or size, `UnauthorisedError` for
    refused credentials, `NotFoundError` for what does not exist and `NotReadyError` for a remote
    that does not answer in time; none of their messages holds a secret. Objects of one directory
    may be used by many threads and processes; a process may be killed at any point.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        credentials: Credentials | None = None,
        timeout: float = 120.0,
        maximum_bytes: int = 2 * 2**30,
        maximum_file_bytes: int = 5 * 2**20,
        depth: int | None = None,
        allow_local: Sequence[Path] = (),
        allow_http: bool = False,
        ca_bundle: Path | None = None,
        proxy: str | None = None,
        http: "Callable[[], HttpClient] | None" = None,
    ) -> None:
        self._address = parse_address(url, allow_local=allow_local, allow_http=allow_http)
        self._allowed = (tuple(allow_local), allow_http)
        given = credentials or Credentials()
        if self._address.password and not given.password:
            given = Credentials(self._address.username, self._address.password)
        elif self._address.username and not given.username:
            given = Credentials(
                self._address.username, given.password, given.ssh_key, given.known_hosts
            )
        self._credentials = given
        self._secrets = tuple(filter(None, (given.password, self._address.password)))
        self._maximum_file_bytes = maximum_file_bytes
        self._depth = depth
        self._runner = GitRunner(
            None,
            timeout=timeout,
            config=remote_config(
                self._address, given, timeout=timeout, ca_bundle=ca_bundle, proxy=proxy
            ),
            environment=remote_environment(self._address, given, timeout=timeout),
        )
        server = None
        if http is not None and self._address.scheme in ("http", "https"):
            server = SmartServer(
                self._address.url,
                http,
                authorization=authorization(self._address, given),
                timeout=timeout,
            )
        self._asker = Asker(self._address, self._runner, self._check_again, server)
        self._mirror = Mirror(directory, self._runner, timeout=timeout, maximum_bytes=maximum_bytes)

    @property
    def url(self) -> str:
        """The address without credentials."""
        return redact(self._address.url)

    @property
    def access(self) -> str:
        """Another text when the credentials are others; each process has texts of its own."""
        said = repr(astuple(self._credentials)).encode()
        return hashlib.blake2b(said, key=_SALT, digest_size=16).hexdigest()

    def head(self, reference: str | None = None) -> str:
        """Give the commit of a branch or tag, of HEAD for None: one cheap question, no disk.

        A full commit hash is given back as it is.
        """
        with self._explained(_("Asking for the head (%(url)s)", url=self.url)):
            return self._ask(reference).commit

    def fetch(self, reference: str | None = None, *, all_references: bool = False) -> str:
        """Bring a branch, tag or commit hash (None: HEAD) into the mirror and give its commit.

        With `all_references` all branches and tags come along, and those deleted at the remote go.
        Nothing but one cheap question is asked when nothing has moved.
        """
        with self._explained(_("Fetching (%(url)s)", url=self.url)):
            target = self._ask(reference, everything=all_references)
            if self._is_current(target, all_references):
                return target.commit
            with self._mirror.lock() as held:
                if not self._is_current(target, all_references):
                    self._update(held, target, all_references)
                return self._fetched(target)

    def files(self, commit: str, patterns: Sequence[str] = ("**",)) -> list[TreeFile]:
        """List the files of a fetched commit that match any pattern (`*`, `?`, `[a-z]`, `**`)."""
        with self._reading(commit) as runner:
            return objects.list_files(runner, commit, patterns, self._maximum_file_bytes)

    def read(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield each blob with its content, in order, through one git process.

        Left out are hashes that are missing, no blob, or larger than `maximum_file_bytes`.
        """
        with self._reading() as runner:
            yield from objects.read_blobs(runner, blobs, self._maximum_file_bytes)

    def log(
        self,
        commit: str,
        *,
        limit: int = 50,
        since: datetime | None = None,
        paths: Sequence[str] = (),
    ) -> list[Commit]:
        """Give the newest commits first; `paths` are plain paths, not patterns."""
        with self._reading(commit) as runner:
            return history.read_log(
                runner, commit, limit=min(limit, MAXIMUM_COMMITS), since=since, paths=paths
            )

    def last_changes(
        self, commit: str, *, folder: str = "", after: str = "", limit: int = 5000
    ) -> dict[str, Commit]:
        """Give the newest commit that changed each file below a folder, by path, in one walk.

        At most `limit` commits are looked at, those that follow `after` where it is given: what
        none of them changed is left out, and so is what only a merge changed.
        """
        with self._reading(commit) as runner:
            return history.read_last_changes(
                runner,
                commit,
                limit=min(limit, MAXIMUM_COMMITS),
                folder=folder,
                after=after if after and self._mirror.has(check_hash(after)) else "",
            )

    def contributors(self, commit: str, *, since: datetime | None = None) -> list[Contributor]:
        """Give who authored commits, those with most of them first."""
        return history.count_contributors(self.log(commit, limit=MAXIMUM_COMMITS, since=since))

    def activity(self, commit: str, *, since: datetime | None = None) -> dict[date, int]:
        """Give the number of commits authored on each day (UTC) that has any."""
        return history.count_days(self.log(commit, limit=MAXIMUM_COMMITS, since=since))

    def branches(self) -> list[Reference]:
        """Give the branches in the mirror, the last changed first."""
        with self._reading() as runner:
            return history.list_references(runner, BRANCHES)

    def tags(self) -> list[Reference]:
        """Give the tags in the mirror, the newest first."""
        with self._reading() as runner:
            return history.list_references(runner, TAGS)

    def commit(
        self,
        branch: str,
        changes: Mapping[str, bytes | None],
        message: str,
        *,
        author: Author,
        trailers: Mapping[str, str] | None = None,
    ) -> str:
        """Write whole files (None deletes one) as a commit on a branch, push it, give its hash.

        A branch that does not exist starts at HEAD. When the branch has moved meanwhile, the
        changes are applied again on top; `ConflictError` when the other commit changed one of the
        same files, or when the server declines the push. Changes that are already there make no
        commit, so that running it twice is safe. Hooks of a local repository are not run.
        """
        check_reference(branch)
        changing.check_changes(changes)
        text = changing.compose(message, trailers or {})
        with self._explained(_("Committing (%(url)s)", url=self.url)), self._mirror.lock() as held:
            first: dict[str, str] | None = None
            for attempt in range(PUSH_ATTEMPTS):
                base, exists = self._base(held, branch)
                entries = changing.list_entries(self._mirror.runner, base)
                found = {path: entries[path] for path in changes if path in entries}
                first = found if first is None else first
                tree = changing.write_tree(self._mirror.runner, base, entries, changes)
                if exists and base and tree == changing.tree_of(self._mirror.runner, base):
                    return base
                if found != first:
                    raise self._overtaken(branch, first, found)
                commit = changing.write_commit(self._mirror.runner, tree, base, text, author)
                if self._push(held, commit, branch):
                    return commit
                time.sleep(random.uniform(0, 0.1 * 2**attempt))  # noqa: S311  spreads load only
            raise NotReadyError(
                _(
                    "The branch %(name)s of %(url)s kept moving during %(number)s pushes.",
                    name=repr(branch),
                    url=self.url,
                    number=PUSH_ATTEMPTS,
                ),
                hint=_("It is tried again later."),
            )

    def _ask(self, reference: str | None, *, everything: bool = False) -> Target:
        return ask(self._asker, reference, everything=everything)

    def _check_again(self) -> None:
        """Check a local repository before git enters it: its owner may have changed it since."""
        if self._address.scheme == "file":
            local, http = self._allowed
            parse_address(self._address.url, allow_local=local, allow_http=http)

    def _options(self) -> tuple[str, ...]:
        return (LOCAL_UPLOAD_PACK,) if self._address.scheme == "file" else ()

    def _is_current(self, target: Target, everything: bool) -> bool:
        local = self._mirror.references()
        if missing(local, target.references) or (self._depth is None and self._mirror.is_shallow):
            return False
        if everything and _visible(local) != _visible(target.references):
            return False
        return self._mirror.has(target.commit)

    def _update(self, held: MirrorLock, target: Target, everything: bool) -> None:
        self._check_again()
        held_already = not missing(self._mirror.references(), target.references)
        if held_already and not self._mirror.has(target.commit):
            self._mirror.mark_damaged()
        options = [*self._options()]
        if self._depth is None and self._mirror.is_shallow:
            options.append("--unshallow")
        elif self._depth is not None and (self._mirror.is_shallow or not self._mirror.references()):
            # A full mirror stays full: another user of it may need the history.
            options.append(f"--depth={self._depth}")
        refspecs = [f"+{source}:{name}" for name, source in target.sources.items()]
        if everything:
            options.append("--prune")
            refspecs = [
                item for item in refspecs if not item.startswith((f"+{BRANCHES}", f"+{TAGS}"))
            ]
            refspecs += [f"+{BRANCHES}*:{BRANCHES}*", f"+{TAGS}*:{TAGS}*"]
        self._mirror.update(held, self._address.url, refspecs, options)

    def _fetched(self, target: Target) -> str:
        """Give the commit that came: a newer one when the branch moved after it was asked for."""
        name = next(iter(target.references))
        output = self._mirror.runner.run("rev-parse", "--verify", f"{name}^{{commit}}")
        return output.decode().strip()

    def _base(self, held: MirrorLock, branch: str) -> tuple[str | None, bool]:
        """Give the commit to build on, and whether the branch exists."""
        for reference in (f"{BRANCHES}{branch}", None):
            with contextlib.suppress(NotFoundError):
                target = self._ask(reference)
                if not self._is_current(target, everything=False):
                    self._update(held, target, everything=False)
                return self._fetched(target), reference is not None
        self._mirror.prepare()
        return None, False

    def _push(self, held: MirrorLock, commit: str, branch: str) -> bool:
        """Push; give False when the branch has moved meanwhile."""
        self._check_again()
        options = (LOCAL_RECEIVE_PACK,) if self._address.scheme == "file" else ()
        refspec = f"{commit}:{BRANCHES}{branch}"
        try:
            self._mirror.runner.run(
                *("push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules"),
                *(*options, "--", self._address.url, refspec),
                inherit=[held.descriptor],
                started=held.record,
            )
        except GitFailedError as failure:
            if is_rejected_push(failure):
                return False
            action = _("Pushing to %(url)s", url=self.url)
            raise push_refused(failure, action, self._secrets) from failure
        return True

    def _overtaken(
        self, branch: str, before: Mapping[str, str], after: Mapping[str, str]
    ) -> ConflictError:
        paths = sorted(path for path, _ in before.items() ^ after.items())
        return ConflictError(
            _(
                "Another commit on %(name)s of %(url)s changed the same files meanwhile: "
                "%(paths)s.",
                name=repr(branch),
                url=self.url,
                paths=", ".join(paths)[:200],
            ),
            hint=_("Read the new state and decide again."),
        )

    @contextlib.contextmanager
    def _explained(self, action: Text) -> Iterator[None]:
        try:
            yield
        except GitFailedError as failure:
            raise explain(failure, action, self._secrets) from None
        except OSError as error:
            raise _disk_error(action, error) from error

    @contextlib.contextmanager
    def _reading(self, commit: str | None = None) -> Iterator[GitRunner]:
        """Read from the mirror; what fails although the commit is here means damage."""
        if commit is not None and not self._mirror.has(check_hash(commit)):
            raise NotFoundError(
                _(
                    "The commit %(commit)s of %(url)s is not in its mirror.",
                    commit=commit,
                    url=self.url,
                ),
                hint=_("Fetch it first."),
            )
        try:
            yield self._mirror.runner
        except GitFailedError as failure:
            if not failure.stopped:
                self._mirror.mark_damaged()
            raise explain(failure, self._mirror_action(), self._secrets) from None
        except OSError as error:
            raise _disk_error(self._mirror_action(), error) from error

    def _mirror_action(self) -> Message:
        return _("Reading the mirror of %(url)s", url=self.url)


def _visible(references: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in references.items() if k.startswith((BRANCHES, TAGS))}


def _disk_error(action: Text, error: OSError) -> CallboardError:
    place = str(error.filename) if error.filename else _("the data folder")
    return NotReadyError(
        _(
            "%(action)s failed: %(reason)s (%(place)s).",
            action=action,
            reason=reason_of(error),
            place=place,
        ),
        hint=_("Check free space and permissions of the data folder."),
    )
