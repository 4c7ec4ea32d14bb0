"""Every sort of question that is asked of the API and of pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from catalogs import Generated
from starlette.testclient import TestClient

API: Final = "/api/catalog"
QUERY: Final = f"{API}/entities/by-query"
SLUG: Final = "metadata.annotations.github.com/project-slug"
FAR: Final = 0.9


@dataclass(frozen=True)
class Question:
    """A request; `before` gives its parameters where others must be asked first."""

    path: str
    body: Any = None
    more: Callable[[TestClient], Mapping[str, str]] = field(default=lambda client: {})

    def ask(self, client: TestClient, more: Mapping[str, str]) -> Any:
        path = self.path
        if more:
            path += ("&" if "?" in path else "?") + urlencode(more)
        if self.body is None:
            return client.get(path)
        return client.post(path, json=self.body)


def questions(catalog: Generated, values: Mapping[str, str]) -> Mapping[str, Question]:
    """Give every sort of question, by name."""
    return {
        **_filters(catalog, values),
        **_predicates(catalog, values),
        **_orders(catalog),
        **_facets(values),
        **_others(values),
        **_times(values),
        **_pages(values),
    }


def _listed(**parameters: str) -> Question:
    return Question(f"{QUERY}?{urlencode({'limit': '20', **parameters})}")


def _filters(catalog: Generated, values: Mapping[str, str]) -> Mapping[str, Question]:
    name, ref = catalog.component, f"component:default/{catalog.component}"
    owner = values["owner"]
    filters = {
        "nothing": "",
        "kind": "kind=component",
        "kind and type": "kind=component,spec.type=service",
        "owner": f"kind=component,spec.owner={owner}",
        "relation to an owner": f"relations.ownedBy={owner}",
        "owner of": f"relations.ownerOf={ref}",
        "depends on one": f"relations.dependsOn={ref}",
        "part of a system": f"relations.partOf={values['system']}",
        "has part": f"relations.hasPart={ref}",
        "relation is there": "relations.dependsOn",
        "reverse relation is there": "relations.dependencyOf",
        "owned by is there": "relations.ownedBy",
        "part of is there": "relations.partOf",
        "has part is there": "relations.hasPart",
        "provides is there": "relations.providesApi",
        "annotation": f"{SLUG}=example-org/{name}",
        "annotation is there": SLUG,
        "label": "metadata.labels.example.com/tier=1",
        "tag": "metadata.tags=java",
        "tag as a key": "metadata.tags.java",
        "description is there": "metadata.description",
        "title": "metadata.title=x",
        "name": f"metadata.name={name}",
        "uid": f"metadata.uid={values['uid']}",
        "lifecycle": "spec.lifecycle=production",
        "system of spec": f"spec.system={values['system'].partition('/')[2]}",
    }
    found = {f"filter: {said}": _listed(**({"filter": given} if given else {}))
             for said, given in filters.items()}  # fmt: skip
    several = "filter=kind=api&filter=kind=component,spec.type=library&filter=metadata.tags=java"
    found["filter: three alternatives"] = Question(f"{QUERY}?limit=20&{several}")
    found["filter: nothing, without total"] = _listed(totalItems="exclude")
    found["filter: relation is there, without total"] = _listed(
        filter="relations.dependsOn", totalItems="exclude"
    )
    found["entities, the first 100"] = Question(f"{API}/entities?limit=100")
    found["entities, 100 far along"] = Question(
        f"{API}/entities?limit=100&offset={int(catalog.entities * FAR)}"
    )
    found["entities, fields of 100"] = Question(
        f"{API}/entities?limit=100&fields=metadata.name,relations"
    )
    return found


def _predicates(catalog: Generated, values: Mapping[str, str]) -> Mapping[str, Question]:
    ref = f"component:default/{catalog.component}"
    kind = {"kind": "Component"}
    asked: Mapping[str, Any] = {
        "$all": {"$all": [kind, {"spec.type": "service"}]},
        "$any": {"$any": [{"kind": "API"}, {"spec.type": "library"}]},
        "$not": {"$not": kind},
        "$exists": {SLUG: {"$exists": True}},
        "$exists false": {"metadata.annotations.none": {"$exists": False}},
        "$exists of a relation": {"relations.consumesApi": {"$exists": True}},
        "$not $exists of a relation": {"$not": {"relations.dependsOn": {"$exists": True}}},
        "$in": {"metadata.name": {"$in": list(catalog.manifest["sample_components"])}},
        "$in of 1,000": {"metadata.name": {"$in": values["names"].split()}},
        "$hasPrefix": {"metadata.name": {"$hasPrefix": "orders"}},
        "$hasPrefix of all": {SLUG: {"$hasPrefix": "example-org/"}},
        "$hasPrefix of a relation": {"relations.dependsOn": {"$hasPrefix": "component:default/o"}},
        "$contains": {"metadata.tags": {"$contains": "java"}},
        "$contains of relations": {
            "relations": {"$contains": {"type": "dependsOn", "targetRef": ref}}
        },
        "$contains of a type of relations": {"relations": {"$contains": {"type": "partOf"}}},
        "nested": {"$all": [{"$any": [kind, {"kind": "API"}]}, {"$not": {"$any": [
            {"metadata.tags": {"$contains": "java"}}, {"spec.lifecycle": "deprecated"},
            {"relations.dependsOn": {"$exists": True}}]}}]},
    }  # fmt: skip
    return {
        f"predicate: {name}": Question(QUERY, {"query": query, "limit": 20})
        for name, query in asked.items()
    }


def _orders(catalog: Generated) -> Mapping[str, Question]:
    far = str(int(catalog.entities * FAR))
    found: dict[str, Question] = {}
    for name, key in {
        "name": "metadata.name", "title": "metadata.title", "description": "metadata.description",
        "kind": "kind", "type": "spec.type", "owner": "spec.owner", "uid": "metadata.uid",
        "annotation": SLUG, "tag": "metadata.tags", "relation": "relations.dependsOn",
        "owners": "relations.ownedBy",
    }.items():  # fmt: skip
        found[f"order: {name}"] = _listed(orderField=f"{key},asc")
        found[f"order: {name}, far along"] = _listed(orderField=f"{key},desc", offset=far)
        if name in ("name", "title"):
            second = Question(f"{QUERY}?limit=20", more=_next(f"{QUERY}?limit=20&orderField={key}"))
            found[f"order: {name}, by cursor"] = second
            deep = Question(
                f"{QUERY}?limit=20",
                more=_next(f"{QUERY}?limit=20&orderField={key}&offset={catalog.entities // 2}"),
            )
            found[f"order: {name}, by cursor far along"] = deep
    found["offset, no order"] = _listed(offset=far)
    found["order: title of components, far along"] = _listed(
        filter="kind=component", orderField="metadata.title", offset=str(catalog.entities // 2)
    )
    for name, fields in {
        "name and title": "metadata.name,metadata.title", "description": "metadata.description",
        "annotation": SLUG, "name": "metadata.name", "relation": "relations.dependsOn",
    }.items():  # fmt: skip
        found[f"text: {name}"] = _listed(fullTextFilterTerm="order", fullTextFilterFields=fields)
    found["text: no field"] = _listed(fullTextFilterTerm="order")
    found["text: of components by name"] = _listed(
        filter="kind=component", fullTextFilterTerm="zq", orderField="metadata.name,asc",
        fullTextFilterFields="metadata.name,metadata.title",
    )  # fmt: skip
    return found


def _next(path: str) -> Callable[[TestClient], Mapping[str, str]]:
    def more(client: TestClient) -> Mapping[str, str]:
        return {"cursor": client.get(path).json()["pageInfo"]["nextCursor"]}

    return more


def _facets(values: Mapping[str, str]) -> Mapping[str, Question]:
    keys = {
        "kind": "kind", "type": "spec.type", "tags": "metadata.tags", "owner": "spec.owner",
        "owned by": "relations.ownedBy", "part of": "relations.partOf",
        "depends on": "relations.dependsOn", "name": "metadata.name", "title": "metadata.title",
        "annotation": SLUG, "system": "spec.system", "namespace": "metadata.namespace",
        "description": "metadata.description", "uid": "metadata.uid",
    }  # fmt: skip
    found = {
        f"facet: {name}": Question(f"{API}/entity-facets?facet={quote(key)}")
        for name, key in keys.items()
    }
    found |= {
        f"facet: {name}, of an owner": Question(
            f"{API}/entity-facets?facet={quote(key)}&filter=spec.owner={values['owner']}"
        )
        for name, key in keys.items()
    }
    found |= {
        f"facet: {name}, of APIs": Question(
            f"{API}/entity-facets?facet={quote(keys[name])}&filter=kind=api"
        )
        for name in ("name", "title", "annotation", "depends on", "part of")
    }
    return found


def _others(values: Mapping[str, str]) -> Mapping[str, Question]:
    name = values["ref"].partition("/")[2]
    own = f"{API}/entities/by-name/component/default/{name}"
    return {
        "by-name": Question(own),
        "by-uid": Question(f"{API}/entities/by-uid/{values['uid']}"),
        "ancestry": Question(f"{own}/ancestry"),
        "by-refs of 1,000": Question(
            f"{API}/entities/by-refs", {"entityRefs": [f"component:default/{name}" for name in
                                                        values["names"].split()]}
        ),
        "problems": Question(f"{API}/problems"),
        **{f"problems: {kind}": Question(f"{API}/problems?kind={kind}")
           for kind in ("rejected", "conflict", "dangling", "stale", "warning")},
        "problems of an owner": Question(f"{API}/problems?owner={values['owner']}"),
        "problems of an entity": Question(f"{API}/problems?entity={values['ref']}"),
        "problems, far along": Question(f"{API}/problems?offset=4000"),
        "sources": Question(f"{API}/sources"),
        "locations": Question(f"{API}/locations"),
        "kinds": Question(f"{API}/kinds"),
        "deleted": Question(f"{API}/deleted"),
    }  # fmt: skip


def _times(values: Mapping[str, str]) -> Mapping[str, Question]:
    now = datetime.now(UTC)
    day, month = ((now - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (1, 20))
    kind, rest = values["ref"].split(":", 1)
    own = f"{kind}/{rest}"
    return {
        "history of one": Question(f"{API}/entities/by-name/{own}/history"),
        "changes": Question(f"{API}/history"),
        "changes of components": Question(f"{API}/history?kind=component"),
        "changes of a source": Question(f"{API}/history?source=generated"),
        "changes of no source": Question(f"{API}/history?source=none"),
        "changes, returned": Question(f"{API}/history?action=returned"),
        **{
            f"past: {said}, {when}": Question(
                f"{API}/at/{at}/{path}{'&' if '?' in path else '?'}limit=20"
            )
            for when, at in (("a day ago", day), ("20 days ago", month))
            for said, path in {
                "entities": "entities", "components": "entities?kind=component",
                "of an owner": f"entities?owner={values['owner']}",
                "no namespace": "entities?namespace=none",
                "without total": "entities?totalItems=exclude",
                "came": "differences?difference=came",
                "changed": "differences?difference=changed",
                "left": "differences?difference=left",
            }.items()
        },
        "past: one": Question(f"{API}/at/{month}/entities/by-name/{own}"),
        "page /catalog/past, a day ago": Question(f"/catalog/past?at={day}"),
        "page /catalog/past, 20 days ago": Question(f"/catalog/past?at={month}"),
        "page /catalog/past, changed": Question(f"/catalog/past?at={month}&show=changed"),
    }  # fmt: skip


def _pages(values: Mapping[str, str]) -> Mapping[str, Question]:
    kind, rest = values["ref"].split(":", 1)
    entity = f"/catalog/{rest.replace('/', f'/{kind}/')}"
    owner = values["owner"]
    group = f"/catalog/default/group/{owner.partition('/')[2]}"
    paths = (
        "/", "/catalog", "/catalog?kind=all", "/catalog?kind=all&q=order", "/catalog?q=zq",
        f"/catalog?kind=all&owner={owner}", f"/catalog?kind=all&system={values['system']}",
        "/catalog?kind=component&type=service", "/catalog?kind=all&lifecycle=production",
        "/catalog?kind=all&tag=java", "/catalog?kind=all&tag=java&tag=rest&owner=" + owner,
        "/catalog?kind=all&source=generated", "/catalog?kind=all&more=owner&find=a",
        *(f"/catalog?kind=all&sort={key}&order={way}" for key in
          ("name", "title", "owner", "type", "updated", "system") for way in ("asc", "desc")),
        "/search?q=order", "/search?q=service", "/search?q=o", "/search?q=zqzq", "/search?q=ordr",
        "/search?q=service+kind:component", "/search?q=kind:component", "/search?q=tag:java",
        "/search?q=lifecycle:production", "/search?q=type:service", "/search?q=-kind:component",
        "/search?q=is:orphan", "/search?q=is:mine", "/search?q=is:deprecated",
        "/search?q=source:generated", "/search?q=type:service&sort=changed",
        "/search?q=kind:component&sort=name", "/search?q=kind:component&sort=changed",
        "/search?q=service+tag:java", f"/search?q=owner:{owner.partition('/')[2]}",
        "/search?q=lifecycle:production+type:service+tag:java", "/search?q=%22order+service%22",
        "/search/palette?q=o", "/search/palette?q=ord", "/search/palette?q=owner:p",
        entity, f"{entity}/relations", f"{entity}/relations?depth=2", f"{entity}/history", group,
        f"/catalog/default/system/{values['system'].partition('/')[2]}",
        f"/catalog/default/domain/{values['domain'].partition('/')[2]}",
        "/teams", "/systems", "/systems?view=map", "/ownership", "/people", "/tags", "/types",
        "/activity", "/problems", "/problems?kind=dangling", "/sources", "/sources/generated",
        "/deleted", "/usage", "/usage?show=never", "/usage?kind=component",
        f"/usage?owner={owner}", "/usage?offset=4000", "/usage?days=90", "/api/usage",
        "/deliveries", "/deliveries?state=failed", "/deliveries?verdict=refused",
        "/deliveries?event=none", "/deliveries?hook=scm-hosts.host-3", "/deliveries?before=10000",
        "/audit", "/audit?actor=user:default/u7", "/audit?action=portal.view.save",
        "/audit?result=denied", "/audit?q=u499", "/audit?subject=" + values["ref"],
    )  # fmt: skip
    return {f"page {path}": Question(path) for path in paths}
