"""What is sent, how small, and what need not be sent again."""

import gzip
import re
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from callboard_web.assets import Assets
from callboard_web.compression import CompressMiddleware, accepted
from callboard_web.conditional import ConditionalMiddleware
from callboard_web.middleware import MOST_TIMINGS, _timing

LONG = b"Lorem ipsum dolor sit amet. " * 200


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0.2, gzip;q=0.9", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("*", "br"),
        ("*;q=0", ""),
        ("identity", ""),
        ("", ""),
        ("gzip;q=many", ""),
    ],
)
def test_the_encoding_is_the_browsers_choice(header: str, expected: str) -> None:
    assert accepted(header) == expected


@given(st.text(max_size=80))
def test_any_header_is_read(header: str) -> None:
    assert accepted(header) in ("", "br", "gzip")


def test_static_files_are_compressed_when_they_are_asked_for() -> None:
    asset = Assets().named("callboard.css")
    assert asset is not None
    assert gzip.decompress(asset.compressed("gzip")) == asset.content
    assert brotli.decompress(asset.compressed("br")) == asset.content
    assert asset.compressed("br") is asset.compressed("br")
    assert len(asset.compressed("br")) < len(asset.compressed("gzip")) < len(asset.content) / 3


def test_modules_import_each_other_by_what_they_contain(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    (folder / "log").mkdir(parents=True)
    (folder / "main.js").write_text(
        'import {\n  one,\n} from "./log/one.js";\nimport "./absent.js";'
    )
    (folder / "log" / "one.js").write_text('export { two } from "../two.js";')
    (folder / "two.js").write_text("export const two = 2;")
    first = Assets({"parts": tmp_path})
    main, one, two = (first.named(f"parts/{name}.js") for name in ("main", "log/one", "two"))
    assert main
    assert one
    assert two
    assert one.content.decode() == f'export {{ two }} from "../two.{two.digest}.js";'
    assert f'from "./log/one.{one.digest}.js";' in main.content.decode()
    assert 'import "./absent.js";' in main.content.decode()
    (folder / "two.js").write_text("export const two = 3;")
    changed = Assets({"parts": tmp_path})
    assert changed.url("parts/main.js") != first.url("parts/main.js")


def _raw(client: TestClient, path: str, encoding: str) -> tuple[Any, bytes]:
    with client.stream("GET", path, headers={"accept-encoding": encoding}) as response:
        return response.headers, b"".join(response.iter_raw())


@pytest.mark.parametrize("path", ["/catalog", "callboard.css"])
def test_answers_are_compressed(client: TestClient, path: str) -> None:
    if not path.startswith("/"):
        path = client.app.state.portal.assets.url(path)  # type: ignore[attr-defined]
    plain_headers, plain = _raw(client, path, "identity")
    assert "content-encoding" not in plain_headers
    for encoding, expand in (("br", brotli.decompress), ("gzip", gzip.decompress)):
        headers, content = _raw(client, path, encoding)
        assert headers["content-encoding"] == encoding
        assert "accept-encoding" in headers["vary"].lower()
        assert int(headers["content-length"]) == len(content) < len(plain)
        assert len(expand(content)) == len(plain)


def _serve(answer: Response) -> TestClient:
    async def endpoint(scope: Any, receive: Any, send: Any) -> None:
        await answer(scope, receive, send)

    app: ASGIApp = CompressMiddleware(ConditionalMiddleware(endpoint))
    return TestClient(app)


def test_small_answers_pictures_and_events_go_as_they_are() -> None:
    for answer in (
        Response(b"short", media_type="text/plain"),
        Response(LONG, media_type="image/png"),
        Response(LONG, media_type="text/event-stream"),
        Response(LONG, headers={"content-encoding": "zstd", "content-type": "text/plain"}),
    ):
        headers, content = _raw(_serve(answer), "/", "br, gzip")
        assert headers.get("content-encoding") in (None, "zstd")
        assert content in (b"short", LONG)


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_an_answer_in_pieces_arrives_piece_by_piece(encoding: str) -> None:
    pieces = [b"first " * 50, b"second " * 50, b""]
    answer = StreamingResponse(iter(pieces), media_type="text/csv")
    client = _serve(answer)
    read: Any = brotli.Decompressor() if encoding == "br" else zlib.decompressobj(31)
    step = read.process if encoding == "br" else read.decompress
    with client.stream("GET", "/", headers={"accept-encoding": encoding}) as response:
        assert response.headers["content-encoding"] == encoding
        assert "content-length" not in response.headers
        assert b"".join(step(piece) for piece in response.iter_raw()) == b"".join(pieces)


@pytest.mark.parametrize(
    "path", ["/sources", "/plugins", "/jobs", "/api/catalog/problems", "/navigation"]
)
def test_what_the_browser_has_is_not_sent_again(client: TestClient, path: str) -> None:
    client.get("/")
    first = client.get(path)
    assert first.headers["cache-control"] == "private, no-cache"
    again = client.get(path, headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert "content-type" not in again.headers
    assert again.headers["vary"]
    other = client.get(path, headers={"if-none-match": 'W/"something"'})
    assert other.status_code == 200


def test_the_token_of_the_earlier_page_still_serves(client: TestClient) -> None:
    client.get("/navigation")
    first = client.get("/navigation")
    token = re.search(r'name="csrf_token" value="([^"]+)"', first.text)
    assert token
    assert token[1] not in client.get("/navigation").text, "tokens differ"
    again = client.get("/navigation", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    done = client.post("/preferences", data={"csrf_token": token[1], "theme": "light"})
    assert done.status_code == 200


def test_another_persons_page_is_another(client: TestClient) -> None:
    client.get("/navigation")
    tag = client.get("/navigation").headers["etag"]
    client.cookies.clear()
    newcomer = client.get("/navigation", headers={"if-none-match": tag})
    assert newcomer.status_code == 200, "the page has a token for the new cookie"
    assert "etag" not in newcomer.headers
    assert client.get("/navigation", headers={"if-none-match": tag}).status_code == 200


def test_errors_and_what_may_not_be_kept_have_no_tag(client: TestClient) -> None:
    client.get("/")
    assert "etag" not in client.get("/nope").headers
    no_store = _serve(Response(LONG, headers={"cache-control": "no-store"}))
    assert "etag" not in no_store.get("/").headers


def test_a_tag_of_the_views_own_is_kept() -> None:
    client = _serve(Response(LONG, media_type="text/plain", headers={"etag": '"v1"'}))
    assert client.get("/").headers["etag"] == '"v1"'
    assert client.get("/", headers={"if-none-match": 'W/"v1"'}).status_code == 304


def test_pages_tell_what_each_plugin_took(client: TestClient) -> None:
    timing = client.get("/catalog/default/component/order-service").headers["server-timing"]
    parts = dict(part.split(";dur=") for part in timing.split(", "))
    assert {"total", "sample"} <= set(parts)
    assert all(float(value) >= 0 for value in parts.values())
    assert float(parts["sample"]) > 0


def test_the_times_of_many_plugins_are_bounded() -> None:
    spent = {f"plugin_{number}": number / 1000 for number in range(40)}
    told = _timing(1.0, spent).split(", ")
    assert told[:2] == ["total;dur=1000.0", "plugin_39;dur=39.0"]
    assert told[-1] == "others;dur=378.0"
    assert len(told) == MOST_TIMINGS + 2


def test_requests_do_not_share_their_times(client: TestClient) -> None:
    client.get("/catalog/default/component/order-service")
    assert "sample" not in client.get("/healthz").headers["server-timing"]
