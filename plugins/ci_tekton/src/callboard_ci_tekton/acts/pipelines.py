"""Which pipelines there are, and which an entity may start: kept in tables, no cluster is asked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, tuple_, update

from callboard.contributions import ClusterWatch, ObservedContext, ObservedObject
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_ci_tekton.acts.declarations import Declaration, declaration_of, kept_of
from callboard_ci_tekton.acts.preparing import PIPELINES, SERVICE_ACCOUNT
from callboard_ci_tekton.acts.repeating import unpacked
from callboard_ci_tekton.matching.keys import keys_of_run
from callboard_ci_tekton.matching.service import in_parts
from callboard_ci_tekton.models import detail, latest, pipeline, pipeline_key, selector
from callboard_ci_tekton.runs.values import mapping, text

if TYPE_CHECKING:
    from callboard.entities import EntityRef
    from callboard.host import Host
    from callboard_ci_tekton.acts.settings import OfferSettings

_ = Translator("ci_tekton")

MOST: Final = 100
"""Pipelines that are offered for an entity."""

_ASKED: Final = ("id:", "label:", "entity:", "pipeline-name:")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pipeline is, as `<cluster>/<namespace>/<name>`."""

    cluster: str
    namespace: str
    name: str

    @classmethod
    def parse(cls, given: str) -> "Place":
        """Read it. Raises `NotFoundError` for anything else."""
        parts = given[:600].split("/")
        if len(parts) != 3 or not all(parts):
            raise NotFoundError(_("A pipeline is named by <cluster>/<namespace>/<name>."))
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Offered:
    """A pipeline that can be started."""

    place: Place
    declaration: Declaration
    service_account: str

    @property
    def title(self) -> str:
        """What people call it."""
        return self.declaration.title or self.place.name


def watch() -> ClusterWatch:
    """Give what is followed of pipelines."""
    return ClusterWatch(name="pipelines", resource=PIPELINES, changed=keep_pipelines)


def keep_pipelines(context: ObservedContext) -> None:
    """Write the pipelines that came or changed, and forget those that are gone."""
    connection = context.connection
    given = {(item.namespace, item.name): item for item in context.objects}
    known = _known(connection, context.cluster, given)
    gone = [known[place] for place, item in given.items() if item.gone and place in known]
    for part in in_parts(gone):
        connection.execute(delete(pipeline).where(pipeline.c.id.in_(part)))
    kept = {place: item for place, item in given.items() if not item.gone}
    new = [
        {"cluster": context.cluster, "namespace": place[0], "name": place[1], **_values(item)}
        for place, item in kept.items() if place not in known
    ]  # fmt: skip
    if new:
        connection.execute(insert(pipeline), new)
    for place, item in kept.items():
        if place in known:
            changed = update(pipeline).where(pipeline.c.id == known[place])
            connection.execute(changed.values(**_values(item)))
    numbers = _known(connection, context.cluster, kept)
    for part in in_parts(numbers.values()):
        connection.execute(delete(pipeline_key).where(pipeline_key.c.pipeline_id.in_(part)))
    rows = [
        {"pipeline_id": number, "key": key}
        for place, number in numbers.items()
        for key in sorted(_keys(context.cluster, kept[place]))
    ]
    if rows:
        connection.execute(insert(pipeline_key), rows)


def _known(
    connection: Connection, cluster: str, places: Collection[tuple[str, str]]
) -> dict[tuple[str, str], int]:
    wanted = (pipeline.c.id, pipeline.c.namespace, pipeline.c.name)
    place = tuple_(pipeline.c.namespace, pipeline.c.name)
    return {
        (row.namespace, row.name): row.id
        for part in in_parts(places)
        for row in connection.execute(
            select(*wanted).where(pipeline.c.cluster == cluster, place.in_(part))
        )
    }


def _values(item: ObservedObject) -> dict[str, Any]:
    notes = mapping(item.body, "metadata", "annotations")
    return {
        "declaration": kept_of(mapping(item.body, "spec")),
        "service_account": text(notes, SERVICE_ACCOUNT, 253),
    }


