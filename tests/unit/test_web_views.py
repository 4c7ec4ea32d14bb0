"""Saved views: personal and shared, who may change them, and names that mean harm."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard.database import Database
from callboard.errors import InputError, NotAllowedError, NotFoundError
from callboard.events.log import read
from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.personal.models import view as table
from callboard_web.runtime import Runtime
from callboard_web.saved_views import SavedViews
from callboard_web.saved_views.service import MOST_OF_ONE, Asking
from callboard_web.testing import portal_under_test

TokenOf = Callable[[TestClient], str]
ANN, BOB = Asking("visitor:ann"), Asking("visitor:bob")
BOSS = Asking("visitor:boss", manages=True)


@pytest.fixture
def views(database: Database, clock: Clock) -> SavedViews:
    return SavedViews(database, clock)


def names(views: SavedViews, asking: Asking) -> list[str]:
    return [item.name for item in views.all(asking)]


def test_views_are_ones_own_or_shared(views: SavedViews) -> None:
    own = views.save("Mine", "type=service", False, ANN)
    shared = views.save("Ours", "kind=api", True, ANN)
    assert names(views, ANN) == ["Mine", "Ours"]
    assert names(views, BOB) == ["Ours"]
    assert (views.get(shared, BOB).mine, views.get(shared, BOB).may_change) == (False, False)
    assert views.get(shared, BOSS).may_change
    for asking in (BOB, BOSS, Asking("")):
        with pytest.raises(NotFoundError):
            views.get(own, asking)
        with pytest.raises(NotFoundError):
            views.change(own, asking, name="x")
    for act in (lambda: views.change(shared, BOB, name="x"), lambda: views.delete(shared, BOB)):
        with pytest.raises(NotAllowedError):
            act()
    views.change(shared, BOSS, name="All of ours")
    assert names(views, BOB) == ["All of ours"]
    assert views.get(shared, ANN).query == "kind=api"


def test_only_changes_of_shared_views_are_told(views: SavedViews) -> None:
    own = views.save("Mine", "", False, ANN)
    views.change(own, ANN, query="a=1")
    with views.database.read() as connection:
        assert entries(connection, action="portal.view.share") == []
    views.change(own, ANN, shared=True)
    views.delete(own, ANN)
    views.restore(own, ANN)
    with views.database.read() as connection:
        audited = entries(connection, action="portal.view.share")
        told = read(connection, 0, ["portal.view."])
    assert [item.kind for item in told] == [
        "portal.view.updated", "portal.view.deleted", "portal.view.restored",
    ]  # fmt: skip
    assert {item.subject for item in audited} == {f"view:{own}"}
    assert audited[-1].before == {"name": "Mine", "query": "a=1", "shared": False}
    assert audited[-1].after == {"name": "Mine", "query": "a=1", "shared": True}


def test_a_deletion_can_be_taken_back_for_an_hour(views: SavedViews, clock: Clock) -> None:
    own = views.save("Mine", "", False, ANN)
    other = views.save("Other", "", False, ANN)
    views.delete(own, ANN)
    assert names(views, ANN) == ["Other"]
    for asking in (BOB, BOSS):
        with pytest.raises(NotFoundError):
            views.restore(own, asking)
    views.save("Mine again", "", False, ANN)
    assert views.restore(own, ANN).name == "Mine"
    assert views.restore(own, ANN).name == "Mine"
    views.delete(own, ANN)
    clock.advance(timedelta(hours=2).total_seconds())
    views.delete(other, ANN)
    with pytest.raises(NotFoundError):
        views.restore(own, ANN)
    assert views.restore(other, ANN).name == "Other"


@pytest.mark.parametrize("name", ["", "x" * 81, "a\nb", "a\0b", "a\u202eb", "a\u200bb"])
def test_names_that_cannot_be(views: SavedViews, name: str) -> None:
    with pytest.raises(InputError):
        views.save(name, "", False, ANN)


def test_names_are_there_once_and_views_are_bounded(views: SavedViews) -> None:
    views.save("Same", "", False, ANN)
    views.save("Same", "", False, BOB)
    views.save("Same", "", True, ANN)
    for shared in (False, True):
        with pytest.raises(InputError):
            views.save("Same", "", shared, ANN)
    with pytest.raises(InputError):
        views.save("Long", "x" * 9_000, False, ANN)
    for at in range(MOST_OF_ONE - 1):
        views.save(f"{at}", "", False, BOB)
    with pytest.raises(InputError):
        views.save("One more", "", False, BOB)


# The pages


@pytest.fixture
def clean(portal_runtime: Runtime) -> Iterator[None]:
    yield
    with portal_runtime.database.write() as connection:
        connection.execute(delete(table))


def save(client: TestClient, token: str, **form: Any) -> Any:
    return client.post("/views", data={"csrf_token": token, **form}, follow_redirects=False)


@pytest.mark.usefixtures("clean")
def test_a_list_is_saved_changed_and_deleted(client: TestClient, token_of: TokenOf) -> None:
    assert 'href="/views/new?type=service"' in client.get("/catalog?type=service").text
    assert "Save this list as a view" in client.get("/views/new?type=service").text
    saved = save(client, token_of(client), name="Services", query="type=service&cursor=x&bad=1",
                 shared="no")  # fmt: skip
    place = saved.headers["location"]
    number = place.partition("view=")[2]
    page = client.get(place).text
    assert "The view Services is saved" in page
    assert f'href="{place.replace("&", "&amp;")}" aria-current="page"' in page
    assert "Only for you" in page
    changed = client.get(f"{place}&sort=owner").text
    assert "This is not quite the view Services any more." in changed
    form = {"csrf_token": token_of(client), "query": "type=service&sort=owner"}
    assert "Only for you" in client.post(f"/views/{number}/query", data=form).text
    form = {"csrf_token": token_of(client), "name": "Our services", "shared": "yes"}
    assert "Shared with everyone" in client.post(f"/views/{number}", data=form).text
    assert "Our services" in client.get("/views").text
    gone = client.post(f"/views/{number}/delete", data={"csrf_token": token_of(client)}).text
    assert "The view Our services is deleted" in gone
    assert client.get(f"/views/{number}").status_code == 404
    undone = client.post(f"/views/{number}/restore", data={"csrf_token": token_of(client)})
    assert "sort=owner" in str(undone.url)


@pytest.mark.usefixtures("clean")
def test_names_that_mean_harm_and_forms_that_come_back(
    client: TestClient, token_of: TokenOf
) -> None:
    name = "<script>alert(1)</script>\"'"
    save(client, token_of(client), name=name, query="q=%3Cb%3E", shared="yes")
    for path in ("/catalog", "/views"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
    again = save(client, token_of(client), name=name, query="type=service", shared="yes")
    assert again.status_code == 422
    assert "There is a view of this name already." in again.text
    assert 'value="type=service"' in again.text
    for path in ("/views/0", "/views/99999999999999999999999", "/views/x"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize(("role", "may_share"), [("viewer", False), ("maintainer", True)])
def test_views_are_shared_and_changed_by_those_who_may(
    tmp_path: Path, clock: Clock, token_of: TokenOf, role: str, may_share: bool
) -> None:
    settings = {"access": {"anonymous": role}}
    with portal_under_test(
        tmp_path, plugins=[], settings=settings, clock=clock, templates={}
    ) as shop:
        maker, other = shop.client, TestClient(create_app(shop.runtime))
        form = maker.get("/views/new").text
        assert (' value="yes" disabled>' in form) is not may_share
        shared = save(maker, token_of(maker), name="Ours", query="", shared="yes")
        assert (shared.status_code == 303) is may_share
        own = save(maker, token_of(maker), name="Mine", query="", shared="no")
        assert own.status_code == 303
        taken = {"csrf_token": token_of(other), "name": "taken"}
        changed = other.post("/views/1", data=taken)
        assert changed.status_code == (403 if may_share else 404)
