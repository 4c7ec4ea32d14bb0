"""Static files, kept by browsers for ever: their address changes with their content."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from callboard.errors import NotFoundError
from callboard_web.assets import Asset
from callboard_web.compression import accepted
from callboard_web.portal import portal_of
from callboard_web.routing import public

YEAR = 365 * 24 * 3600


async def static_file(request: Request) -> Response:
    """Answer a file by the address that `asset()` gave."""
    asset = portal_of(request).assets.find(request.path_params["path"])
    if asset is None:
        raise NotFoundError("There is no such file.", hint="Load the page again.")
    return await _respond(request, asset, f"public, max-age={YEAR}, immutable")


async def favicon(request: Request) -> Response:
    """Answer what browsers ask for by themselves."""
    asset = portal_of(request).assets.named("favicon.svg")
    assert asset is not None
    return await _respond(request, asset, "public, max-age=86400")


async def _respond(request: Request, asset: Asset, caching: str) -> Response:
    tag = f'"{asset.digest}"'
    headers = {"cache-control": caching, "etag": tag, "vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    content = asset.content
    encoding = accepted(request.headers.get("accept-encoding", "")) if asset.is_text else ""
    if encoding:
        headers["content-encoding"] = encoding
        content = await asyncio.to_thread(asset.compressed, encoding)
    return Response(content, media_type=asset.media_type, headers=headers)


ROUTES = [
    public("/static/{path:path}", static_file, why="Files of the portal's own look and behaviour."),
    public("/favicon.ico", favicon, why="Files of the portal's own look and behaviour."),
]