def _keys(cluster: str, item: ObservedObject) -> set[str]:
    metadata = mapping(item.body, "metadata")
    row = {"namespace": item.namespace, "pipeline": item.name, "repository": "",
           "source": "tekton"}  # fmt: skip
    detail = {
        "labels": mapping(metadata, "labels"),
        "annotations": mapping(metadata, "annotations"),
    }
    return keys_of_run(cluster, row, detail)


def load_pipeline(connection: Connection, place: Place) -> Offered | None:
    """Give a pipeline, None where there is none."""
    return next(iter(_load(connection, {place})), None)


def pipelines_of(host: "Host", connection: Connection, ref: "EntityRef") -> list[Offered]:
    """Give the pipelines an entity may start, those it ran last first.

    They are those that it ran before, those with labels or annotations it asks for, and those the
    settings offer. At most 100; by a fixed number of statements.
    """
    ran = select(latest.c.pipeline).where(latest.c.entity == str(ref))
    ran = ran.order_by(latest.c.run_id.desc()).limit(MOST)
    places = [Place(*found) for name in connection.execute(ran).scalars()
              if len(found := name.split("/")) == 3]  # fmt: skip
    places += _asked_for(connection, str(ref))
    places += _offered(connection, host.settings.acts.offers, str(ref))
    order = {place: number for number, place in enumerate(dict.fromkeys(places))}
    found = _load(connection, list(order)[:MOST])
    return sorted(found, key=lambda item: order[item.place])


def _load(connection: Connection, places: Collection[Place]) -> list[Offered]:
    wanted = tuple_(pipeline.c.cluster, pipeline.c.namespace, pipeline.c.name)
    pairs = [(place.cluster, place.namespace, place.name) for place in places]
    if not pairs:
        return []
    rows = connection.execute(select(pipeline).where(wanted.in_(pairs)))
    return [
        Offered(Place(row.cluster, row.namespace, row.name), declaration_of(row.declaration),
                row.service_account)
        for row in rows
    ]  # fmt: skip


def _asked_for(connection: Connection, ref: str) -> list[Place]:
    """Give the pipelines with a key and all the conditions that an entity asks for."""
    asked = connection.execute(select(selector).where(selector.c.entity == ref)).all()
    asked = [row for row in asked if row.key.startswith(_ASKED)]
    if not asked:
        return []
    first = select(pipeline_key.c.pipeline_id).where(pipeline_key.c.key.in_(
        sorted({row.key for row in asked}))).limit(MOST)  # fmt: skip
    numbers = list(connection.execute(first).scalars())
    keys: dict[int, set[str]] = {}
    for row in connection.execute(
        select(pipeline_key).where(pipeline_key.c.pipeline_id.in_(numbers))
    ):
        keys.setdefault(row.pipeline_id, set()).add(row.key)
    fitting = [number for number, had in keys.items() if _fits(had, asked)]
    rows = connection.execute(
        select(pipeline).where(pipeline.c.id.in_(fitting)).order_by(pipeline.c.name)
    )
    return [Place(row.cluster, row.namespace, row.name) for row in rows]


def _fits(had: set[str], asked: Sequence[Row[Any]]) -> bool:
    return any(row.key in had and had.issuperset(row.conditions) for row in asked)


def _offered(connection: Connection, offers: Sequence["OfferSettings"], ref: str) -> list[Place]:
    patterns = [
        pattern
        for offer in offers
        if any(fnmatchcase(ref, wanted.lower()) for wanted in offer.entities)
        for pattern in offer.pipelines
    ]
    if not patterns:
        return []
    wanted = select(pipeline.c.cluster, pipeline.c.namespace, pipeline.c.name)
    rows = connection.execute(wanted.order_by(pipeline.c.name).limit(10_000))
    places = [Place(row.cluster, row.namespace, row.name) for row in rows]
    return [place for place in places
            if any(fnmatchcase(str(place), pattern) for pattern in patterns)][:MOST]  # fmt: skip


def last_inputs(connection: Connection, ref: str, place: Place) -> Mapping[str, Any]:
    """Give the body of the last run of a pipeline for an entity, empty without one."""
    wanted = (
        select(detail.c.body)
        .join(latest, latest.c.run_id == detail.c.run_id)
        .where(latest.c.entity == ref, latest.c.pipeline == str(place))
    )
    found = connection.execute(wanted).scalar_one_or_none()
    return unpacked(found) if found else {}
