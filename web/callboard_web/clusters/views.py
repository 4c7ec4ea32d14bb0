"""The page of clusters."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from callboard_web.clusters import service, words
from callboard_web.clusters.parts import READ
from callboard_web.portal import portal_of
from callboard_web.routing import guarded

SHOWN: Final = 100
"""Watches of one cluster on the page; those with trouble come first."""


def clusters(request: Request) -> Response:
    """Show how each cluster fares, and each watch in it."""
    portal = portal_of(request)
    runtime = portal.runtime
    with runtime.database.read() as connection:
        rules = runtime.plugins.contributions.cluster_rules
        found = service.overviews(connection, runtime.services.clusters, runtime.now(), rules)
    context = {
        "clusters": found,
        "shown": SHOWN,
        "troubled": sum(words.is_troubled(item) for item in found),
        "words_of": words.words_of,
        "status_of": words.status_of,
        "next_step": words.next_step,
    }
    return portal.page(request, "clusters/clusters.html", context)


ROUTES = [guarded("/clusters", clusters, READ)]
