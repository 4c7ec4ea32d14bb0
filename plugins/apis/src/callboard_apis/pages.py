"""The index of all APIs, at `/apis/`."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from callboard.contributions import Fragment, PageContext
from callboard.entities import EntityRef
from callboard_apis import words
from callboard_apis.models import api
from callboard_apis.queries import Filter, load_facets, load_index, load_totals
from callboard_apis.views import STYLES

PAGE: Final = 50
_SEPARATOR: Final = "\x1f"


def draw_index(context: PageContext) -> Fragment:
    """All APIs with what is known of their definitions, filtered, a page at a time."""
    seen = context.host.catalog.seen(api.c.ref)
    chosen = replace(_chosen(context.query), seen=seen)
    with context.host.read() as connection:
        rows = list(load_index(connection, chosen, PAGE))
        facets = load_facets(connection, chosen)
        totals = load_totals(connection, seen)
    more = len(rows) > PAGE
    del rows[PAGE:]
    owners = {row.owner: EntityRef.parse(row.owner) for row in rows if row.owner}
    owners |= {row.value: EntityRef.parse(row.value) for row in facets["owner"] if row.value}
    found = context.host.catalog.titles(owners.values())
    titles = {text: found.get(ref, ref.name) for text, ref in owners.items()}
    kept = {
        name: value
        for name in ("q", "type", "owner", "faulty")
        if (value := context.query.get(name, "").strip()[:250])
    }
    return Fragment(
        template="apis/index.html",
        context={
            "rows": [(EntityRef.parse(row.ref), row) for row in rows],
            "owners": owners,
            "titles": titles,
            "facets": facets,
            "totals": totals,
            "kept": kept,
            "link": lambda **changed: _link(kept, changed),
            "after": _link(kept, {"after": f"{rows[-1].title}{_SEPARATOR}{rows[-1].ref}"})
            if more
            else "",
            "paged": chosen.after is not None,
            "w": words,
        },
        styles=STYLES,
    )


def _chosen(query: Any) -> Filter:
    title, separator, ref = query.get("after", "")[:600].partition(_SEPARATOR)
    return Filter(
        asked=query.get("q", "").strip()[:200],
        type=query.get("type", "")[:100],
        owner=query.get("owner", "")[:250],
        faulty=query.get("faulty", "") == "1",
        after=(title, ref) if separator else None,
    )


def _link(kept: dict[str, str], changed: dict[str, str]) -> str:
    fields = {name: value for name, value in {**kept, **changed}.items() if value}
    return f"/apis/?{urlencode(fields)}" if fields else "/apis/"
