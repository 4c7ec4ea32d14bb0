"""The services of a process that every plugin shares."""

import hashlib
import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from callboard.access import Access, AccessSettings, Decision
from callboard.access.requests import Recorder
from callboard.access.service import READ
from callboard.audit.folding import Folding
from callboard.database import Database
from callboard.entities import Catalog, EntityRef
from callboard.errors import NotAllowedError, NotSignedInError
from callboard.i18n import Text, Translator
from callboard.identity import (
    EntityFacts,
    Permission,
    asking,
    facts_of_reference,
    facts_of_references,
)
from callboard.settings import GitCredential, GitSettings, HttpSettings, Settings

if TYPE_CHECKING:
    from callboard.access.deciders import Deciders
    from callboard.contributions import ClusterRule, CodeHosts, WebhookRequest
    from callboard.git import Credentials, GitRepository
    from callboard.http import HttpClient
    from callboard.jobs import Jobs
    from callboard.kubernetes.service import ClusterService
    from callboard.plugins import Contributed
    from callboard.repositories.hosts import CodeHost
    from callboard.streams import Streams

_ = Translator("callboard")

GIT_REQUESTS: Final = 12_000
"""How often a minute the references of repositories on one host may be asked for."""


class Services:
    """The services of a process that every plugin shares."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        catalog: Catalog,
        *,
        base: Path,
        clock: Callable[[], datetime],
        configured_repositories: Sequence[str] = (),
    ) -> None:
        self.settings = settings
        self._git_hosts = {_host_of(url) for url in configured_repositories}
        self.database = database
        self.catalog = catalog
        self.base = base
        self.clock = clock
        self.permissions: Callable[[], Iterable[Permission]] = tuple
        self.sources: Callable[[], Container[str]] = frozenset
        self.strict = False
        self.deciders: Deciders | None = None
        self.facts: Callable[[EntityRef], EntityFacts] = facts_of_reference
        self.facts_of_several: Callable[[Iterable[EntityRef]], Mapping[EntityRef, EntityFacts]] = (
            facts_of_references
        )
        self.jobs: Jobs | None = None
        self._http: HttpClient | None = None
        self._git_http: HttpClient | None = None
        self._clusters: ClusterService | None = None
        self._streams: Streams | None = None
        self.cluster_rules: Callable[[], Iterable[Contributed[ClusterRule]]] = tuple
        self.code_hosts: Callable[[], Iterable[Contributed[CodeHosts]]] = tuple
        self._code_hosts: list[CodeHost] | None = None
        self.address = ""
        self.delivery: Callable[[int], WebhookRequest | None] = lambda number: None
        self.closing: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @cached_property
    def audit(self) -> Folding:
        """Records refusals, and looks at the data of others, without flooding the audit log."""
        return Folding(self.database, self.clock)

    @cached_property
    def recorder(self) -> Recorder:
        """What records requests; it writes once it is started."""
        return Recorder(self.database, self.settings.section(AccessSettings).recording, self.clock)

    @cached_property
    def access(self) -> Access:
        """What decides; made when it is first asked for, with the permissions of then."""
        return Access(
            self.settings.section(AccessSettings),
            self.permissions(),
            database=self.database,
            now=self.clock,
            strict=self.strict,
            place=self._written,
            deciders=self.deciders,
            recorder=self.recorder,
        )

    def _written(self, what: str, index: int) -> str:
        """Say where an entry of the access settings is written; -1 stands for the whole key."""
        return self.settings.place("access", what, *((index,) if index >= 0 else ()))

    def decide(
        self, permission: str, entity: EntityRef | None = None, environment: str = ""
    ) -> Decision:
        """Decide for the one who asks. The portal itself may do everything.

        An entity that is not in the catalog is decided by its reference alone.
        """
        subject = asking()
        if subject is None:
            return Decision(allowed=True, permission=permission)
        facts = None if entity is None else self.facts(entity)
        return self.access.decide(subject, permission, facts, environment=environment)

    def require(
        self, permission: str, entity: EntityRef | None = None, environment: str = ""
    ) -> None:
        """Raise `NotSignedInError` or `NotAllowedError` unless the one who asks may do it."""
        decision = self.decide(permission, entity, environment)
        if not decision.allowed:
            raise self.refusal(decision, entity)

    def permits(self, permission: str, entity: EntityRef | None = None) -> bool:
        """Say whether to offer something to the one who asks: for an entity, or for any at all.

        An empty name is as good as the right to see entities. What is offered is asked for again
        where it is done, by `require`.
        """
        name = permission or READ
        subject, declared = asking(), self.access.permissions.get(name)
        if subject is None:
            return True
        if declared is None or declared.about == "portal":
            return self.decide(name).allowed
        if entity is None:
            return self.access.anywhere(subject, name)
        return self.decide(name, entity).allowed

    def permitted(self, permission: str, entities: Iterable[EntityRef]) -> set[EntityRef]:
        """Give those of some entities for which `permits`, by one query for all of them."""
        refs = set(entities)
        subject, declared = asking(), self.access.permissions.get(permission)
        if subject is None or declared is None or declared.about == "portal":
            return refs if self.permits(permission) else set()
        chosen = self.access.filter(subject, permission)
        if chosen.nothing or not refs:
            return set()
        facts = self.facts_of_several(refs)
        return {ref for ref in refs if self.access.decide(subject, permission, facts[ref]).allowed}

    def refusal(
        self, decision: Decision, entity: EntityRef | None = None
    ) -> NotSignedInError | NotAllowedError:
        """Give the error that tells the one who asks what is missing."""
        subject = asking()
        if subject is None or not subject.signed_in:
            return NotSignedInError(
                _("Sign in to see this."), permission=decision.permission, entity=str(entity or "")
            )
        declared = self.access.permissions.get(decision.permission)
        title: Text = declared.title if declared else decision.permission
        return NotAllowedError(
            _("You lack a permission: %(title)s (%(name)s).", title=title,
              name=decision.permission),
            hint=_("Administrators of the portal can give you a role that has it."),
            permission=decision.permission,
            entity=str(entity or ""),
        )  # fmt: skip

    def http(self) -> "HttpClient":
        """Give the one HTTP client, made when it is first asked for."""
        with self._lock:
            if self._http is None:
                from callboard.http import HttpClient

                chosen = self.settings.section(HttpSettings)
                self._http = HttpClient(
                    timeout=chosen.timeout.total_seconds(),
                    retries=chosen.retries,
                    maximum_bytes=chosen.maximum_bytes,
                    allow_hosts=chosen.allow_hosts,
                    allow_private=chosen.allow_private,
                    ca_bundle=self._located(chosen.ca_bundle),
                    proxy=chosen.proxy,
                )
            return self._http

    def git_http(self) -> "HttpClient":
        """Give the HTTP client that asks servers of repositories for their references.

        Who may name a repository is decided by the settings and `check_repository`, and most
        servers stand in networks of their own: private addresses are allowed here, metadata
        services are not. A repository has its own limits, and tries again with its schedule.
        """
        with self._lock:
            if self._git_http is None:
                from callboard.git.smart import CONNECTING, MAXIMUM_ANSWER
                from callboard.http import HttpClient

                chosen = self.settings.section(HttpSettings)
                timeout = self.settings.section(GitSettings).timeout.total_seconds()
                self._git_http = HttpClient(
                    timeout=timeout,
                    connect_timeout=min(timeout, CONNECTING),
                    read_timeout=timeout,
                    retries=0,
                    maximum_bytes=MAXIMUM_ANSWER,
                    allow_hosts=chosen.allow_hosts,
                    allow_private=True,
                    ca_bundle=self._located(chosen.ca_bundle),
                    proxy=chosen.proxy,
                    budget_limit=GIT_REQUESTS,
                )
            return self._git_http

    @property
    def clusters(self) -> "ClusterService":
        """The clusters of the settings, made when they are first asked for."""
        with self._lock:
            if self._clusters is None:
                from callboard.kubernetes.service import ClusterService
                from callboard.kubernetes.settings import KubernetesSettings

                chosen = self.settings.section(KubernetesSettings)
                self._clusters = ClusterService(chosen, self.database, self.clock, self.base)
            return self._clusters

    def code_host(self, address: str) -> "CodeHost | None":
        """Give the host of a repository by its address; hosts are made when first asked for."""
        from callboard.plugin_host import PluginHost
        from callboard.repositories.hosts import host_of

        with self._lock:
            made = self._code_hosts
        if made is None:
            # Outside of the lock: a plugin may ask for the other services meanwhile.
            made = [
                one
                for item in self.code_hosts()
                for one in item.value.hosts(PluginHost(item.plugin, self))
            ]
            with self._lock:
                self._code_hosts = made = self._code_hosts or made
        return host_of(made, address)

    @property
    def streams(self) -> "Streams":
        """The streams of plugins' routes that are open in this process."""
        with self._lock:
            if self._streams is None:
                from callboard.streams import Streams

                self._streams = Streams()
            return self._streams

    def settle_clusters(self) -> None:
        """Write down how clusters fared, where any was asked."""
        if self._clusters is not None:
            self._clusters.settle()

    def repository(self, url: str, depth: int | None = None) -> "GitRepository":
        """Give a repository with the site's credentials, limits and guards."""
        from callboard.git import GitRepository

        chosen = self.settings.section(GitSettings)
        http = self.settings.section(HttpSettings)
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        return GitRepository(
            url,
            self.base / chosen.directory / name,
            credentials=self._credentials(chosen, url),
            timeout=chosen.timeout.total_seconds(),
            maximum_bytes=chosen.maximum_bytes,
            depth=depth,
            allow_local=[self.base / path for path in chosen.allow_local],
            ca_bundle=self._located(http.ca_bundle),
            proxy=http.proxy,
            http=self.git_http,
        )

    def check_repository(self, url: str) -> None:
        """Raise `NotAllowedError` for a host that nobody has configured.

        Anyone who may write a descriptor may name any address in it: the portal must not be made
        to knock at every host of the network it stands in.
        """
        chosen = self.settings.section(GitSettings)
        host = _host_of(url)
        if not host or host in self._git_hosts:
            return
        if any(host == entry.host.partition(":")[0] for entry in chosen.credentials):
            return
        if not any(_is_below(host, pattern) for pattern in chosen.allow_hosts):
            raise NotAllowedError(
                _(
                    "Repositories of %(host)s are not read: "
                    "no source and no setting names this host.",
                    host=host,
                ),
                hint=_("Add it to git.allow_hosts."),
            )

    def _located(self, path: Path | None) -> Path | None:
        """Let a relative path begin at the folder of the settings file."""
        return None if path is None else self.base / path

    def _credentials(self, settings: GitSettings, url: str) -> "Credentials | None":
        from callboard.git import Credentials

        entry = _credential_for(settings, url)
        if entry is None:
            return None
        return Credentials(
            username=entry.username,
            password=entry.token.get_secret_value() if entry.token else "",
            ssh_key=self._located(entry.ssh_key),
            known_hosts=self._located(entry.known_hosts),
        )

    def close(self) -> None:
        """Close what was opened, and what others have put among `closing`."""
        if self._streams is not None:
            self._streams.close()
        for close in self.closing:
            close()
        for client in (self._http, self._git_http):
            if client is not None:
                client.close()
        if self._clusters is not None:
            self._clusters.close()


def _credential_for(settings: GitSettings, url: str) -> GitCredential | None:
    place = _place_of(url)
    host = place.partition(":")[0]
    found = (entry for entry in settings.credentials if entry.host in (place, host))
    return next(found, None)


def _place_of(url: str) -> str:
    """Give the host and port of a repository's address; empty for a path of this machine."""
    if "://" not in url:
        before, colon, _ = url.partition(":")
        return before.rpartition("@")[2] if colon else ""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _host_of(url: str) -> str:
    return _place_of(url).partition(":")[0].lower()


def _is_below(host: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))
