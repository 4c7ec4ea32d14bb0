"""The host as plugins see it, over the real services."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from callboard import events
from callboard.audit import record
from callboard.entities import Catalog, EntityRef
from callboard.errors import NotFoundError
from callboard.hosting import Services
from callboard.i18n import Translator
from callboard.identity import SYSTEM, Principal, Subject, asking
from callboard.redaction import LineRedactor

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from callboard.contributions import WebhookRequest
    from callboard.git import GitRepository
    from callboard.http import HttpClient
    from callboard.kubernetes.service import ClusterService
    from callboard.repositories.hosts import CodeHost
    from callboard.streams import StreamMessage

_ = Translator("callboard")

READ_SOURCE: Final = ("catalog", "refresh")
"""The job that reads a source, by plugin and name."""


@dataclass(frozen=True, slots=True)
class PluginHost:
    """`callboard.host.Host` for one plugin."""

    plugin: str
    services: Services

    @property
    def settings(self) -> Any:
        return self.services.settings.plugin(self.plugin)

    @property
    def catalog(self) -> Catalog:
        return self.services.catalog

    @property
    def data(self) -> Path:
        directory = self.services.base / "var" / "plugins" / self.plugin
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    @property
    def asker(self) -> Subject:
        return asking() or Subject(principal=SYSTEM)

    def allows(
        self, permission: str, entity: EntityRef | None = None, *, environment: str = ""
    ) -> bool:
        return self.services.decide(permission, entity, environment).allowed

    def require(
        self, permission: str, entity: EntityRef | None = None, *, environment: str = ""
    ) -> None:
        self.services.require(permission, entity, environment)

    def now(self) -> datetime:
        return self.services.clock()

    def read(self) -> "AbstractContextManager[Connection]":
        return self.services.database.read()

    def write(self) -> "AbstractContextManager[Connection]":
        return self.services.database.write()

    def publish(
        self,
        connection: "Connection",
        kind: str,
        subject: str,
        data: Mapping[str, Any] | None = None,
        *,
        actor: Principal | None = None,
    ) -> None:
        events.publish(connection, kind, subject, data, actor=actor or SYSTEM, at=self.now())

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
        record(
            connection,
            action,
            subject,
            actor=actor,
            on_behalf_of=on_behalf_of,
            before=before,
            after=after,
            at=self.now(),
        )

    def submit(
        self,
        job: str,
        payload: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        connection: "Connection | None" = None,
    ) -> int:
        if self.services.jobs is None:
            raise RuntimeError("Jobs can be submitted once the portal has started.")
        return self.services.jobs.submit(connection, self.plugin, job, payload, key)

    def refresh(self, source: str, *, connection: "Connection | None" = None) -> int:
        name = f"{self.plugin}.{source}"
        if name not in self.services.sources():
            raise NotFoundError(
                _("There is no source named %(name)s.", name=name),
                hint=_("It may have been removed."),
            )
        if self.services.jobs is None:
            raise RuntimeError("Sources can be read once the portal has started.")
        return self.services.jobs.submit(connection, *READ_SOURCE, {"source": name}, name)

    @property
    def address(self) -> str:
        return self.services.address

    @property
    def http(self) -> "HttpClient":
        return self.services.http()

    @property
    def clusters(self) -> "ClusterService":
        return self.services.clusters

    def delivery(self, number: int) -> "WebhookRequest | None":
        return self.services.delivery(number)

    def code_host(self, address: str) -> "CodeHost | None":
        return self.services.code_host(address)

    def line_redactor(self, secrets: Iterable[str] = ()) -> LineRedactor:
        return LineRedactor([*self.services.settings.secrets(), *secrets])

    def stream(
        self, messages: "AsyncIterator[StreamMessage]", allowed: Callable[[], bool]
    ) -> "Response":
        from callboard.streams import EventStream

        return EventStream(self.services.streams, messages, allowed)

    def git(self, url: str) -> "GitRepository":
        self.services.check_repository(url)
        return self.services.repository(url)
