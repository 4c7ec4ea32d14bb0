"""What the host hands to a plugin's code."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from callboard.entities import Catalog, EntityRef
from callboard.identity import Principal, Subject

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.git import GitRepository
    from callboard.http import HttpClient


class Host(Protocol):
    """The host as one plugin sees it: its own settings, the shared database and services."""

    @property
    def plugin(self) -> str:
        """The plugin's name."""

    @property
    def settings(self) -> Any:
        """An instance of the model given by `callboard_settings`, or None."""

    @property
    def catalog(self) -> Catalog:
        """The read side of the catalog."""

    @property
    def data(self) -> Path:
        """A directory of this plugin's own, for caches that may be deleted at any time."""

    @property
    def asker(self) -> Subject:
        """Who asks for the page or call at hand; the portal itself in a job."""

    def allows(
        self, permission: str, entity: EntityRef | None = None, *, environment: str = ""
    ) -> bool:
        """Say whether the asker may do something, with an entity or with the portal as a whole.

        In a job, where nobody asks, everything is allowed.
        """

    def require(
        self, permission: str, entity: EntityRef | None = None, *, environment: str = ""
    ) -> None:
        """Raise `NotAllowedError`, which says what is missing, unless `allows`."""

    def now(self) -> datetime:
        """Give the time, in UTC, from the clock that tests can set."""

    def read(self) -> AbstractContextManager["Connection"]:
        """Open a connection for reading."""

    def write(self) -> AbstractContextManager["Connection"]:
        """Open one transaction; it is committed at the end of the block, or rolled back whole."""

    def publish(
        self,
        connection: "Connection",
        kind: str,
        subject: str,
        data: Mapping[str, Any] | None = None,
        *,
        actor: Principal | None = None,
    ) -> None:
        """Write an event in the transaction of the change it tells of."""

    def audit(
        self,
        connection: "Connection",
        action: str,
        subject: str,
        *,
        actor: Principal | None = None,
        on_behalf_of: Principal | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write an audit entry in the transaction of the change it tells of.

        Without `actor` it is who asks; the portal itself in a job.
        """

    def submit(
        self,
        job: str,
        payload: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        connection: "Connection | None" = None,
    ) -> int:
        """Ask for a run of one of this plugin's jobs and give its number.

        A run of the same job and key that still waits is given back instead of a second one.
        Within `write()` hand in its connection, so that the run and the change stand or fall as
        one.
        """

    @property
    def http(self) -> "HttpClient":
        """The HTTP client with the site's proxy, CA bundle, limits and guards."""

    def git(self, url: str) -> "GitRepository":
        """Give a repository by its URL, with the site's credentials and guards.

        Raises `NotAllowedError` for a host that neither a source nor a setting names.
        """
