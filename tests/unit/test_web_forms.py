"""Forms, the question before what destroys, and the message after an act."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from callboard.i18n import Translator
from callboard_web.app import create_app
from callboard_web.forms import read_form
from callboard_web.portal import portal_of
from callboard_web.runtime import Runtime

_ = Translator("callboard")
SOURCE = """{% extends "base.html" %}
{% from "_form.html" import errors, field, area, choice, check, send with context %}
{% block title %}Words{% endblock %}
{% block main %}<h1>Words</h1>
<form method="post" action="/words">
<input type="hidden" name="{{ csrf_field }}" value="{{ csrf_token }}">
{{ errors(form) }}
{{ field(form, "title", "Title", hint="Short.", more={"maxlength": 9}) }}
{{ area(form, "text", "Text", optional=true) }}
{{ choice(form, "kind", "Kind", [("a", "One"), ("b", "Two")]) }}
{{ check(form, "loud", "Loud") }}
{{ send("Keep", busy="Keeping…", back="/") }}
</form>{% endblock %}"""


async def _edit(request: Request) -> Response:
    portal = portal_of(request)
    form = await read_form(request)
    if request.method == "POST" and form["title"] == "bad":
        form.faults["title"] = _("Write a title.")
    if request.method == "GET" or form.faults:
        status = 422 if form.faults else 200
        return portal.page(request, "words.html", {"form": form}, status=status)
    response = RedirectResponse("/sources", 303)
    portal.flash(request, response, "Kept <b>.", undo="/words", fields={"title": "old"})
    return response


async def _drop(request: Request) -> Response:
    portal = portal_of(request)
    form = await read_form(request)
    if not form.confirmed:
        return portal.confirm(
            request, form, title="Delete it?", text="It is gone then.", verb="Delete", back="/words"
        )
    return Response(f"deleted {form['name']}")


@pytest.fixture(scope="module")
def browser(portal_runtime: Runtime) -> Iterator[TestClient]:
    app = create_app(portal_runtime)
    app.router.routes.append(Route("/words", _edit, methods=["GET", "POST"]))
    app.router.routes.append(Route("/drop", _drop, methods=["POST"]))
    with pytest.MonkeyPatch.context() as patch:
        environment = app.state.portal.renderer._environment
        template = environment.from_string(SOURCE)
        find = environment.get_template
        patch.setattr(
            environment,
            "get_template",
            lambda name, *rest: template if name == "words.html" else find(name, *rest),
        )
        yield TestClient(app, follow_redirects=False)


def _post(client: TestClient, path: str, fields: dict[str, Any], **headers: str) -> Any:
    page = client.get("/words").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    return client.post(path, data={**fields, "csrf_token": token[1]}, headers=headers)


def test_a_form_comes_back_with_its_faults_and_what_was_typed(browser: TestClient) -> None:
    sent = {"title": "bad", "text": "<i>long</i>", "kind": "b", "loud": "on"}
    response = _post(browser, "/words", sent)
    assert response.status_code == 422
    page = response.text
    assert "<title>Error: Words" in page
    assert '<a href="#f-title">Write a title.</a>' in page
    assert 'aria-describedby="f-title-error f-title-hint"' in page
    assert 'value="bad" required aria-invalid="true"' in page
    assert 'maxlength="9"' in page
    assert "&lt;i&gt;long&lt;/i&gt;</textarea>" in page
    assert '<option value="b" selected>' in page
    assert 'name="loud" checked' in page


def test_an_act_is_told_once_and_can_be_undone(browser: TestClient) -> None:
    done = _post(browser, "/words", {"title": "good"})
    assert done.status_code == 303
    page = browser.get("/sources").text
    assert "Kept &lt;b&gt;." in page
    assert '<form method="post" action="/words">' in page
    assert '<input type="hidden" name="title" value="old">' in page
    assert "Kept" not in browser.get("/sources").text


def test_a_message_of_somebody_else_is_not_told(browser: TestClient) -> None:
    browser.cookies.set("callboard_flash", "WyJGb3JnZWQiLCIiLHt9XQ.aaaa.bbbb")
    assert "Forged" not in browser.get("/sources").text
    browser.cookies.delete("callboard_flash")


def test_an_act_in_place_asks_for_its_message(browser: TestClient) -> None:
    done = _post(browser, "/words", {"title": "good"}, **{"hx-request": "true"})
    assert done.headers["hx-trigger-after-swap"] == "flash"
    piece = browser.get("/flash").text
    assert "Kept" in piece
    assert "<html" not in piece
    assert "Kept" not in browser.get("/flash").text


def test_destroying_is_asked_about_first(browser: TestClient) -> None:
    asked = _post(browser, "/drop", {"name": "x"})
    assert asked.status_code == 200
    assert "<h1>Delete it?</h1>" in asked.text
    assert '<input type="hidden" name="name" value="x">' in asked.text
    dialog = _post(browser, "/drop", {"name": "x"}, **{"hx-request": "true"})
    assert "<html" not in dialog.text
    token = re.search(r'name="csrf_token" value="([^"]+)"', dialog.text)
    assert token
    fields = {"name": "x", "confirmed": "yes", "csrf_token": token[1]}
    assert browser.post("/drop", data=fields).text == "deleted x"
