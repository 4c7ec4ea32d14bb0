"""The hosts of the settings as other plugins meet them: `callboard.repositories.hosts.CodeHost`."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from callboard.errors import InputError, NotFoundError
from callboard.i18n import Translator
from callboard.repositories.hosts import CodeHostKind, CommitStatus, path_below
from callboard_scm_hosts.client import HostClient, check_paging, with_page
from callboard_scm_hosts.hosts.base import content_of, quoted
from callboard_scm_hosts.hosts.statuses import STATUSES
from callboard_scm_hosts.ledger import Ledger
from callboard_scm_hosts.settings import HostSettings, ScmHostsSettings
from callboard_scm_hosts.values import BLOB, PATH

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

Head = Literal["branch", "tag", "merge_request"]

_PULL: Final = ("/repos/{repository}/pulls/{name}", ("head", "sha"))
_BRANCH: Final = "/repos/{repository}/branches/{name}"
_COMMIT: Final = ("/repos/{repository}/commits/{name}", ("sha",))
HEADS: Final[Mapping[str, Mapping[Head, tuple[str, tuple[str, ...]]]]] = {
    "gitlab": {
        "branch": ("/projects/{repository}/repository/branches/{name}", ("commit", "id")),
        "tag": ("/projects/{repository}/repository/tags/{name}", ("commit", "id")),
        "merge_request": ("/projects/{repository}/merge_requests/{name}", ("sha",)),
    },
    "github": {"branch": (_BRANCH, ("commit", "sha")), "tag": _COMMIT, "merge_request": _PULL},
    "gitea": {
        "branch": (_BRANCH, ("commit", "id")),
        "tag": ("/repos/{repository}/tags/{name}", ("commit", "sha")),
        "merge_request": _PULL,
    },
    "gitee": {"branch": (_BRANCH, ("commit", "sha")), "tag": _COMMIT, "merge_request": _PULL},
}
"""Where each type of host tells of a commit, and below which keys of its answer."""


def code_hosts(host: "Host") -> Iterable["SpokenHost"]:
    """Give the hosts of the settings that have an API."""
    settings: ScmHostsSettings = host.settings
    return [SpokenHost(host, item) for item in settings.hosts if item.type in STATUSES]


class SpokenHost:
    """`callboard.repositories.hosts.CodeHost`. Making one asks nobody; threads may share it."""

    def __init__(self, host: "Host", settings: HostSettings) -> None:
        self._host = host
        self._settings = settings
        self._lock = threading.Lock()
        self._made: HostClient | None = None

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def kind(self) -> CodeHostKind:
        if self._settings.type == "folder":
            raise TypeError("A folder has no API.")
        return self._settings.type

    @property
    def web(self) -> str:
        return self._settings.address

    def path_of(self, address: str) -> str:
        return path_below(self.web, address)

    def set_status(self, repository: str, commit: str, status: CommitStatus) -> None:
        if not BLOB.fullmatch(commit):
            raise InputError(_("%(commit)s is no full name of a commit.", commit=commit[:80]))
        STATUSES[self.kind](self._client, _checked(repository), commit, status)

    def read_file(self, repository: str, revision: str, path: str) -> bytes | None:
        path = path.removeprefix("./")
        try:
            data = self._client.get(
                self._file_address(_checked(repository), path), {"ref": revision}
            ).data
        except NotFoundError:
            return None
        if not isinstance(data, dict):
            # Gitee answers with an empty list for what is not there; a folder is a list, too.
            return None
        blob = data.get("blob_id") or data.get("sha")
        if not isinstance(blob, str) or not BLOB.fullmatch(blob):
            raise InputError(_("The host answered with a file that has no blob."))
        return content_of(data, blob)

    def head_of(
        self, repository: str, *, branch: str = "", tag: str = "", merge_request: int = 0
    ) -> str | None:
        path = _checked(repository)
        if branch:
            place: Head = "branch"
        else:
            place = "tag" if tag else "merge_request"
        address, keys = HEADS[self.kind][place]
        name = quoted(branch or tag or str(merge_request))
        repository = quoted(path) if self.kind == "gitlab" else path
        try:
            found = self._client.get(address.format(repository=repository, name=name)).data
        except NotFoundError:
            return None
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, str) or not BLOB.fullmatch(found):
            raise InputError(_("The host answered with a branch that has no commit."))
        return found

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        return self._client.get(path, params).data

    def pages(self, path: str, params: Mapping[str, str | int] | None = None) -> Iterator[Any]:
        query: dict[str, str | int] = dict(params or {})
        if self.kind != "gitee":
            yield from (answer.data for answer in self._client.pages(path, query))
            return
        # Gitee links to no further page: a page that is not full is the last one.
        size = int(query.setdefault("per_page", 100))
        number, asked = int(query.pop("page", 1)), set[str]()
        while True:
            address = with_page(path, number)
            check_paging(address, asked)
            asked.add(address)
            data = self._client.get(path, {**query, "page": number}).data
            yield data
            if not isinstance(data, list) or len(data) < size:
                return
            number += 1

    def stream(self, path: str) -> Iterator[bytes]:
        return self._client.stream(path)

    @property
    def _client(self) -> HostClient:
        with self._lock:
            if self._made is None:
                settings = self._settings
                ledger = Ledger(self._host, settings.name, settings.requests_per_hour)
                self._made = HostClient(self._host.http, settings, ledger)
            return self._made

    def _file_address(self, repository: str, path: str) -> str:
        if self.kind == "gitlab":
            return f"/projects/{quoted(repository)}/repository/files/{quoted(path)}"
        return f"/repos/{repository}/contents/{quote(path)}"


def _checked(repository: str) -> str:
    """Refuse what is no path of a repository: it becomes a part of an address."""
    parts = repository.split("/")
    if not PATH.fullmatch(repository) or len(parts) < 2 or {".", ".."} & set(parts):
        raise InputError(
            _("%(repository)s is no path of a repository.", repository=repository[:200])
        )
    return repository
