"""Every hook, by the example of its docstring, loaded the way a plugin is."""

import inspect
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from callboard import contributions, hookimpl, hookspecs
from callboard.entities import Entity, EntityRef
from callboard.i18n import Translator
from callboard.identity import ANONYMOUS, NOBODY
from callboard.plugins import Guard, PluginError, PluginRecord, Plugins, PluginState

ENTITY = Entity(
    EntityRef.parse("component:default/orders"),
    {"kind": "Component", "metadata": {"name": "orders", "title": "Orders"}},
)


def load_example(hook: str, **functions: Any) -> Plugins:
    """Load a plugin named hello, made of a hook's example and the functions it speaks of."""
    code = inspect.cleandoc(getattr(hookspecs, hook).__doc__).partition("Example::")[2]
    module = ModuleType("callboard_hello")
    names = {name: getattr(contributions, name) for name in contributions.__all__}
    module.__dict__.update(
        names, BaseModel=BaseModel, Path=Path, _=Translator("hello"), hookimpl=hookimpl,
        timedelta=timedelta, __file__=__file__, **functions,
    )  # fmt: skip
    exec(textwrap.dedent(code.strip("\n")), module.__dict__)
    plugins = Plugins(Guard())
    record = PluginRecord(name="hello")
    plugins.add(record, module)
    plugins.finish()
    assert record.state is PluginState.LOADED, record.reason
    assert record.hooks == (hook,)
    return plugins


def only(found: Iterable[Any]) -> Any:
    (contributed,) = found
    assert contributed.plugin == "hello"
    return contributed


class FolderHost:
    """The part of a host that the lifecycle examples use."""

    def __init__(self, data: Path) -> None:
        self.data = data


def page_context(**more: Any) -> dict[str, Any]:
    return {"host": None, "principal": ANONYMOUS, "locale": "en", "time_zone": "UTC", **more}


def fragment(context: contributions.PageContext) -> contributions.Fragment:
    return contributions.Fragment(source="<p>Hello</p>")


# Lifecycle, settings, files


def test_callboard_startup(tmp_path: Path) -> None:
    plugins = load_example("callboard_startup")
    plugins.start(lambda _: FolderHost(tmp_path))  # type: ignore[arg-type, return-value]
    assert (tmp_path / "cache").is_dir()


def test_callboard_startup_that_raises_takes_the_plugin_out(tmp_path: Path) -> None:
    plugins = load_example("callboard_startup")
    plugins.start(lambda _: FolderHost(tmp_path / "missing"))  # type: ignore[arg-type, return-value]
    record = plugins.records["hello"]
    assert record.state is PluginState.FAILED
    assert "callboard_startup: FileNotFoundError" in record.reason


def test_callboard_shutdown(tmp_path: Path) -> None:
    plugins = load_example("callboard_shutdown")
    (tmp_path / "lock").touch()
    plugins.stop(lambda _: FolderHost(tmp_path))  # type: ignore[arg-type, return-value]
    assert not (tmp_path / "lock").exists()


def test_callboard_settings() -> None:
    model = load_example("callboard_settings").settings_models()["hello"]
    assert model().model_dump() == {"greeting": "Hello"}


@pytest.mark.parametrize("name", ["migrations", "templates", "translations"])
def test_hooks_that_name_a_directory(name: str) -> None:
    hook = f"callboard_{name}"
    folder = "locales" if name == "translations" else name
    expected = {"hello": Path(__file__).parent / folder}
    assert load_example(hook).directories(hook) == expected


def test_callboard_migrations() -> None:
    test_hooks_that_name_a_directory("migrations")


def test_callboard_templates() -> None:
    test_hooks_that_name_a_directory("templates")


def test_callboard_static() -> None:
    test_hooks_that_name_a_directory("static")


def test_callboard_translations() -> None:
    test_hooks_that_name_a_directory("translations")


# Pages


def test_callboard_navigation() -> None:
    item = only(load_example("callboard_navigation").contributions.navigation)
    assert (item.key, item.value.path, item.value.section) == ("hello.hello", "/hello/", "main")
    assert item.value.letter == "e"


def test_callboard_pages() -> None:
    plugins = load_example("callboard_pages", draw_page=fragment)
    page = only(plugins.contributions.pages)
    context = contributions.PageContext(**page_context())
    drawn = plugins.call(
        page, "page", lambda: page.value.render(context), expected=contributions.Fragment
    )
    assert drawn == contributions.Fragment(source="<p>Hello</p>")


