"""Objects of watched kinds, read from the tables."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from callboard.contributions import ObservedObject
from callboard.kubernetes.followers import observed as as_seen
from callboard.kubernetes.model import Resource
from callboard.kubernetes.models import cluster_object, cluster_watch


def observed(
    connection: Connection,
    resource: Resource,
    *,
    cluster: str = "",
    namespace: str = "",
    names: Sequence[str] = (),
    limit: int = 500,
) -> Sequence[ObservedObject]:
    """Give the objects of a kind that are there, by cluster, namespace and name.

    Whatever its version, the kind is one. Empty arguments stand for all.
    """
    each, watch = cluster_object.c, cluster_watch.c
    chosen = [watch.resource == resource.key, each.gone.is_(False)]
    if cluster:
        chosen.append(watch.cluster == cluster)
    if namespace:
        chosen.append(each.namespace == namespace)
    if names:
        chosen.append(each.name.in_(names))
    statement = (
        select(watch.cluster, cluster_object)
        .join_from(cluster_object, cluster_watch, each.watch == watch.id)
        .where(*chosen)
        .order_by(watch.cluster, each.namespace, each.name)
        .limit(limit)
    )
    return [replace(as_seen(row), cluster=row.cluster) for row in connection.execute(statement)]
