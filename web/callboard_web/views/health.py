"""For those who run the portal: is it alive, is it ready, what does it measure."""

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from callboard.identity import acting_for
from callboard_web.portal import portal_of
from callboard_web.routing import guarded, public


async def healthz(request: Request) -> Response:
    """Say that the process answers."""
    return PlainTextResponse("ok")


def readyz(request: Request) -> Response:
    """Say whether requests can be served: the database answers."""
    try:
        with portal_of(request).runtime.database.read() as connection:
            connection.execute(text("SELECT 1"))
    except Exception as error:
        return JSONResponse({"ready": False, "database": type(error).__name__}, 503)
    return JSONResponse({"ready": True})


def metrics(request: Request) -> Response:
    """Answer the metrics in the Prometheus text format."""
    with acting_for(None):  # they are the portal's own numbers, whoever may read them
        content = generate_latest(request.app.state.metrics.registry)
    return Response(content, media_type=CONTENT_TYPE_LATEST)


ROUTES = [
    public("/healthz", healthz, why="Load balancers and schedulers ask without credentials."),
    public("/readyz", readyz, why="Load balancers and schedulers ask without credentials."),
    guarded("/metrics", metrics, "portal.metrics.read", unless="public_metrics"),
]