def test_callboard_routes() -> None:
    from fastapi import APIRouter

    plugins = load_example(
        "callboard_routes", make_router=lambda host: APIRouter(), APIRouter=APIRouter
    )
    routes = only(plugins.contributions.routes)
    assert isinstance(routes.value.router(None), APIRouter)


def test_callboard_home_cards() -> None:
    plugins = load_example("callboard_home_cards", draw_greeting=fragment)
    card = only(plugins.contributions.home_cards)
    assert card.value.render(contributions.PageContext(**page_context())).source == "<p>Hello</p>"


def test_callboard_entity_cards() -> None:
    plugins = load_example("callboard_entity_cards", draw_card=fragment)
    card = only(plugins.contributions.entity_cards)
    assert card.value.applies(ENTITY)
    context = contributions.EntityContext(**page_context(entity=ENTITY))
    assert card.value.render(context) == fragment(context)


def test_callboard_entity_tabs() -> None:
    tab = only(load_example("callboard_entity_tabs", draw_tab=fragment).contributions.entity_tabs)
    assert (tab.key, str(tab.value.title)) == ("hello.hello", "Hello")


def test_callboard_entity_badges() -> None:
    given = contributions.Badge(status="warn", label="Stale")
    plugins = load_example("callboard_entity_badges", stale_badge=lambda context: given)
    badge = only(plugins.contributions.entity_badges)
    assert badge.value.render(None) == given


def test_callboard_catalog_columns() -> None:
    def visits(context: contributions.ColumnContext) -> dict[EntityRef, contributions.Cell]:
        return {entity.ref: contributions.Cell(text="3") for entity in context.entities}

    plugins = load_example("callboard_catalog_columns", visits_of=visits)
    column = only(plugins.contributions.catalog_columns)
    context = contributions.ColumnContext(**page_context(entities=[ENTITY]))
    assert column.value.values(context)[ENTITY.ref].text == "3"
    assert column.value.kinds == {"component"}


# Entities and search


def test_callboard_entity_sources() -> None:
    given = contributions.SourceDocument(path="orders", content="kind: Component")
    listed = contributions.SourceFile(path="a/catalog-info.yaml", version="1")
    plugins = load_example(
        "callboard_entity_sources",
        read_inventory=lambda context: [given],
        list_objects=lambda context: [listed],
        read_objects=lambda context, files: [(file.path, b"kind: API") for file in files],
    )
    context = contributions.SourceContext(host=None)  # type: ignore[arg-type]
    bucket, inventory = (item.value for item in plugins.contributions.entity_sources)
    assert isinstance(inventory, contributions.EntitySource)
    assert isinstance(bucket, contributions.FileSource)
    assert list(inventory.read(context)) == [given]
    assert list(bucket.read(context, list(bucket.list(context)))) == [(listed.path, b"kind: API")]
    assert inventory.every == bucket.every == timedelta(minutes=5)


def test_callboard_entity_processors() -> None:
    plugins = load_example(
        "callboard_entity_processors", add_label=lambda document, context: {**document, "x": 1}
    )
    processor = only(plugins.contributions.entity_processors)
    assert processor.value.process({"kind": "Component"}, None) == {"kind": "Component", "x": 1}


def test_callboard_kinds() -> None:
    kind, field = load_example("callboard_kinds").contributions.kinds
    assert isinstance(kind.value, contributions.Kind)
    assert isinstance(field.value, contributions.EntityField)
    assert (kind.key, kind.value.api_versions) == ("hello.Robot", ("example.com/v1",))
    assert (field.key, field.value.path) == ("hello.tier", "spec.tier")


def test_callboard_search_sources() -> None:
    given = contributions.SearchDocument(key="1", title="Restart", path="/hello/1")
    plugins = load_example("callboard_search_sources", read_runbooks=lambda host: [given])
    source = only(plugins.contributions.search_sources)
    assert list(source.value.read(None)) == [given]


def test_callboard_acts() -> None:
    act = only(load_example("callboard_acts").contributions.acts)
    assert (act.key, act.value.path) == ("hello.greet", "/hello/change")


def test_callboard_waiting() -> None:
    item = contributions.WaitingItem(status="wait", title="Vote on 1.4", path="/hello/1")
    plugins = load_example("callboard_waiting", reviews_for=lambda context: [item])
    waiting = only(plugins.contributions.waiting)
    assert waiting.value.read(contributions.PageContext(**page_context())) == [item]


