"""The pages of the library."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from callboard.contributions import FormContext, Fragment, PageContext, Status
from callboard.errors import CallboardError, InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard_ci_tekton.crumbs import LIBRARY, PIPELINES
from callboard_ci_tekton.library.highlighting import highlighted
from callboard_ci_tekton.library.installed import load_installed
from callboard_ci_tekton.library.installing import (
    BLOCKED,
    INSTALL,
    KEPT,
    BlockedError,
    Planned,
    install,
    plan,
)
from callboard_ci_tekton.library.items import VERSION, Item, load_items, with_needs
from callboard_ci_tekton.library.settings import REGISTRY
from callboard_ci_tekton.library.texts import said, shown

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

STANDINGS: Final[Mapping[str, tuple[Status, Text]]] = {
    "current": ("ok", _("Up to date")),
    "settings": ("warn", _("With other images")),
    "older": ("warn", _("Older")),
    "newer": ("unknown", _("Newer")),
    "foreign": ("unknown", _("Not of this library")),
}
STEPS: Final[Mapping[str, tuple[Status, Text]]] = {
    "new": ("todo", _("Is created")),
    "same": ("ok", _("Stays as it is")),
    "upgrade": ("todo", _("Is upgraded")),
    "change": ("todo", _("Is changed")),
    "downgrade": ("warn", _("Goes back to an older version")),
    "foreign": ("warn", _("Is not of this library")),
    "conflict": ("warn", _("Is managed by others")),
    "refused": ("bad", _("Is refused")),
    "left": ("skip", _("Is left to you: apply its file")),
}
ENDS: Final[Mapping[str, tuple[Status, Text]]] = {
    **STEPS,
    "new": ("ok", _.context("object", "Created")),
    "same": ("ok", _("As it was")),
    "upgrade": ("ok", _("Upgraded")),
    "change": ("ok", _("Changed")),
    "downgrade": ("ok", _("Set back to an older version")),
    "foreign": ("ok", _("Taken over")),
    "conflict": ("ok", _("Taken over")),
}
KINDS: Final[Mapping[str, Text]] = {
    "Pipeline": _("Pipelines"),
    "Task": _("Tasks"),
    "ServiceAccount": _("Service account"),
}
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_STYLES: Final = ("ci_tekton/library.css",)


def draw_library(context: PageContext) -> Fragment:
    """All objects of the library, and where they are installed."""
    found = load_items(context.host.settings.library)
    places: dict[str, list[Any]] = {}
    may_install = context.host.allows(INSTALL)
    if may_install:
        with context.host.read() as connection:
            for each in load_installed(context.host.clusters, connection, found):
                places.setdefault(each.name, []).append(each)
    groups = [(title, [item for item in found.values() if item.kind == kind])
              for kind, title in KINDS.items()]  # fmt: skip
    return Fragment(
        template="ci_tekton/library.html",
        crumbs=(PIPELINES,),
        styles=_STYLES,
        context={
            "groups": groups, "places": places, "may_install": may_install, "version": VERSION,
            "unset": context.host.settings.library.registry == REGISTRY,
            "said": partial(said, locale=context.locale), "standings": STANDINGS,
            "shown": partial(shown, locale=context.locale),
        },
    )  # fmt: skip


def draw_item(context: PageContext) -> Fragment:
    """One object: its parameters, what it needs, its file, and where it is installed."""
    return _item_page(context, {name: context.query.get(name, "")[:300] for name in _FIELDS})


_FIELDS: Final = ("cluster", "namespace")


def submit_item(context: FormContext) -> Fragment:
    """Look at what installing would do; or install."""
    context.host.require(INSTALL)
    form = {name: (values or ("",))[0].strip()[:300] for name, values in context.form.items()}
    given = {name: form.get(name, "") for name in _FIELDS}
    _found, items = _wanted(context)
    try:
        _check(context.host, given)
        if form.get("step") != "install":
            return _item_page(context, given, planned=plan(context.host, **given, items=items))
        take_over = bool(form.get("take_over"))
        done = install(context.host, **given, items=items, take_over=take_over)
    except NotFoundError:
        raise
    except BlockedError as error:
        return _item_page(context, given, planned=error.planned, fault=error.message)
    except CallboardError as error:
        fault: dict[str, Any] = {"fault": error.message, "hint": error.hint}
        return _item_page(context, given, **fault)
    return _item_page(context, given, done=done)


def _check(host: "Host", given: Mapping[str, str]) -> None:
    if given["cluster"] not in host.clusters.names():
        raise InputError(_("Choose a cluster."))
    if not _NAMESPACE.fullmatch(given["namespace"]):
        raise InputError(
            _("A namespace has small letters, digits and hyphens, 63 at most."),
            hint=_("It must exist already."),
        )


def _wanted(context: PageContext) -> tuple[Item, list[Item]]:
    found = load_items(context.host.settings.library)
    item = found.get(context.path.get("name", ""))
    if item is None:
        raise NotFoundError(_("The library has no %(name)s.", name=context.path["name"][:100]))
    return item, with_needs(found, item)


def _item_page(
    context: PageContext,
    given: Mapping[str, str],
    *,
    planned: Sequence[Planned] = (),
    done: Sequence[Planned] = (),
    fault: Text = "",
    hint: Text = "",
) -> Fragment:
    item, items = _wanted(context)
    may_install = context.host.allows(INSTALL)
    with context.host.read() as connection:
        states = context.host.clusters.states(connection) if may_install else ()
        places = (
            load_installed(context.host.clusters, connection, {item.name: item})
            if may_install
            else ()
        )
    spoken = partial(said, locale=context.locale)
    return Fragment(
        template="ci_tekton/library_item.html",
        title=spoken(item.title),
        crumbs=(PIPELINES, LIBRARY),
        styles=_STYLES,
        rejected=bool(fault),
        context={
            "item": item, "source": highlighted(item.text), "said": spoken, "version": VERSION,
            "shown": partial(shown, locale=context.locale),
            "needed": [each for each in items if each.name != item.name],
            "may_install": may_install, "clusters": states, "places": places, "given": given,
            "planned": planned, "done": done, "fault": fault, "hint": hint,
            "steps": STEPS, "ends": ENDS, "standings": STANDINGS,
            "writes": [each for each in planned if each.step not in KEPT],
            "blocked": any(each.step in BLOCKED for each in planned),
            "refused": any(each.step == "refused" for each in planned),
        },
    )  # fmt: skip
