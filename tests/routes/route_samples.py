"""A portal with everything in it, and what to send to each of its routes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from callboard.entities import EntityRef
from callboard.identity import NOBODY, Subject
from callboard_catalog.pushing import Push, read_entities
from callboard_catalog.pushing.service import Asker
from callboard_web.app import create_app
from callboard_web.identity.middleware import identify
from callboard_web.personal.models import announcement
from callboard_web.runtime import Runtime
from callboard_web.testing import portal_under_test, sign_in_as

CANARY: Final = "Zyzzyva"
"""A word that stands in whatever is hidden, and nowhere else."""

HIDDEN: Final = "zyzzyva-vault"

_DEFINITION: Final = """
openapi: 3.0.0
info: {{title: {title}, version: 1.0.0}}
paths:
  /{path}:
    get: {{operationId: {path}, summary: Reads {title}, responses: {{"200": {{description: ok}}}}}}
"""

_USERS: Final = {
    "vera": [],
    "olga": ["payments"],
    "otto": ["searching"],
    "root": [],
    "wim": ["vault"],
}


def _entity(kind: str, name: str, title: str, **spec: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "title": title,
        "description": f"What is told of {title}",
    }
    if title.startswith(CANARY):
        metadata["tags"] = ["hidden"]
    return {
        "apiVersion": "backstage.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec,
    }  # fmt: skip


def _api(name: str, title: str, owner: str) -> dict[str, Any]:
    text = _DEFINITION.format(title=title, path=name.replace("-", ""))
    spec = {"type": "openapi", "lifecycle": "production", "owner": owner, "definition": text}
    return _entity("API", name, title, **spec)


def _service(name: str, title: str, owner: str, **spec: Any) -> dict[str, Any]:
    given = {"type": "service", "lifecycle": "production", "owner": owner, **spec}
    return _entity("Component", name, title, **given)


def entities() -> list[dict[str, Any]]:
    """Give a catalog of three teams; what the team vault has is hidden from the others."""
    groups = [
        _entity("Group", name, title, type="team", children=[])
        for name, title in (
            ("payments", "Payments"), ("searching", "Searching"), ("vault", f"{CANARY} Keepers"),
        )
    ]  # fmt: skip
    users = [
        _entity(
            "User", name, f"{CANARY} Wim" if name == "wim" else name.title(),
            memberOf=groups_of, profile={},
        )
        for name, groups_of in _USERS.items()
    ]  # fmt: skip
    return [
        *groups, *users,
        _entity("System", "money", "Money", owner="payments"),
        _entity("System", "zyzzyva-money", f"{CANARY} Money", owner="vault"),
        _service("ledger", "Ledger", "payments", system="money", dependsOn=[f"component:{HIDDEN}"]),
        _service("finder", "Finder", "searching", dependsOn=["component:ledger"]),
        _service(HIDDEN, f"{CANARY} Vault", "vault", system="money", dependsOn=["ledger"]),
        # What is wrong with it is a problem that tells its name.
        _service("zyzzyva-torn", f"{CANARY} Torn", "nobody-there", dependsOn=["component:gone"]),
        _api("ledger-api", "Ledger API", "payments"),
        _api("zyzzyva-api", f"{CANARY} API", "vault"),
    ]  # fmt: skip


SETTINGS: Final[Mapping[str, Any]] = {
    "access": {
        "anonymous": "",
        "administrators": ["user:default/root"],
        "bindings": [
            {
                "role": "administrator", "effect": "deny", "on": {"tag": ["hidden"]},
                "to": ["user:default/vera", "user:default/olga", "user:default/otto"],
            }
        ],
    },
}  # fmt: skip


@dataclass
class World:
    """The portal, who walks through it, and the numbers of what is there."""

    runtime: Runtime
    app: FastAPI
    numbers: dict[str, int] = field(default_factory=dict)
    subjects: dict[str, Subject] = field(default_factory=dict)

    def browser(self, who: str = "", address: str = "127.0.0.1") -> TestClient:
        """Give a browser of somebody, or of nobody known."""
        client = TestClient(
            self.app, base_url="https://testserver", raise_server_exceptions=False,
            follow_redirects=False, headers={"accept": "text/html"}, client=(address, 50000),
        )  # fmt: skip
        if who:
            sign_in_as(client, who)
        return client

    def connection(self, who: str) -> HTTPConnection:
        """Give a request of somebody who has just signed in."""
        jar = self.browser(who).cookies.jar
        # Within, cookies have the names they have without https.
        cookies = "; ".join(f"{item.name.removeprefix('__Host-')}={item.value}" for item in jar)
        return HTTPConnection(
            {
                "type": "http", "method": "GET", "path": "/live", "query_string": b"",
                "scheme": "https", "server": ("testserver", 443), "state": {}, "app": self.app,
                "headers": [(b"host", b"testserver"), (b"cookie", cookies.encode())],
            }
        )  # fmt: skip

    def subject(self, who: str) -> Subject:
        """Give somebody as the portal knows them once they have signed in."""
        if who and who not in self.subjects:
            self.subjects[who] = identify(self.connection(who), self.app.state.portal.credentials)
        return self.subjects.get(who, NOBODY)


def token(client: TestClient) -> str:
    """Give a token that lets a browser send forms."""
    page = client.get("/navigation").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start a portal with all plugins that are installed, and put something of everything in it."""
    import yaml

    with portal_under_test(
        folder,
        plugins=["apis", "docs"],
        settings=SETTINGS,
        clock=lambda: datetime.now(UTC),
        templates={},
    ) as portal:
        portal.catalog_add(yaml.safe_dump_all(entities(), allow_unicode=True))
        for _ in range(3):
            portal.run_jobs()
        made = World(portal.runtime, create_app(portal.runtime))
        _fill(made)
        yield made


