"""The hosts of repositories, with their own APIs: what `host.code_host` gives.

All that is asked here is remote: it belongs in jobs and routes, never where a page is drawn.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from callboard.repositories.pushed import comparable

CodeHostKind = Literal["gitlab", "github", "gitea", "gitee"]
StatusState = Literal["pending", "running", "success", "failed", "cancelled"]

_SSH: Final = re.compile(r"ssh://|(?:[\w.+-]+@)?(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?!//)")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """What became of a commit in the eyes of `context`, such as `callboard/build`.

    A later one of the same context takes the place of the earlier. `link` is an address for
    people. Hosts that know fewer states show the nearest one.
    """

    state: StatusState
    context: str
    description: str = ""
    link: str = ""


class CodeHost(Protocol):
    """One host of repositories, with the credentials, limits and patience of the settings.

    `name` is its name in the settings, `web` its address for people. `repository` is everywhere
    the full path on the host, such as `shop/orders`: what `path_of` gives.

    Every call raises `NotReadyError` where the host does not answer or asks to be left alone (ask
    again later, in a job), `NotFoundError` for what is not there or may not be seen,
    `UnauthorisedError` where the token is refused, and `InputError` for an answer that cannot be
    what was asked for.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> CodeHostKind: ...

    @property
    def web(self) -> str: ...

    def path_of(self, address: str) -> str:
        """Give the path of a repository by one of its addresses, empty where it is not here."""

    def set_status(self, repository: str, commit: str, status: CommitStatus) -> None:
        """Write the status of a commit. The same one twice is no error."""

    def read_file(self, repository: str, revision: str, path: str) -> bytes | None:
        """Give a file as it is in a commit, branch or tag; None where there is none."""

    def head_of(
        self, repository: str, *, branch: str = "", tag: str = "", merge_request: int = 0
    ) -> str | None:
        """Give the commit that a branch, a tag or a merge request is at; None where it is gone."""

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Ask the host's own API for JSON, such as `/projects/15/pipelines`."""

    def pages(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Any]:
        """Ask the host's own API for a list: the JSON of one page after the other."""

    def stream(self, path: str) -> Iterator[bytes]:
        """Give the bytes of an answer as they come, whatever they are, such as those of a log.

        At most 64 MiB, each piece within the time limit of a request; close it to end early.
        """


H = TypeVar("H", bound=CodeHost)


def host_of(hosts: Iterable[H], address: str) -> H | None:
    """Give the host that a repository's address belongs to.

    Of several on one server it is the one with the longest fitting address; by SSH, which does not
    tell them apart, the one at the root.
    """
    fitting = sorted(
        (one for one in hosts if path_below(one.web, address)),
        key=lambda one: len(comparable(f"{one.web}/x")),
        reverse=not _SSH.match(address.strip()),
    )
    return next(iter(fitting), None)


def path_below(web: str, address: str) -> str:
    """Give the path of a repository below the address of its host; empty where it is not there.

    The port of an address of SSH is not that of the web: hosts are told apart by names alone then.
    """
    root, place = comparable(f"{web}/x").removesuffix("x"), comparable(address)
    if not root:
        return ""
    if _SSH.match(address.strip()):
        # SSH has no folder of the web server before the path.
        server = (urlsplit(web).hostname or "").lower()
        return place.removeprefix(f"{server}/") if place.startswith(f"{server}/") else ""
    return place.removeprefix(root) if place.startswith(root) else ""
