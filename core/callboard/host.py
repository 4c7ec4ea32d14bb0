"""What the host hands to a plugin's code."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from callboard.entities import Catalog, EntityRef
from callboard.identity import Principal, Subject

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from callboard.contributions import WebhookRequest
    from callboard.git import GitRepository
    from callboard.http import HttpClient
    from callboard.kubernetes import Clusters
    from callboard.redaction import LineRedactor
    from callboard.repositories.hosts import CodeHost
    from callboard.streams import StreamMessage


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

    def refresh(self, source: str, *, connection: "Connection | None" = None) -> int:
        """Ask that one of this plugin's own entity sources be read soon; give the run's number.

        `source` is the name the plugin gave it. Asked twice before it begins, it is read once.
        Within `write()` hand in its connection. Raises `NotFoundError` for a source that is not
        there.
        """

    @property
    def address(self) -> str:
        """The address of the portal for links in messages, without a slash at the end.

        Empty where the settings do not say (`portal.base_url`).
        """

    @property
    def http(self) -> "HttpClient":
        """The HTTP client with the site's proxy, CA bundle, limits and guards."""

    @property
    def clusters(self) -> "Clusters":
        """The Kubernetes clusters of the settings."""

    def line_redactor(self, secrets: Iterable[str] = ()) -> "LineRedactor":
        """Give what hides the secrets of the settings, and what looks like one, in lines of text.

        Further `secrets` are what is known of this text alone. Each text that comes bit by bit
        needs one of its own.
        """

    def stream(
        self, messages: AsyncIterator["StreamMessage"], allowed: Callable[[], bool]
    ) -> "Response":
        """Give the answer of a route that sends messages as they come (server-sent events).

        It has signs of life, and ends with the messages, with the process, after a quarter of an
        hour, and soon after whoever listens may do so no more: `allowed` is asked again and again,
        in a thread, on their behalf. Who takes it up again sends the `id` of the last message that
        came as `Last-Event-ID`. Answers 503 while too many are open.
        """

    def code_host(self, address: str) -> "CodeHost | None":
        """Give the host of a repository by one of its addresses, to ask its API.

        None for a host that no plugin speaks to by the settings. See
        `callboard.repositories.hosts`.
        """

    def delivery(self, number: int) -> "WebhookRequest | None":
        """Give a delivery of the portal's inbox by its number, as its webhook was given it.

        It is for passing on what was sent; None where it is kept no longer.
        """

    def git(self, url: str) -> "GitRepository":
        """Give a repository by its URL, with the site's credentials and guards.

        Raises `NotAllowedError` for a host that neither a source nor a setting names.
        """
