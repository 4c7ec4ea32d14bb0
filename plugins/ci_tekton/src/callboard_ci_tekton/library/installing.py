"""Installs objects of the library into a namespace: looked at first, then applied.

Objects are applied on the server, as one field manager: what others have changed since is a
conflict, which names their fields, and is taken over only by who says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from callboard.errors import CallboardError, InputError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError, Written
from callboard_ci_tekton.library.installed import Standing, standing_of
from callboard_ci_tekton.library.items import ACCOUNTS, VERSION, Item
from callboard_ci_tekton.runs.values import mapping

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard.kubernetes import Cluster

_ = Translator("ci_tekton")

INSTALL: Final = "ci_tekton.library.install"

Step = Literal[
    "new", "same", "upgrade", "change", "downgrade", "foreign", "conflict", "refused", "left"
]
"""`left`: service accounts are left to others where the portal may not write them."""

KEPT: Final = ("same", "left")
BLOCKED: Final = ("foreign", "conflict")
"""What is written only by who takes it over."""

_STEPS: Final[Mapping[Standing, Step]] = {
    "current": "change",
    "settings": "change",
    "older": "upgrade",
    "newer": "downgrade",
    "foreign": "foreign",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of one object, as the cluster says when it is asked without writing.

    `before` is the version that is there. `fields` are those that others manage, as
    (field, what the server says of it).
    """

    item: Item
    step: Step
    before: str = ""
    warnings: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    error: Text = ""
    hint: Text = ""


class BlockedError(InputError):
    """Nothing was written, because of what `planned` tells."""

    def __init__(self, message: Text, planned: Sequence[Planned]) -> None:
        super().__init__(message)
        self.planned = tuple(planned)


class InstallingError(CallboardError):
    """A cluster refused an object; those before it are `written`, those after it are not."""

    def __init__(self, item: Item, error: ClusterError, written: Sequence[str]) -> None:
        super().__init__(
            _("%(name)s was not written. %(why)s", name=item.name, why=error.message),
            hint=error.hint,
        )
        self.written = tuple(written)


def plan(host: "Host", cluster: str, namespace: str, items: Sequence[Item]) -> list[Planned]:
    """Ask a cluster what installing would do, without writing. Remote.

    Raises `NotFoundError` for a cluster the settings do not have, `NotAllowedError`, and
    `ClusterError` where the cluster does not answer.
    """
    host.require(INSTALL)
    client = host.clusters.get(cluster)
    return [_planned(client, namespace, item) for item in items]


def _planned(client: "Cluster", namespace: str, item: Item) -> Planned:
    try:
        current = _current(client, namespace, item)
        before, standing = standing_of(item, current) if current else ("", "older")
        try:
            written = client.apply(item.resource, _body(item, namespace), dry=True)
        except ClusterError as error:
            if error.state != "conflict":
                raise
            fields = tuple((cause.field, cause.message) for cause in error.causes)
            return Planned(item, "conflict", before, fields=fields)
    except ClusterError as error:
        if error.passes or error.state in ("misconfigured", "unauthenticated"):
            raise
        is_left = item.resource == ACCOUNTS and error.state == "forbidden"
        step: Step = "left" if is_left else "refused"
        return Planned(item, step, error=error.message, hint=error.hint)
    if current is None:
        return Planned(item, "new", warnings=written.warnings)
    step = "same" if _is_same(current, written) else _STEPS[standing]
    return Planned(item, step, before, written.warnings)


def _current(client: "Cluster", namespace: str, item: Item) -> Mapping[str, Any] | None:
    try:
        return client.get(item.resource, namespace, item.name)
    except ClusterError as error:
        if error.state == "missing":
            return None
        raise


def _body(item: Item, namespace: str) -> dict[str, Any]:
    return {**item.body, "metadata": {**mapping(item.body, "metadata"), "namespace": namespace}}


def _is_same(current: Mapping[str, Any], written: Written) -> bool:
    return _meant(current) == _meant(written.object)


def _meant(body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the parts of an object that people write."""
    metadata = mapping(body, "metadata")
    kept = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    return {**kept, "labels": metadata.get("labels"), "annotations": metadata.get("annotations")}


def install(
    host: "Host", cluster: str, namespace: str, items: Sequence[Item], *, take_over: bool = False
) -> list[Planned]:
    """Install objects, in this order, and give what was done to each. Remote.

    What is there already as it should be is left alone, so twice is once. Nothing is written
    where something is refused, or where something of others would be taken over and `take_over`
    is not said: that raises `BlockedError`. Raises as `plan` does, and `InstallingError`.
    """
    planned = plan(host, cluster, namespace, items)
    if any(each.step == "refused" for each in planned):
        raise BlockedError(_("Nothing was written: the cluster refuses part of it."), planned)
    if not take_over and any(each.step in BLOCKED for each in planned):
        raise BlockedError(
            _("Nothing was written: others manage part of it. Say that it is taken."), planned
        )
    wanted = [each for each in planned if each.step not in KEPT]
    if wanted:
        _note(host, f"{cluster}/{namespace}", wanted, take_over=take_over)
        _write(host.clusters.get(cluster), namespace, wanted, take_over=take_over)
    return planned


def _write(
    client: "Cluster", namespace: str, wanted: Sequence[Planned], *, take_over: bool
) -> None:
    written: list[str] = []
    for each in wanted:
        try:
            client.apply(each.item.resource, _body(each.item, namespace), force=take_over)
        except ClusterError as error:
            raise InstallingError(each.item, error, written) from error
        written.append(each.item.name)


def _note(host: "Host", place: str, wanted: Sequence[Planned], *, take_over: bool) -> None:
    """Write down what is about to be done: an act that is cut short is known as well."""
    before = {each.item.name: each.before for each in wanted if each.before}
    names = [each.item.name for each in wanted]
    after = {"version": VERSION, "objects": names, "taken_over": take_over}
    with host.write() as connection:
        host.audit(connection, INSTALL, place, before=before or None, after=after)
        data = {"version": VERSION, "objects": names}
        host.publish(connection, "ci_tekton.library.installed", place, data)