def _fill(made: World) -> None:
    runtime = made.runtime
    now = runtime.now()
    with runtime.database.write() as connection:
        values = {
            "status": "run", "texts": {"en": {"title": "Works", "text": ""}}, "path": "",
            "begins_at": now, "ends_at": None, "author": "person:user:default/root",
            "created_at": now,
        }  # fmt: skip
        inserted = connection.execute(announcement.insert().values(values))
        made.numbers["announcement"] = int(inserted.inserted_primary_key[0])  # type: ignore[index]
    made.numbers["run"] = runtime.jobs.submit(None, "catalog", "look")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What to send to a route. `entity` is replaced by the one that is walked with.

    `answers` are the statuses of those who may; `own` says that the thing is the asker's own, and
    so there is none of somebody who is not known. `endless` answers do not end by themselves.
    `quotes` shows files as they are written, with the references of others in them. `json` is
    sent instead of the form.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    make: Callable[[World, TestClient], Mapping[str, str]] | None = None
    query: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    answers: tuple[int, ...] = (200, 204, 303)
    own: bool = False
    endless: bool = False
    quotes: bool = False


def _number(name: str) -> Callable[[World, TestClient], Mapping[str, str]]:
    return lambda made, client: {"number": str(made.numbers[name])}


def _view(made: World, client: TestClient) -> Mapping[str, str]:
    """Save a view of the asker's own and give its number."""
    made.numbers["views"] = made.numbers.get("views", 0) + 1
    form = {
        "csrf_token": token(client), "name": f"View {made.numbers['views']}", "query": "",
        "shared": "no",
    }  # fmt: skip
    answer = client.post("/views", data=form)
    number = answer.headers.get("location", "").partition("view=")[2].partition("&")[0]
    return {"number": number or "1"}


def _doomed(made: World, client: TestClient) -> Mapping[str, str]:
    """Push an entity that may be deleted, and undo it where it was."""
    engine = made.runtime.engine
    given = read_entities([_service("doomed", "Doomed", "payments")])
    push = Push(source="walked-push", mode="full", documents=given)
    [result] = engine.pusher.push(push, Asker(by="system:walk", owner="system:walk")).results
    deletion = engine.deletions.get(EntityRef.parse(result.ref))
    if deletion is not None:
        engine.deletions.restore(deletion.uid)
    return {"namespace": "default", "kind": "component", "name": "doomed"}


NUMBER: Final = {"number": "999999"}
NOBODYS: Final = "00000000-0000-4000-8000-000000000000"
MISSING: Final = (404,)
"""There is no such thing: what is asked before it is looked for is what is walked here."""

ENTITY: Final = {"namespace": "default", "kind": "component", "name": "ledger"}
LATER: Final = "2026-01-01"
"""A past time, of which nothing is kept."""

_BASE: Final = "/catalog/{namespace}/{kind}/{name}"

