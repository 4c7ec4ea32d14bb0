"""Pictures and documents of repositories, and the frame that diagrams are drawn in."""

import re
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from callboard.contributions import open_to_everyone
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_docs.diagrams import FRAME, scripts
from callboard_docs.queries import load_file
from callboard_docs.reading.links import MEDIA

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("docs")

_FOR_EVER: Final = "private, max-age=31536000, immutable"
_NAME: Final = re.compile(r"[0-9a-f]{40,64}(\.[a-z]{3,4})")
_FILE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_FRAME_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'; sandbox allow-scripts"
)


def make_router(host: "Host") -> APIRouter:
    """Give the plugin's routes."""
    router = APIRouter()

    @router.get("/files/{number}/{name}")
    def read_file(number: int, name: str, request: Request) -> Response:
        return _file(host, number, name, request)

    @router.get("/diagrams/{digest}/frame")
    def frame(digest: str) -> Response:
        headers = {
            "content-security-policy": _FRAME_POLICY,
            "x-frame-options": "SAMEORIGIN",
            "cache-control": _FOR_EVER,
        }
        return Response(FRAME, media_type="text/html; charset=utf-8", headers=headers)

    @router.get("/diagrams/{digest}/{name}.js")
    @open_to_everyone("A file of the plugin's own; the frame that loads it sends no cookies.")
    def script(digest: str, name: str, request: Request) -> Response:
        return _script(name, request)

    return router


def _file(host: "Host", number: int, name: str, request: Request) -> Response:
    match = _NAME.fullmatch(name)
    tag = f'"{name}"'
    headers = {
        "content-security-policy": _FILE_POLICY,
        "cache-control": _FOR_EVER,
        "etag": tag,
        "x-content-type-options": "nosniff",
    }
    content = None
    if match is not None and match[1] in MEDIA and 0 < number < 2**31:
        with host.read() as connection:
            content = load_file(connection, number, name, host.catalog.seen)
    if match is None or content is None:
        raise NotFoundError(_("There is no such file."))
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if match[1] == ".pdf":
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=MEDIA[match[1]], headers=headers)


def _script(name: str, request: Request) -> Response:
    """Answer a script of the frame. Its origin is nobody's, so it counts as another's."""
    found = scripts().get(name)
    if found is None:
        raise NotFoundError(_("There is no such file."))
    headers = {
        "cache-control": _FOR_EVER,
        "cross-origin-resource-policy": "cross-origin",
        "vary": "Accept-Encoding",
    }
    content, compressed = found
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        content = compressed
    return Response(content, media_type="text/javascript", headers=headers)
