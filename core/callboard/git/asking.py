"""How a remote is asked what it offers: in the cheapest way that is safe, in one place."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from callboard.git import ondisk
from callboard.git.address import Address, is_hash
from callboard.git.environment import LOCAL_UPLOAD_PACK
from callboard.git.packets import PEELED, References, UnusualError
from callboard.git.runner import GitRunner
from callboard.git.smart import SmartServer

BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks one remote for its references.

    A repository on this machine is read as files, a server of http or https is asked by `server`
    where there is one; what either finds unusual, and every other remote, is asked by a process
    `git ls-remote`. `check` is called before a process may follow what a local repository holds.
    """

    address: Address
    runner: GitRunner
    check: Callable[[], None]
    server: SmartServer | None = None

    def references(self, names: Sequence[str], *, everything: bool) -> References:
        """Give at least the first of some references that is there, what it leads to, and with
        `everything` all branches and tags.

        Raises `GitFailedError` when the remote does not answer, and what `check` raises.
        """
        with contextlib.suppress(UnusualError):
            if self.address.scheme == "file" and not everything:
                return ondisk.read_references(Path(self.address.url), names)
            if self.server is not None:
                prefixes = (*names, *((BRANCHES, TAGS) if everything else ()))
                return self.server.references(prefixes)
        return self._by_process(names, everything=everything)

    def _by_process(self, names: Sequence[str], *, everything: bool) -> References:
        self.check()
        patterns = [*names, *(f"{name}{PEELED}" for name in names if name != "HEAD")]
        if everything:
            patterns += [f"{BRANCHES}*", f"{TAGS}*"]
        options = (LOCAL_UPLOAD_PACK,) if self.address.scheme == "file" else ()
        output = self.runner.run(
            "ls-remote", "--symref", *options, "--", self.address.url, *patterns
        )
        found = References()
        for line in output.decode("utf-8", "replace").splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: "):
                found.symbolic[name] = value.removeprefix("ref: ")
            elif name and is_hash(value):
                found.add(name, value)
        return found
