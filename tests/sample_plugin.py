"""A plugin that fills every slot of the portal, well and badly, for its tests."""

import time
from collections.abc import Iterable

from fastapi import APIRouter

from callboard import hookimpl
from callboard.contributions import (
    Badge,
    CatalogColumn,
    Cell,
    ColumnContext,
    EntityBadge,
    EntityCard,
    EntityContext,
    EntityTab,
    FormContext,
    Fragment,
    HomeCard,
    Metric,
    Page,
    PageContext,
    Routes,
    Sample,
    TabNote,
    Webhook,
    WebhookRequest,
)
from callboard.host import Host

received: list[bytes] = []


def _raise(context: object) -> Fragment:
    raise RuntimeError("the card is broken")


def _hang(context: object) -> Fragment:
    time.sleep(0.45)
    return Fragment(source="too late")


def _markup(context: EntityContext) -> Fragment:
    source = "<p id='good'>{{ _('Owner') }} {{ name }} {{ at|ago }}</p>"
    return Fragment(source=source, context={"name": "<i>", "at": context.host.now()})


@hookimpl
def callboard_entity_cards() -> Iterable[EntityCard]:
    return [
        EntityCard(name="good", title="Good", render=_markup),
        EntityCard(name="raising", title="Raising", render=_raise),
        EntityCard(name="slow", title="Slow", render=_hang),
        EntityCard(name="wrong", title="Wrong", render=lambda context: "text"),  # type: ignore[arg-type, return-value]
        EntityCard(
            name="template", title="Template", render=lambda context: Fragment(source="{{ nope }}")
        ),
        EntityCard(name="nothing", title="Nothing", render=lambda context: None),
    ]


@hookimpl
def callboard_entity_tabs() -> Iterable[EntityTab]:
    return [
        EntityTab(
            name="extra",
            title="Extra",
            render=lambda context: Fragment(source="<p>Extra.</p>"),
            note=lambda context: TabNote(count=7, status="bad", words="<7 findings>"),
        ),
        EntityTab(name="relations", title="My relations", render=_raise, note=_raise),  # type: ignore[arg-type]
        EntityTab(name="unsure", title="Unsure", render=_raise, applies=_raise),  # type: ignore[arg-type]
    ]


@hookimpl
def callboard_entity_badges() -> Iterable[EntityBadge]:
    return [
        EntityBadge(name="stale", render=lambda context: Badge(status="warn", label="Stale")),
        EntityBadge(name="broken", render=_raise),  # type: ignore[arg-type]
    ]


@hookimpl
def callboard_catalog_columns() -> Iterable[CatalogColumn]:
    def visits(context: ColumnContext) -> dict[object, Cell]:
        return {entity.ref: Cell(text="7 visits", status="ok") for entity in context.entities}

    return [
        CatalogColumn(name="visits", title="Visits", values=visits),  # type: ignore[arg-type]
        CatalogColumn(name="raising", title="Raising", values=_raise),  # type: ignore[arg-type]
        CatalogColumn(
            name="wrong", title="Wrong cells",
            values=lambda context: {entity.ref: 7 for entity in context.entities},  # type: ignore[misc]
        ),
    ]  # fmt: skip


@hookimpl
def callboard_home_cards() -> Iterable[HomeCard]:
    return [
        HomeCard(name="hello", title="Hello", render=lambda context: Fragment(source="Hello.")),
        HomeCard(name="raising", title="Raising", render=_raise),
    ]


def _page(context: PageContext) -> Fragment | None:
    if context.path.get("name") == "none":
        return None
    return Fragment(source="<h1>Page of {{ name }}</h1>", context={"name": context.path["name"]})


def _form(context: PageContext) -> Fragment:
    return Fragment(source='<form method="post">{{ form_token() }}</form>')


def _submit(context: FormContext) -> Fragment | None:
    if "nothing" in context.form:
        return None
    source = "<p>Sent: {{ form|dictsort }}</p>{{ form_token() }}"
    return Fragment(source=source, context={"form": context.form}, title="Sent")


@hookimpl
def callboard_pages() -> Iterable[Page]:
    return [
        Page(name="form", title="Form", path="form/{name}", render=_form, submit=_submit),
        Page(name="one", title="One", path="things/{name}", render=_page),
        Page(name="bad", title="Bad", path="", render=_raise),
    ]


def _router(host: Host) -> APIRouter:
    router = APIRouter()

    @router.get("/count")
    def count(step: int = 1) -> dict[str, int]:
        return {"count": step}

    @router.post("/change")
    def change() -> dict[str, bool]:
        return {"changed": True}

    return router


@hookimpl
def callboard_routes() -> Iterable[Routes]:
    return [Routes(router=_router)]


def _receive(request: WebhookRequest) -> None:
    received.append(request.body)


@hookimpl
def callboard_webhooks() -> Iterable[Webhook]:
    def verify(request: WebhookRequest) -> bool:
        return request.headers.get("x-signature") == "right"

    return [Webhook(name="push", title="Push", verify=verify, handle=_receive)]


@hookimpl
def callboard_metrics() -> Iterable[Metric]:
    return [
        Metric(name="visits", help="Visits.", read=lambda host: [Sample(value=7)]),
        Metric(name="broken", help="Broken.", read=_raise),  # type: ignore[arg-type]
    ]
