"""The clusters of the settings: `host.clusters`, and what the portal itself needs of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection as DatabaseConnection

from callboard.database import Database
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.kubernetes.client import ClusterClient
from callboard.kubernetes.cluster import ClusterState
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.model import Resource
from callboard.kubernetes.settings import ClusterSettings, KubernetesSettings
from callboard.kubernetes.states import States, read_states

if TYPE_CHECKING:
    from callboard.contributions import ObservedObject

_ = Translator("callboard")

FILES: Final = ("kubeconfig", "token_file", "ca_file")


class ClusterService:
    """`callboard.kubernetes.Clusters`. Making one asks nobody and reads no file."""

    def __init__(
        self,
        settings: KubernetesSettings,
        database: Database,
        clock: Callable[[], datetime],
        base: Path,
    ) -> None:
        self.settings: Final = [_located(one, base) for one in settings.clusters]
        self.states_seen: Final = States(database, clock)
        self._clients: Mapping[str, ClusterClient] = {
            one.name: self._client(one) for one in self.settings
        }

    def __iter__(self) -> Iterator[ClusterClient]:
        return iter(self._clients.values())

    def names(self) -> Sequence[str]:
        return list(self._clients)

    def get(self, name: str) -> ClusterClient:
        found = self._clients.get(name)
        if found is None:
            raise NotFoundError(
                _("There is no cluster named %(name)s.", name=name),
                hint=_("It may have been taken out of the settings."),
            )
        return found

    def states(self, connection: DatabaseConnection) -> Sequence[ClusterState]:
        return read_states(connection, self.settings)

    def observed(
        self,
        connection: DatabaseConnection,
        resource: Resource,
        *,
        cluster: str = "",
        namespace: str = "",
        names: Sequence[str] = (),
        limit: int = 500,
    ) -> Sequence["ObservedObject"]:
        from callboard.kubernetes.observed import observed

        return observed(
            connection, resource, cluster=cluster, namespace=namespace, names=names, limit=limit
        )

    def settle(self) -> None:
        """Write down how the clusters fared in what this process asked them."""
        self.states_seen.settle()

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            with suppress(Exception):
                client.connection.close()

    def _client(self, settings: ClusterSettings) -> ClusterClient:
        noted = partial(self.states_seen.note, settings.name)
        return ClusterClient(settings, Connection(settings, noted))


def _located(settings: ClusterSettings, base: Path) -> ClusterSettings:
    """Let relative paths begin at the folder of the settings file."""
    files = {name: getattr(settings, name) for name in FILES}
    return settings.model_copy(
        update={name: base / path for name, path in files.items() if path is not None}
    )
