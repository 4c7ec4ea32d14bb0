"""The page at the address of an entity that is not in the catalog, or not any more."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from callboard.entities import Entity, EntityRef
from callboard.i18n import Translator
from callboard_catalog.descriptors.kinds import BUILT_IN_KINDS
from callboard_web.deletions.service import deletions_of, may_restore
from callboard_web.documents import written_yaml
from callboard_web.entities.words import PLACES
from callboard_web.history.parts import history_context, one_context
from callboard_web.portal import Crumb, Portal
from callboard_web.words import relation_words

_: Final = Translator("callboard")

REFERRERS: Final = 50
LONGEST_SAMPLE: Final = 10_000
NOT_FOUND: Final = 404
GONE: Final = 410
"""RFC 9110, section 15.5.11: it was there, and is known not to be any more."""

_SPECS: Final = {
    "component": ("type: service", "lifecycle: production", "owner: {owner}"),
    "api": ("type: openapi", "lifecycle: production", "owner: {owner}", "definition: |", "  …"),
    "resource": ("type: database", "owner: {owner}"),
    "system": ("owner: {owner}",),
    "domain": ("owner: {owner}",),
    "group": ("type: team", "children: []"),
    "user": ("memberOf: []",),
}


def missing_page(portal: Portal, request: Request, ref: EntityRef) -> Response | None:
    """Tell when and from where an entity went, who names it, and how to add it.

    None where nothing is known of it: then the address is only mistyped.
    """
    catalog = portal.runtime.catalog
    removed = catalog.last_change(ref)
    deleted = deletions_of(portal).get(ref) if removed else None
    named_by = catalog.referrers(ref, limit=REFERRERS + 1)
    if removed is None and not named_by:
        return None
    given = history_context(catalog, ref, request.query_params.get("upto", ""))
    last = catalog.history(ref, limit=1) if removed else ()
    was = Entity(ref, last[0].before) if last and last[0].before else None
    path = request.path_params
    view = request.query_params.get("view", "")
    chosen = (
        one_context(catalog, ref, path.get("rest", ""), view)
        if path.get("tab") == "history"
        else None
    )
    context = {
        **given,
        "chosen": chosen,
        "removed": removed,
        "deleted": deleted,
        "may_restore": deleted is not None and may_restore(portal, ref),
        "title": was.title if was else ref.name,
        "was": was,
        "named_by": [(item, relation_words(item.relation)) for item in named_by[:REFERRERS]],
        "more_named_by": len(named_by) > REFERRERS,
        "sample": _last_text(was) or sample(ref),
        "provenance": None,
        "crumbs": (Crumb(_("Catalog"), "/catalog"), Crumb(was.title if was else ref.name)),
    }
    status = GONE if removed else NOT_FOUND
    return portal.page(request, "entity_missing.html", context, status=status)


def _last_text(was: Entity | None) -> str:
    """Give the descriptor an entity had last, without where it stood; empty if it is long."""
    if was is None:
        return ""
    kept = {key: value for key, value in was.annotations.items() if not key.startswith(PLACES)}
    metadata = {**was.metadata, "annotations": kept}
    if not kept:
        del metadata["annotations"]
    text = written_yaml({**was.document, "metadata": metadata})
    return text if len(text) <= LONGEST_SAMPLE else ""


def sample(ref: EntityRef) -> str:
    """Give a descriptor that would add an entity; empty for a kind whose rules are not known."""
    written = {kind.name.lower(): kind.name for kind in BUILT_IN_KINDS}
    if ref.kind not in _SPECS:
        return ""
    namespace = "" if ref.namespace == "default" else f"  namespace: {ref.namespace}\n"
    spec = "".join(f"  {line.format(owner='TEAM')}\n" for line in _SPECS[ref.kind])
    return (
        f"apiVersion: backstage.io/v1alpha1\nkind: {written[ref.kind]}\n"
        f"metadata:\n  name: {ref.name}\n{namespace}spec:\n{spec}"
    )