def test_callboard_page_notes() -> None:
    note = only(load_example("callboard_page_notes").contributions.page_notes)
    assert note.key == "hello.practice"
    assert note.value.title.text == "This portal is for practice."


def test_callboard_demo_parts(tmp_path: Path) -> None:
    def write_greeting(context: contributions.DemoContext) -> dict[str, Any]:
        (context.folder / "greeting").write_text("Hello", encoding="utf-8")
        return {"portal": {"title": "Hello"}}

    plugins = load_example("callboard_demo_parts", write_greeting=write_greeting)
    part = only(plugins.contributions.demo_parts)
    context = contributions.DemoContext(
        folder=tmp_path, repositories={}, made_at=datetime.now(UTC), now=datetime.now(UTC)
    )
    assert part.key == "hello.greeting"
    assert part.value.prepare(context) == {"portal": {"title": "Hello"}}


def test_callboard_activity() -> None:
    def describe(context: contributions.ActivityContext) -> dict[int, contributions.ActivityItem]:
        return {event.id: contributions.ActivityItem(text="Hello") for event in context.events}

    activity = only(
        load_example("callboard_activity", describe=describe).contributions.activity
    ).value
    event = contributions.Event(
        id=7, kind="hello.said", subject="", data={}, at=datetime.now(UTC), actor="system:hello"
    )
    context = contributions.ActivityContext(**page_context(), events=[event])
    assert activity.kinds == ("hello.",)
    assert activity.describe(context)[7].text == "Hello"


# Work


def test_callboard_jobs() -> None:
    runs: list[Any] = []
    plugins = load_example("callboard_jobs", collect=runs.append)
    job = only(plugins.contributions.jobs)
    job.value.run("context")
    assert runs == ["context"]
    assert (job.value.every, job.value.attempts) == (timedelta(hours=1), 3)


def test_callboard_event_handlers() -> None:
    seen: list[contributions.Event] = []
    plugins = load_example(
        "callboard_event_handlers", count=lambda context: seen.extend(context.events)
    )
    handler = only(plugins.contributions.event_handlers)
    event = contributions.Event(
        id=1, kind="catalog.entity.created", subject="component:default/orders", data={},
        at=datetime(2026, 3, 2, tzinfo=UTC), actor="system:callboard",
    )  # fmt: skip
    handler.value.handle(contributions.EventContext(host=None, events=[event]))  # type: ignore[arg-type]
    assert seen == [event]
    assert handler.value.kinds == ("catalog.entity.",)


def test_callboard_webhooks() -> None:
    received = []
    plugins = load_example(
        "callboard_webhooks",
        is_signed=lambda request: request.headers.get("x-signature") == "good",
        on_push=lambda request: received.append(request.body),
    )
    webhook = only(plugins.contributions.webhooks)
    request = contributions.WebhookRequest(
        host=None,  # type: ignore[arg-type]
        headers={"x-signature": "good"},
        query={},
        body=b"{}",
    )
    assert webhook.value.verify(request)
    webhook.value.handle(request)
    assert received == [b"{}"]


def test_callboard_permissions() -> None:
    permission = only(load_example("callboard_permissions").contributions.permissions)
    assert permission.key == "hello.hello.greeting.change"


def test_callboard_deciders() -> None:
    def freeze(request: contributions.DecisionRequest, host: object) -> contributions.Verdict:
        return contributions.Verdict(effect="deny", reason="The year is closing.")

    decider = only(load_example("callboard_deciders", freeze=freeze).contributions.deciders)
    request = contributions.DecisionRequest(subject=NOBODY, permission="cd.release.start")
    assert decider.value.permissions == ("cd.*",)
    assert decider.value.decide(request, None).effect == "deny"
    assert decider.value.entities is None


def test_callboard_metrics() -> None:
    plugins = load_example(
        "callboard_metrics", count_visits=lambda host: [contributions.Sample(value=3)]
    )
    metric = only(plugins.contributions.metrics)
    assert [sample.value for sample in metric.value.read(None)] == [3]


