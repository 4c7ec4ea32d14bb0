"""The pages of teams, people, ownership, systems and domains."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_web.organisation import maps
from callboard_web.organisation.models import Party
from callboard_web.organisation.names import LETTERS, letter, sort_key
from callboard_web.organisation.service import GAPS, Gap, Ownership
from callboard_web.organisation.systems import PARTS, Area
from callboard_web.portal import Crumb, portal_of
from callboard_web.routing import reading

_: Final = Translator("callboard")

PAGE_ROWS: Final = 50
MOST_BRANCHES: Final = 120
MOST_CHARACTERS: Final = 200
MOST_CHOSEN: Final = 20
"""Owners that an address of the catalog's list may name."""

GAP_TITLES: Final[Mapping[Gap, Text]] = {
    "none": _("No owner"),
    "unknown": _("Owner unknown"),
    "empty": _("Team without members"),
    "left": _("Owner left"),
}
GAP_WORDS: Final[Mapping[Gap, Text]] = {
    "none": _("Their files name no owner."),
    "unknown": _("Their files name an owner that is not in the catalog."),
    "empty": _("They are owned by a team in which, and below which, nobody is."),
    "left": _("They are owned by a person who is not in the catalog any more."),
}
GAP_ADVICE: Final[Mapping[Gap, Text]] = {
    "none": _("Name a team in spec.owner of the file."),
    "unknown": _("Correct spec.owner in the file, or add the team to a source."),
    "empty": _("Add members to the team, or hand over to another one."),
    "left": _("Name a team in spec.owner: teams stay when people go."),
}
TEAM_SORTS: Final = ("name", "members", "owned", "problems")


def _text(request: Request, name: str) -> str:
    return request.query_params.get(name, "").replace("\0", "").strip()[:MOST_CHARACTERS]


