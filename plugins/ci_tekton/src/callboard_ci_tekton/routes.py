"""The API of the plugin."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query

from callboard_ci_tekton.acts.routes import make_router as make_acts_router
from callboard_ci_tekton.library.routes import make_router as make_library_router
from callboard_ci_tekton.logs.routes import make_router as make_log_router
from callboard_ci_tekton.models import match
from callboard_ci_tekton.statistics import grouped, load_finished

if TYPE_CHECKING:
    from callboard.host import Host


def make_router(host: "Host") -> APIRouter:
    """Give the plugin's routes."""
    router = APIRouter()
    # An included router would be no plain route, of which the host asks for permissions.
    for make in (make_acts_router, make_log_router, make_library_router):
        router.routes.extend(make(host).routes)

    @router.get("/statistics")
    def read_statistics(
        by: Literal["pipeline", "team"] = "pipeline",
        days: Annotated[int, Query(ge=1, le=90)] = 30,
    ) -> dict[str, Any]:
        """Queue time, duration (both in seconds) and success rate of runs the caller may see."""
        since = host.now() - timedelta(days=days)
        seen = host.catalog.seen(match.c.entity, "ci_tekton.run.read")
        with host.read() as connection:
            rows = load_finished(connection, since, match.c.entity.is_not(None), seen)
        figures = grouped(rows, by_team=by == "team")
        return {"by": by, "days": days, "items": [asdict(item) for item in figures]}

    return router
