"""The pages of files on each type of host. They are made here: a host names no address itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from callboard_scm_hosts.settings import HostSettings

_PAGES: Final = {
    "gitlab": ("/-/blob/", "/-/edit/", "/-/tree/"),
    "github": ("/blob/", "/edit/", "/tree/"),
    "gitea": ("/src/branch/", "/_edit/", "/src/branch/"),
    "gitee": ("/blob/", "/edit/", "/tree/"),
}
"""What stands before the branch: for a file, for editing it, for a folder."""


@dataclass(frozen=True, slots=True)
class RepositoryPages:
    """The pages of one repository's branch; empty texts for a folder of this machine."""

    address: str
    branch: str
    marks: tuple[str, str, str] | None

    def file(self, path: str) -> str:
        return self._page(0, path)

    def edit(self, path: str) -> str:
        return self._page(1, path)

    def folder(self, path: str) -> str:
        return self._page(2, f"{path}/" if path else "") if self.marks else self.address

    def location(self, path: str) -> str:
        """Give the location annotation of a file."""
        return f"url:{self.file(path)}" if self.marks else f"url:{self.address}#{path}"

    def _page(self, which: int, path: str) -> str:
        if self.marks is None:
            return ""
        return f"{self.address}{self.marks[which]}{quote(self.branch)}/{quote(path)}"


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one host."""

    settings: HostSettings

    def of(self, remote_id: str, path: str, branch: str) -> RepositoryPages:
        """Give those of a repository."""
        if self.settings.path is not None:
            address = Path(self.settings.path, remote_id).absolute().as_uri()
            return RepositoryPages(address, branch, None)
        address = f"{self.settings.address}/{quote(path)}"
        return RepositoryPages(address, branch, _PAGES[self.settings.type])
