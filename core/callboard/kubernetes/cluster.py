"""One cluster, as plugins use it: look, act, follow a log. All of it is remote: jobs and routes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from callboard.i18n import Text
from callboard.kubernetes.model import Resource, Verb, Written

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.contributions import ObservedObject


@dataclass(frozen=True, slots=True)
class Question:
    """May the portal do this? `name` empty: with any object; `namespace` empty: in all."""

    verb: Verb
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which part of a container's log. Times are UTC; `tail` counts lines, `limit` bytes."""

    container: str
    follow: bool = False
    previous: bool = False
    since: datetime | None = None
    tail: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log with the time it was written (nanoseconds kept as the server's text).

    A line of more than 64 KiB comes in parts of the same time: `more` says that it goes on in the
    next one.
    """

    at: str
    text: str
    more: bool = False


class LogStream(Protocol):
    """The lines of a log as they come: iterate over it, in a `with` block."""

    def __iter__(self) -> Iterator[LogLine]:
        """Give itself."""

    def __next__(self) -> LogLine:
        """Wait for a line. Raises `ClusterError` where the log cannot be read (any more)."""

    def __enter__(self) -> "LogStream":
        """Give itself."""

    def __exit__(self, *raised: object) -> None:
        """Close it."""

    def close(self) -> None:
        """End it, from any thread: whoever waits for a line comes to the end at once."""


@dataclass(frozen=True, slots=True)
class ClusterState:
    """How a cluster fares.

    `state` is `answering`, that of a `ClusterError`, or `unknown` before anybody asked it. `as_of`
    is when it last answered: how old what is displayed may be. `lacks` has, by
    `<plugin>.<name of a ClusterRule>`, the namespaces in which the portal's account may not do all
    that the rule names, an empty one for all at once; rules that are granted are not in it.
    """

    name: str
    title: str
    state: str
    message: Text = ""
    said: str = ""
    version: str = ""
    as_of: datetime | None = None
    lacks: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Cluster(Protocol):
    """A cluster of the settings. Every call but `name` asks it, and may raise `ClusterError`."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    def serves(self, resource: Resource) -> Resource | None:
        """Give the resource at the version the cluster serves, None where it lacks the kind.

        Known from discovery, which is asked again when it is older than some minutes.
        """

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any]:
        """Give one object."""

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield objects, page by page; labels must be equal, and so must fields.

        Which fields are taken depends on the kind: of most it is name and namespace alone.
        """

    def create(self, resource: Resource, body: Mapping[str, Any], *, dry: bool = False) -> Written:
        """Create an object, in the namespace its metadata name; fields are validated strictly."""

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
        dry: bool = False,
    ) -> Written:
        """Change an object by a merge patch (a mapping) or a JSON patch (a list).

        A change of the status sent without its subresource is ignored by the server, and so is
        one of all else sent with it.
        """

    def change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        make: Callable[[Mapping[str, Any]], Mapping[str, Any] | None],
        *,
        subresource: str = "",
    ) -> Written:
        """Read an object, make a merge patch of it, and write that if it is still the same.

        Where somebody came between, it is read afresh and made again, a few times. None from
        `make` leaves the object as it is.
        """

    def apply(
        self, resource: Resource, body: Mapping[str, Any], *, force: bool = False, dry: bool = False
    ) -> Written:
        """Apply an object on the server, as field manager `callboard`.

        Fields that others manage are a `conflict`, whose causes name them; `force` takes them over.
        """

    def acting_as(self, user: str, group: str = "") -> "Cluster":
        """Give this cluster with all that is written asked for in somebody's name.

        The cluster then decides by what they may do, and must let the portal's account do so
        (Kubernetes, "User impersonation"; the verb `impersonate`). Reads stay the portal's own.
        """

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", dry: bool = False
    ) -> Written:
        """Delete an object, and what it owns after it; with `uid` only if it is still that one."""

    def allowed(self, questions: Sequence[Question]) -> Sequence[bool]:
        """Answer by access reviews, at once for all; answers are kept for a minute."""

    def log(self, namespace: str, pod: str, query: LogQuery) -> LogStream:
        """Give the lines of a container's log.

        A pod that is not scheduled yet has no lines; a container that has not started is a failure
        in the state `waiting`. Following waits for both, ends with the container, and takes a
        broken stream up again where it was, without lines missing or doubled. The server is asked
        when the first line is.
        """


class Clusters(Protocol):
    """The clusters of the settings: `host.clusters`."""

    def names(self) -> Sequence[str]:
        """Their names, in the order of the settings. Asks nobody."""

    def get(self, name: str) -> Cluster:
        """Give a cluster. Raises `NotFoundError` for a name that the settings do not have."""

    def states(self, connection: "Connection") -> Sequence[ClusterState]:
        """How they fare, as the tables say. Asks nobody."""

    def observed(
        self,
        connection: "Connection",
        resource: Resource,
        *,
        cluster: str = "",
        namespace: str = "",
        names: Sequence[str] = (),
        limit: int = 500,
    ) -> Sequence["ObservedObject"]:
        """Give objects of a watched kind from the tables, by cluster, namespace and name.

        Empty arguments stand for all. Asks nobody.
        """
