"""The tab with an entity's document as text."""

from itertools import islice
from typing import Final

from callboard.contributions import EntityContext, EntityTab, Fragment
from callboard.i18n import Translator
from callboard_catalog.service import CatalogService
from callboard_web.documents import Line, json_lines, raw_json, raw_yaml, yaml_lines
from callboard_web.entities.places import places_of
from callboard_web.parts import Part

_: Final = Translator("callboard")

MOST_LINES: Final = 1_500
LONGEST_LINE: Final = 2_000
"""Lines and characters of a line that a page shows; the download has them all."""


def _raw(context: EntityContext) -> Fragment:
    as_json = context.query.get("format") == "json"
    text = raw_json(context.entity) if as_json else raw_yaml(context.entity)
    found = json_lines(text) if as_json else yaml_lines(text)
    lines = list(islice(found, MOST_LINES + 1))
    shown = [
        Line(line.before[:LONGEST_LINE], line.key[:LONGEST_LINE], line.rest[:LONGEST_LINE])
        for line in lines[:MOST_LINES]
    ]
    catalog = context.host.catalog
    whole = sum(len(line.before) + len(line.key) + len(line.rest) + 1 for line in shown)
    return Fragment(
        template="portal/raw.html",
        context={
            "ref": context.entity.ref,
            "as_json": as_json,
            "lines": shown,
            "cut": whole < len(text),
            "places": places_of(context.entity),
            "provenance": catalog.provenance(context.entity.ref)
            if isinstance(catalog, CatalogService)
            else None,
        },
    )


PART: Final = Part(entity_tabs=(EntityTab(name="raw", title=_("Raw"), render=_raw, order=900),))
