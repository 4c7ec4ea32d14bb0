"""By what runs are found, and what entities ask for: both as keys that are equal or not.

A key is `<way>:<value>`: `entity:component:default/orders`, `id:orders`,
`label:app.kubernetes.io/name=orders`, `repository:git.example.org/shop/orders`,
`pipeline:build/shop-ci/build-orders`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.repositories import place_of
from callboard.repositories.pushed import comparable

OWN: Final = "callboard.io/tekton-"
BACKSTAGE: Final = "backstage.io/kubernetes-"
LONGEST: Final = 600
MOST_LABELS: Final = 64
FROM_GITLAB: Final = "source:gitlab"
WITHOUT_RUNS: Final = frozenset({"user", "group", "location", "domain"})

NAMED, ANNOTATED, LABELLED, SOURCE, CLAIMED = range(5)
"""The ranks of matches: of all that match a run, only the lowest rank counts."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What an entity asks for: runs with `key` and with every one of `conditions`."""

    key: str
    rank: int
    conditions: tuple[str, ...] = field(default=())


def keys_of_run(cluster: str, row: Mapping[str, Any], detail: Mapping[str, Any]) -> set[str]:
    """Give the keys of a run, by its row, labels and annotations."""
    labels, notes = detail["labels"], detail["annotations"]
    found = {
        f"namespace:{row['namespace']}",
        f"pipeline:{cluster}/{row['namespace']}/{row['pipeline']}",
        f"cluster:{cluster}",
        f"pipeline-name:{row['pipeline']}",
    }
    found |= {f"label:{key}={value}" for key, value in list(labels.items())[:MOST_LABELS]}
    for given in (labels, notes):
        if identifier := given.get(f"{BACKSTAGE}id"):
            found.add(f"id:{identifier}")
    if named := _named(notes.get(f"{OWN}entity")):
        found.add(f"entity:{named}")
    if repository := comparable(row["repository"]):
        found.add(f"repository:{repository}")
    if row["source"] == "gitlab":
        found.add(FROM_GITLAB)
    return {key for key in found if len(key) <= LONGEST}


def _named(given: Any) -> EntityRef | None:
    try:
        return EntityRef.parse(given, default_kind="component") if given else None
    except (InputError, TypeError):
        return None


def selectors_of(entity: Entity, trusted: Iterable[str] = ()) -> list[Selector]:
    """Give what an entity asks for: by the portal's own annotations, those of Backstage, labels.

    Whoever writes runs can name any entity in them. That counts in the clusters and namespaces to
    which the entity limits itself, and in those that are `trusted` (`cluster/namespace`, each may
    be `*`); elsewhere it is a proposal that people accept by a claim.
    """
    if entity.ref.kind in WITHOUT_RUNS:
        return []
    notes = entity.annotations
    limits = tuple(_limits(notes))
    found = [Selector(key, ANNOTATED, limits) for key in _annotated(entity.name, notes)]
    found += [
        Selector(labels[0], ANNOTATED, (*labels[1:], *limits))
        for name in (f"{OWN}label-selector", f"{BACKSTAGE}label-selector")
        if (labels := _labels(notes.get(name, "")))
    ]
    allowed = [limits] if limits else []
    allowed += [tuple(_place(place)) for place in trusted]
    found += [Selector(f"entity:{entity.ref}", NAMED, where) for where in allowed]
    if entity.ref.kind == "component":
        found.append(Selector(f"label:app.kubernetes.io/name={entity.name}", LABELLED, limits))
        place = place_of(entity)
        address = comparable(place.url) if place else ""
        if address:
            found.append(Selector(f"repository:{address}", SOURCE, limits))
            # Projects of GitLab are in no cluster and no namespace.
            found.append(Selector(f"repository:{address}", SOURCE, (FROM_GITLAB,)))
    if address := _project(notes):
        found.append(Selector(f"repository:{address}", SOURCE, (FROM_GITLAB,)))
    return [item for item in dict.fromkeys(found) if len(item.key) <= LONGEST]


def _project(notes: Mapping[str, str]) -> str:
    """Give the repository that annotations of Backstage's GitLab plugins name."""
    slug = notes.get("gitlab.com/project-slug", "").strip("/ ")
    instance = notes.get("gitlab.com/instance", "").strip() or "gitlab.com"
    return comparable(f"https://{instance}/{slug}") if "/" in slug else ""


def _annotated(entity: str, notes: Mapping[str, str]) -> Iterator[str]:
    identifier = notes.get(f"{BACKSTAGE}id")
    if identifier:
        yield f"id:{identifier}"
    elif notes.get("tekton.dev/cicd") == "true":
        # As plugins of Backstage do: without an ID it is the entity's name.
        yield f"id:{entity}"
    if name := notes.get("janus-idp.io/tekton"):
        yield f"label:janus-idp.io/tekton={name}"
        yield f"id:{name}"
    for annotation in (f"{OWN}pipeline", "tekton.dev/pipeline"):
        for name in notes.get(annotation, "").split(","):
            if name.strip():
                yield f"pipeline-name:{name.strip()}"


def _limits(notes: Mapping[str, str]) -> Iterator[str]:
    for kind in ("namespace", "cluster"):
        given = notes.get(f"{OWN}{kind}") or notes.get(f"{BACKSTAGE}{kind}") or ""
        if given.strip():
            yield f"{kind}:{given.strip()}"


def _place(place: str) -> Iterator[str]:
    cluster, _mark, namespace = place.partition("/")
    for kind, name in (("cluster", cluster), ("namespace", namespace)):
        if name != "*":
            yield f"{kind}:{name}"


def _labels(selector: str) -> list[str]:
    """Read `a=b,c==d`. One with any other operator is not taken: it would match too much."""
    found = []
    for part in filter(None, (item.strip() for item in selector.split(","))):
        name, mark, value = part.partition("=")
        if not mark or name.endswith("!") or " " in part:
            return []
        found.append(f"label:{name.strip()}={value.removeprefix('=').strip()}")
    return found