SAMPLES: Final[Mapping[str, Sample]] = {
    "GET /api/catalog/entities/by-name/{kind}/{namespace}/{name}": Sample(
        params=ENTITY, quotes=True
    ),
    "GET /api/catalog/entities/by-name/{kind}/{namespace}/{name}/ancestry": Sample(
        params=ENTITY, quotes=True
    ),
    "GET /api/catalog/entities": Sample(quotes=True),
    "GET /api/catalog/entities/by-query": Sample(quotes=True),
    "GET /api/catalog/entities/by-uid/{uid}": Sample(params={"uid": "none"}, answers=MISSING),
    "GET /api/catalog/entity-facets": Sample(query="facet=kind"),
    "POST /api/catalog/entity-facets": Sample(json={"facets": ["metadata.name"]}),
    "POST /api/catalog/entities/by-query": Sample(json={}, quotes=True),
    "POST /api/catalog/entities/by-refs": Sample(
        json={"entityRefs": ["component:default/ledger", f"component:default/{HIDDEN}"]},
        quotes=True,
    ),
    "POST /api/catalog/refresh": Sample(
        json={"entityRef": f"component:default/{HIDDEN}"}, answers=(200, 404), quotes=True
    ),
    "POST /api/catalog/validate-entity": Sample(
        json={"entity": {}, "location": "url:https://example.com/x.yaml"}, answers=(400,)
    ),
    "GET /cards/{key}": Sample(params={"key": "nothing"}, answers=MISSING),
    "POST /me/home": Sample(form={"reset": "1"}),
    "GET /api/catalog/entities/by-name/{kind}/{namespace}/{name}/history": Sample(params=ENTITY),
    "GET /api/catalog/at/{time}/entities": Sample(params={"time": LATER}),
    "GET /api/catalog/at/{time}/differences": Sample(params={"time": LATER}),
    "GET /api/catalog/at/{time}/entities/by-name/{kind}/{namespace}/{name}": Sample(
        params={"time": LATER, **ENTITY}, answers=MISSING
    ),
    "GET /api/catalog/schemas/{kind}": Sample(params={"kind": "component"}),
    "GET /catalog/past/entity": Sample(query="at=2026-01-01&ref=component:default/ledger",
                                       answers=MISSING),
    "POST /catalog/display": Sample(form={"query": ""}),
    "POST /catalog/select": Sample(
        form={"query": "", "act": "star", "ref": "component:default/ledger"}
    ),
    "GET /catalog/export/{format}": Sample(params={"format": "csv"}),
    "POST /views": Sample(form={"name": "Another", "query": "", "shared": "no"}),
    "GET /views/{number:int}": Sample(make=_view),
    "POST /views/{number:int}": Sample(make=_view, form={"name": "Changed", "shared": "no"},
                                       answers=(303, 422)),
    "GET /views/{number:int}/open": Sample(make=_view),
    "POST /views/{number:int}/query": Sample(make=_view, form={"query": "type=service"}),
    "POST /views/{number:int}/delete": Sample(make=_view),
    "POST /views/{number:int}/restore": Sample(make=_view),
    "GET /badges/{namespace}/{kind}/{name}.svg": Sample(params=ENTITY),
    "GET /badges/{namespace}/{kind}/{name}/problems.svg": Sample(params=ENTITY),
    "GET /badges/sources/{name}.svg": Sample(params={"name": "test"}),
    f"GET {_BASE}/delete": Sample(params=ENTITY),
    f"POST {_BASE}/delete": Sample(params={**ENTITY, "name": "doomed"}, make=_doomed),
    "POST /deleted/{uid}/restore": Sample(params={"uid": "none"}, answers=MISSING),
    "POST /sources/{name}/remove": Sample(params={"name": "test"}, answers=MISSING),
    "PUT /api/catalog/entities": Sample(
        json={"source": "walked", "entities": [], "dryRun": True}
    ),
    "DELETE /api/catalog/entities/by-uid/{uid}": Sample(params={"uid": "none"}),
    "DELETE /api/catalog/push-sources/{name}": Sample(params={"name": "none"}, answers=MISSING),
    "POST /api/catalog/deleted/{uid}/restore": Sample(params={"uid": "none"}, answers=MISSING),
    "POST /me/stars": Sample(form={"ref": "component:default/ledger", "on": "1"}),
    "GET /problems/lines": Sample(
        query="source=test&path=0001.yaml&line=1", answers=(200, 404), quotes=True
    ),
    f"GET {_BASE}": Sample(params=ENTITY),
    f"GET {_BASE}/badge": Sample(params=ENTITY),
    f"GET {_BASE}/cards/{{key}}": Sample(params={**ENTITY, "key": "portal.about"}),
    f"GET {_BASE}/raw/download": Sample(params=ENTITY, quotes=True),
    f"GET {_BASE}/refresh": Sample(params=ENTITY),
    f"POST {_BASE}/refresh": Sample(params=ENTITY),
    f"GET {_BASE}/{{tab}}": Sample(params={**ENTITY, "tab": "relations"}),
    f"GET {_BASE}/{{tab}}/{{rest:path}}": Sample(
        params={**ENTITY, "tab": "relations", "rest": "nothing"}, answers=MISSING
    ),
    "GET /search": Sample(query="q=ledger"),
    "GET /search/palette": Sample(query="q=ledger"),
    # Registered locations
    "POST /api/catalog/locations": Sample(
        json={"type": "file", "target": "/etc/hostname"}, answers=(400,)
    ),
    "POST /api/catalog/locations/by-query": Sample(json={}),
    "POST /api/catalog/analyze-location": Sample(
        json={"location": {"type": "url", "target": "javascript:alert(1)"}}, answers=(400,)
    ),
    "GET /api/catalog/locations/by-entity/{kind}/{namespace}/{name}": Sample(
        params=ENTITY, answers=MISSING, quotes=True
    ),
    "GET /api/catalog/locations/{id}": Sample(params={"id": NOBODYS}, answers=MISSING),
    "PUT /api/catalog/locations/{id}": Sample(
        params={"id": NOBODYS}, json={"type": "url", "target": "https://x"}, answers=MISSING
    ),
    "DELETE /api/catalog/locations/{id}": Sample(params={"id": NOBODYS}, answers=MISSING),
    "POST /register": Sample(form={"url": "javascript:alert(1)"}, answers=(422,)),
    "POST /locations/{id}/remove": Sample(params={"id": "none"}, answers=MISSING),
    "GET /sources/{name}": Sample(params={"name": "test"}),
    "POST /sources/{name}/refresh": Sample(params={"name": "test"}),
    "POST /jobs/{plugin}/{name}/run": Sample(params={"plugin": "catalog", "name": "look"}),
    "POST /jobs/{number:int}/again": Sample(make=_number("run")),
    "POST /jobs/{number:int}/cancel": Sample(make=_number("run")),
    "GET /jobs/{number:int}": Sample(make=_number("run")),
    "POST /announcements/new": Sample(
        form={"status": "run", "title-en": "More works", "begins": "2026-11-20T22:00"}
    ),
    "GET /announcements/{number:int}": Sample(make=_number("announcement")),
    "POST /announcements/{number:int}": Sample(
        make=_number("announcement"),
        form={"status": "run", "title-en": "Works", "begins": "2026-11-20T22:00"},
    ),
    "POST /announcements/{number:int}/withdraw": Sample(make=_number("announcement")),
    "POST /announcements/{number:int}/restore": Sample(make=_number("announcement")),
    "POST /announcements/{number:int}/dismiss": Sample(make=_number("announcement")),
    "POST /me/visits": Sample(form={"path": "/teams", "title": "Teams"}),
    "POST /me/zone": Sample(form={"zone": "UTC"}),
    "GET /plugins/{name}": Sample(params={"name": "catalog"}),
    "GET /live": Sample(endless=True),
    "POST /hooks/{plugin}/{name}": Sample(
        params={"plugin": "none", "name": "none"}, answers=MISSING
    ),
    # Deliveries of other systems
    "GET /deliveries/{number:int}": Sample(params=NUMBER, answers=MISSING),
    "POST /deliveries/{number:int}/replay": Sample(params=NUMBER, answers=MISSING),
    "GET /deliveries/hooks/{plugin}/{name}": Sample(
        params={"plugin": "none", "name": "none"}, answers=MISSING
    ),
    "GET /api/deliveries/{number:int}": Sample(params=NUMBER, answers=MISSING),
    "POST /api/deliveries/{number:int}/replay": Sample(params=NUMBER, answers=MISSING),
    # One's own
    "GET /me/access": Sample(own=True),
    "GET /me/sessions": Sample(own=True),
    "POST /me/sessions/end": Sample(own=True),
    "POST /me/sessions/{number:int}/end": Sample(params=NUMBER, own=True, answers=MISSING),
    "POST /me/who": Sample(answers=(409,)),  # who signs in is known
    "GET /api/access/decision": Sample(own=True, query="permission=catalog.entity.read"),
    "POST /api/access/decisions": Sample(answers=(400, 401)),
    "GET /api/access/permissions": Sample(own=True),
    "DELETE /api/token": Sample(answers=(400,)),  # it was not asked by one
    # Signing in: nothing of it is switched on here
    "GET /sign-in/demo": Sample(answers=(403,)),
    "POST /sign-in/demo": Sample(answers=(403,)),
    "GET /sign-in/local": Sample(answers=MISSING),
    "POST /sign-in/local": Sample(answers=MISSING),
    "POST /sign-in/with/{provider}": Sample(params={"provider": "none"}, answers=MISSING),
    "GET /sign-in/callback/{provider}": Sample(params={"provider": "none"}, answers=MISSING),
    "GET /sign-out/frontchannel/{provider}": Sample(params={"provider": "none"}, answers=MISSING),
    "POST /sign-out/backchannel/{provider}": Sample(params={"provider": "none"}, answers=MISSING),
    # Sessions, sign-ins and tokens of others
    "POST /sessions/{number:int}/end": Sample(params=NUMBER, answers=MISSING),
    "POST /sessions/accounts/{number:int}": Sample(params=NUMBER, answers=(303, 404)),
    "GET /sign-ins/{number:int}": Sample(params=NUMBER, answers=MISSING),
    "POST /sign-ins/try": Sample(answers=(422,)),
    "POST /me/tokens/new": Sample(answers=(422,)),
    "GET /me/tokens/{number:int}/rotate": Sample(params=NUMBER, answers=MISSING),
    "POST /me/tokens/{number:int}/rotate": Sample(params=NUMBER, answers=MISSING),
    "POST /me/tokens/{number:int}/revoke": Sample(params=NUMBER, answers=MISSING),
    "POST /tokens/{number:int}/revoke": Sample(params=NUMBER, answers=MISSING),
    "GET /service-accounts/new": Sample(answers=(200, 403)),  # for those in a team
    "POST /service-accounts/new": Sample(answers=(422, 403)),
    **{
        f"{route}": Sample(params={"account": "none", **NUMBER}, answers=MISSING)
        for route in (
            "GET /service-accounts/{account}",
            "GET /service-accounts/{account}/edit",
            "POST /service-accounts/{account}/edit",
            "POST /service-accounts/{account}/close",
            "POST /service-accounts/{account}/open",
            "GET /service-accounts/{account}/tokens/new",
            "POST /service-accounts/{account}/tokens/new",
            "GET /service-accounts/{account}/tokens/{number:int}/rotate",
            "POST /service-accounts/{account}/tokens/{number:int}/rotate",
            "POST /service-accounts/{account}/tokens/{number:int}/revoke",
        )
    },
    # Roles and bindings
    "GET /access/role": Sample(query="name=viewer"),
    "POST /access/bindings/new": Sample(answers=(422,)),
    "GET /access/bindings/{number:int}": Sample(params=NUMBER, answers=MISSING),
    "POST /access/bindings/{number:int}": Sample(params=NUMBER, answers=(404, 422)),
    "POST /access/bindings/{number:int}/remove": Sample(params=NUMBER, answers=MISSING),
    "POST /access/roles/new": Sample(answers=(422,)),
    "GET /access/roles/edit": Sample(query="name=none", answers=MISSING),
    "POST /access/roles/edit": Sample(answers=(404, 422)),
    "POST /access/roles/remove": Sample(answers=MISSING),
    "POST /access/undo": Sample(answers=MISSING),
    # The audit log
    "GET /audit/{number:int}": Sample(params=NUMBER, answers=MISSING),
    "GET /audit/export/{format}": Sample(params={"format": "csv"}),
    # Plugins
    "GET /apis/try": Sample(answers=MISSING),
    "POST /apis/try": Sample(answers=MISSING),
    "POST /apis/compare": Sample(answers=(422,)),
    "GET /api/plugins/docs/files/{number}/{name}": Sample(
        params={"number": "1", "name": f"{40 * 'a'}.png"}, answers=MISSING
    ),
    "GET /api/plugins/docs/diagrams/{digest}/frame": Sample(params={"digest": "none"}),
    "GET /api/plugins/docs/diagrams/{digest}/{name}.js": Sample(
        params={"digest": "none", "name": "none"}, answers=MISSING
    ),
    "GET /static/{path:path}": Sample(params={"path": "none"}, answers=MISSING),
}  # fmt: skip