def test_callboard_checks() -> None:
    from callboard.doctor import Check, Finding, contributed_checks, examine

    def look_at_servers(host: str) -> list[Check]:
        return [Check("Server a", lambda: [Finding("ok", f"{host} a answers.")])]

    found = load_example("callboard_checks", look_at_servers=look_at_servers).contributions.checks
    checks = contributed_checks(found, lambda plugin: f"{plugin}'s")  # type: ignore[arg-type, return-value]
    assert [(item.status, item.title) for item in examine(checks)] == [("ok", "hello's a answers.")]


def test_callboard_commands() -> None:
    import typer

    loaded: list[str] = []

    def load_commands() -> typer.Typer:
        loaded.append("once")
        return typer.Typer()

    command = only(
        load_example("callboard_commands", load_commands=load_commands).contributions.commands
    )
    assert loaded == []
    assert isinstance(command.value.load(), typer.Typer)


# What holds for all of them


def test_a_hook_that_gives_the_wrong_type_fails_its_plugin_alone() -> None:
    module = ModuleType("callboard_bad")

    @hookimpl
    def callboard_jobs() -> list[str]:
        return ["collect"]

    vars(module)["callboard_jobs"] = callboard_jobs
    plugins = load_example("callboard_kinds")
    record = PluginRecord(name="bad")
    plugins.add(record, module)
    plugins.finish()
    assert record.state is PluginState.FAILED
    assert record.reason == "TypeError: callboard_jobs gave str, expected Job."
    assert [item.value.name for item in plugins.contributions.kinds] == ["Robot", "tier"]


def test_a_hook_with_a_misspelt_name_fails_its_plugin() -> None:
    module = ModuleType("callboard_bad")

    @hookimpl
    def callboard_job() -> None:
        return None

    vars(module)["callboard_job"] = callboard_job
    plugins = Plugins(Guard())
    record = PluginRecord(name="bad")
    plugins.add(record, module)
    assert record.state is PluginState.FAILED
    assert "callboard_job is not a hook" in record.reason


def test_code_of_a_contribution_that_raises_is_an_error_of_its_plugin() -> None:
    def broken(context: contributions.PageContext) -> contributions.Fragment:
        raise ValueError("no greeting today")

    plugins = load_example("callboard_home_cards", draw_greeting=broken)
    card = only(plugins.contributions.home_cards)
    result = plugins.call(card, "home card", lambda: card.value.render(None), expected=object)
    assert isinstance(result, PluginError)
    assert (result.plugin, result.kind) == ("hello", "raised")
    assert plugins.records["hello"].errors == 1


def test_callboard_cluster_watches() -> None:
    from callboard.kubernetes import Resource

    runs = Resource("tekton.dev", "v1", "pipelineruns", "PipelineRun")
    told: list[str] = []
    given = {"PIPELINE_RUNS": runs, "keep_runs": told.append}
    loaded = load_example("callboard_cluster_watches", **given)
    watch = only(loaded.contributions.cluster_watches).value
    assert watch.resource.key == "pipelineruns.tekton.dev"
    watch.changed("context")
    assert told == ["context"]


def test_callboard_cluster_rules() -> None:
    from callboard.kubernetes.manifests import Manifests

    rules = load_example("callboard_cluster_rules").contributions.cluster_rules
    text = Manifests("callboard", "portal").write(rules)
    assert "# hello, read: Shows runs." in text
    assert 'resources: ["pipelineruns"]' in text


def test_callboard_code_hosts() -> None:
    from callboard.repositories.hosts import host_of

    class Forge:
        def __init__(self, web: str) -> None:
            self.web = web

    given = [Forge("https://git.example.org"), Forge("https://git.example.org/forge")]
    loaded = load_example("callboard_code_hosts", make_hosts=lambda host: given)
    hosts: Any = only(loaded.contributions.code_hosts).value.hosts(None)
    assert host_of(hosts, "https://git.example.org/shop/orders.git") is given[0]
    assert host_of(hosts, "https://git.example.org/forge/shop/orders") is given[1]
    assert host_of(hosts, "git@git.example.org:shop/orders.git") is given[0]
    assert host_of(hosts, "https://git.example.com/shop/orders.git") is None


def test_callboard_delivery_follows() -> None:
    given = contributions.DeliveryFollow(status="ok", text="Run 7", path="/hello/7")
    plugins = load_example("callboard_delivery_follows", runs_of_delivery=lambda context: [given])
    follows = only(plugins.contributions.delivery_follows).value
    context = contributions.DeliveryContext(number=7, **page_context())
    assert follows.read(context) == [given]
