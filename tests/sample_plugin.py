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
    Crumb,
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
    SeeOther,
    TabNote,
    Webhook,
    WebhookAddress,
    WebhookOutcome,
    WebhookRequest,
)
from callboard.errors import ConflictError, NotAllowedError
from callboard.host import Host
from callboard.i18n import Text

received: list[bytes] = []
nameless: list[bool] = []
"""While this holds something, the plugin fails to name its webhooks."""


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
    if context.path.get("name") == "secret":
        raise NotAllowedError("This is not for you.")
    name = context.path["name"]
    return Fragment(
        source="<h1>Page of {{ name }}</h1>",
        context={"name": name},
        title=name,
        crumbs=(Crumb("All <things>", f"{'' if name == 'astray' else '/'}sample/"),),
    )


def _form(context: PageContext) -> Fragment:
    return Fragment(source='<form method="post">{{ form_token() }}</form>')


def _submit(context: FormContext) -> Fragment | SeeOther | None:
    if "nothing" in context.form:
        return None
    if "taken" in context.form:
        raise ConflictError("Somebody was faster.")
    if "wrong" in context.form:
        return Fragment(source="<p>That is wrong.</p>", rejected=True)
    if "to" in context.form:
        return SeeOther(path=context.form["to"][0], told="It is done.")
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

    return [
        Webhook(name="push", title="Push", verify=verify, handle=_receive),
        Webhook(
            name="told",
            title="Told",
            verify=_judge,
            handle=_tell,
            event=lambda request: request.query.get("event", ""),
            addresses=_addresses,
            attempts=2,
        ),
    ]


def _addresses(host: Host) -> Iterable[WebhookAddress]:
    if nameless:
        raise RuntimeError("it cannot say")
    return [
        WebhookAddress(name="one", title="One", secret="sample.one", guide="Type it in."),
        WebhookAddress(name="two", title="Two"),
    ]


def _judge(request: WebhookRequest) -> bool | Text:
    if request.body == b"broken":
        raise RuntimeError("it cannot be checked")
    given = request.headers.get("x-signature", "")
    if not given:
        return "It bears no signature."
    return given == f"right for {request.address}"


def _tell(request: WebhookRequest) -> WebhookOutcome | Text | None:
    received.append(request.body)
    if request.body.startswith(b"fail"):
        raise RuntimeError("the branch token=abcdef0123456789 is gone")
    if request.body == b"nothing":
        return None
    return WebhookOutcome(
        text=f"{request.delivery} for {request.address}",
        repository="https://git.example.org/shop/orders.git",
        links=(
            ("The catalog", "/catalog"),
            ("Elsewhere", "//evil.example"),
            ("Bad", "javascript:x"),
        ),
    )


@hookimpl
def callboard_metrics() -> Iterable[Metric]:
    return [
        Metric(name="visits", help="Visits.", read=lambda host: [Sample(value=7)]),
        Metric(name="broken", help="Broken.", read=_raise),  # type: ignore[arg-type]
    ]