def _offset(request: Request, total: int) -> int:
    """Give where the page begins: a multiple of the rows of a page, within the list."""
    given = request.query_params.get("from", "")
    wanted = int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0
    last = max(total - 1, 0) // PAGE_ROWS * PAGE_ROWS
    return min(wanted // PAGE_ROWS * PAGE_ROWS, last)


def _url(path: str, parameters: Mapping[str, object]) -> str:
    kept = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def _pager(path: str, parameters: Mapping[str, object], offset: int, total: int) -> dict[str, Any]:
    """Give what `organisation/_pager.html` needs."""
    following = offset + PAGE_ROWS
    return {
        "first": offset + 1 if total else 0,
        "last": min(following, total),
        "total": total,
        "previous": _url(path, {**parameters, "from": offset - PAGE_ROWS or None})
        if offset
        else "",
        "next": _url(path, {**parameters, "from": following}) if following < total else "",
    }


def _matches(text: str, title: str, ref: str) -> bool:
    wanted = text.casefold()
    said = sort_key(title)
    return wanted in title.casefold() or wanted in ref or wanted in said.replace(" ", "")


def teams(request: Request) -> Response:
    """Show all groups: as a tree, or as a table that is searched and sorted."""
    portal = portal_of(request)
    ownership = Ownership(portal.runtime.catalog)
    groups = ownership.organisation.groups
    text, type_ = _text(request, "q"), _text(request, "type")
    as_table = _text(request, "view") == "table" or bool(text or type_)
    under = _text(request, "under")
    if under and under not in groups:
        raise InputError(_("There is no such team."), hint=_("Start again from all teams."))
    context: dict[str, Any] = {
        "as_table": as_table,
        "text": text,
        "type": type_,
        "types": sorted({group.type for group in groups.values() if group.type}),
        "total": len(groups),
        "people": len(ownership.organisation.people),
        "under": groups.get(under),
        "gaps": sum(sum(counts.values()) for counts in ownership.gap_counts().values()),
        "sorts": TEAM_SORTS,
    }
    if as_table:
        context |= _team_table(request, ownership, text, type_)
    else:
        tops = [under] if under else ownership.organisation.roots
        context["branches"] = ownership.tree(tops, MOST_BRANCHES)
        context["more_roots"] = max(0, len(tops) - MOST_BRANCHES)
    if under:
        context["crumbs"] = (Crumb(_("Teams"), "/teams"), Crumb(groups[under].title))
    return portal.page(request, "organisation/teams.html", context)


def _team_table(request: Request, ownership: Ownership, text: str, type_: str) -> dict[str, Any]:
    sort = _text(request, "sort")
    sort = sort if sort in TEAM_SORTS else "name"
    found = [
        ref
        for ref, group in ownership.organisation.groups.items()
        if (not type_ or group.type == type_) and (not text or _matches(text, group.title, ref))
    ]
    if sort != "name":
        weight = {ref: _weight(ownership, sort, ref) for ref in found}
        found.sort(key=lambda ref: -weight[ref])  # names stay the order within
    offset = _offset(request, len(found))
    parameters = {"view": "table", "q": text, "type": type_}
    sorted_by = {**parameters, "sort": sort if sort != "name" else ""}
    return {
        "rows": [ownership.row(ref) for ref in found[offset : offset + PAGE_ROWS]],
        "pager": _pager("/teams", sorted_by, offset, len(found)),
        "sort": sort,
        "sort_urls": {
            name: _url("/teams", {**parameters, "sort": name if name != "name" else ""})
            for name in TEAM_SORTS
        },
    }


def _weight(ownership: Ownership, sort: str, ref: str) -> int:
    if sort == "members":
        return len(ownership.organisation.members.get(ref, ()))
    if sort == "owned":
        return len(ownership.index.values["owner"].get(ref, ()))
    return ownership.problems([ref])


def people(request: Request) -> Response:
    """List people by name, Chinese names as they are read."""
    portal = portal_of(request)
    ownership = Ownership(portal.runtime.catalog)
    organisation = ownership.organisation
    text, chosen = _text(request, "q"), _text(request, "letter").upper()
    everybody = list(organisation.people.values())
    letters = {letter(person.title) for person in everybody}
    found = [
        person
        for person in everybody
        if (not text or _matches(text, person.title, person.ref))
        and (chosen not in LETTERS or letter(person.title) == chosen)
    ]
    offset = _offset(request, len(found))
    shown = found[offset : offset + PAGE_ROWS]
    documents = portal.runtime.catalog.get_many(person.entity for person in shown)
    context = {
        "nav_path": "/teams",
        "rows": [(person, _teams_of(ownership, person), _owns(ownership, person))
                 for person in shown],
        "documents": documents,
        "total": len(everybody),
        "text": text,
        "letter": chosen if chosen in LETTERS else "",
        "letters": [(name, name in letters) for name in LETTERS],
        "url": lambda **changed: _url("/people", {"q": text, "letter": chosen, **changed}),
        "pager": _pager("/people", {"q": text, "letter": chosen}, offset, len(found)),
    }  # fmt: skip
    return portal.page(request, "organisation/people.html", context)


def _teams_of(ownership: Ownership, person: Party) -> Sequence[Party]:
    groups = ownership.organisation.groups
    return [groups[ref] for ref in person.above if ref in groups]


def _owns(ownership: Ownership, person: Party) -> int:
    return len(ownership.index.values["owner"].get(person.ref, ()))


def gaps(request: Request) -> Response:
    """List what has no owner who could be asked, by the reason."""
    portal = portal_of(request)
    ownership = Ownership(portal.runtime.catalog)
    owners, counts = ownership.gaps(), ownership.gap_counts()
    chosen = _chosen_gap(request, counts)
    kind = _text(request, "kind").lower()
    kinds = [kind] if kind in ownership.owned_kinds() else ownership.owned_kinds()
    total = sum(counts[chosen].get(name, 0) for name in kinds)
    result = ownership.gap_list(
        owners[chosen], kinds, cursor=_text(request, "cursor"), limit=PAGE_ROWS
    ) if total else None  # fmt: skip
    base = {"gap": chosen, "kind": kind if len(kinds) == 1 else ""}
    context = {
        "nav_path": "/teams",
        "gap": chosen,
        "gaps": GAPS,
        "titles": GAP_TITLES,
        "said": GAP_WORDS,
        "advice": GAP_ADVICE,
        "totals": {gap: sum(counts[gap].values()) for gap in GAPS},
        "owned": sum(len(ownership.index.values["kind"][name])
                     for name in ownership.owned_kinds()),
        "kind_counts": counts[chosen],
        "kind": base["kind"],
        "result": result,
        "total": total,
        "owners": ownership.organisation.groups,
        "catalog_url": _catalog_url(owners[chosen], base["kind"]),
        "url": lambda **changed: _url("/ownership", {**base, **changed}),
    }  # fmt: skip
    return portal.page(request, "organisation/ownership.html", context)


def _chosen_gap(request: Request, counts: Mapping[Gap, Mapping[str, int]]) -> Gap:
    """Give the gap of the address, else the first that there is."""
    asked = _text(request, "gap")
    for gap in GAPS:
        if gap == asked:
            return gap
    return next((gap for gap in GAPS if counts[gap]), GAPS[0])


def _catalog_url(owners: Sequence[str], kind: str) -> str:
    """Give the same as a list of the catalog, where its address can say so."""
    if not 0 < len(owners) <= MOST_CHOSEN:
        return ""
    pairs = [("kind", kind or "all"), *(("owner", owner or "-") for owner in owners)]
    return f"/catalog?{urlencode(pairs)}"


def systems(request: Request) -> Response:
    """List domains with their systems and how much is in them, or draw the map of some."""
    portal = portal_of(request)
    catalog = portal.runtime.catalog
    known = maps.areas(catalog)
    text, domain = _text(request, "q"), _text(request, "domain")
    if domain not in known.domains:
        domain = ""
    as_map = _text(request, "view") == "map"
    chosen = known.inside(domain) if domain else list(known.systems)
    context: dict[str, Any] = {
        "text": text,
        "as_map": as_map,
        "domain": domain,
        "domains": list(known.domains.values()),
        "systems": len(known.systems),
        "url": lambda **changed: _url(
            "/systems", {"q": text, "domain": domain, "view": "map" if as_map else "", **changed}
        ),
    }
    if as_map:
        fits = len(chosen) <= maps.MOST_SYSTEMS or bool(domain)
        context["map"] = maps.map_of_systems(catalog, chosen) if fits else None
        return portal.page(request, "organisation/systems_map.html", context)
    inside = set(chosen)
    listed = [
        (head, area)
        for head, areas in known.by_domain
        for area in areas
        if area.ref in inside
        and (not text or _matches(text, area.title, area.ref) or _in(known.domains, head, text))
    ]
    offset = _offset(request, len(listed))
    ownership = Ownership(catalog)
    shown = listed[offset : offset + PAGE_ROWS]
    context |= {
        "rows": [_system_row(ownership, known.domains.get(head), area) for head, area in shown],
        "owner_title": lambda ref: ownership.index.label("owner", ref),
        "empty": known.empty if not (text or domain or offset) else [],
        "pager": _pager("/systems", {"q": text, "domain": domain}, offset, len(listed)),
    }  # fmt: skip
    return portal.page(request, "organisation/systems.html", context)


def _in(domains: Mapping[str, Area], head: str, text: str) -> bool:
    return head in domains and _matches(text, domains[head].title, head)


def _system_row(ownership: Ownership, domain: Area | None, area: Area) -> dict[str, Any]:
    values = ownership.index.values
    inside = values["system"].get(area.ref)
    counts = {
        kind: values["kind"][kind].intersection_cardinality(inside)
        if inside is not None and kind in values["kind"]
        else 0
        for kind in PARTS
    }
    owner = EntityRef.parse(area.owner) if area.owner else None
    return {"domain": domain, "area": area, "counts": counts, "owner": owner}


ROUTES = [
    reading("/teams", teams),
    reading("/people", people),
    reading("/ownership", gaps),
    reading("/systems", systems),
]
