"""The page that compares the definition of an API with a text, a version, or another API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select

from callboard.contributions import FormContext, Fragment, PageContext
from callboard.entities import EntityRef
from callboard.errors import CallboardError
from callboard.i18n import Text, Translator
from callboard_apis import queries, words
from callboard_apis.changes import Change, compare
from callboard_apis.documents import DocumentFaultError
from callboard_apis.keeping import load_text
from callboard_apis.models import api
from callboard_apis.preparing import format_of
from callboard_apis.views import STYLES

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("apis")

LARGEST: Final = 4_000_000
"""Characters of both texts together that are compared while somebody waits."""

LARGEST_GRAPHQL: Final = 800_000
LISTED: Final = 300
FIELDS: Final = ("api", "version", "other", "text")


@dataclass(frozen=True, slots=True)
class _Side:
    name: Text
    type: str
    text: str


class _FormFaultError(Exception):
    """Something that was typed cannot be used; `field` is where."""

    def __init__(self, field: str, message: Text) -> None:
        super().__init__(str(message))
        self.field = field
        self.message = message


def draw_compare(context: PageContext) -> Fragment:
    """The form, with the API that the address names."""
    given = {name: context.query.get(name, "").strip()[:500] for name in FIELDS}
    return _page(context, given, {}, None, None)


def submit_compare(context: FormContext) -> Fragment:
    """What changed, above the form with all that was typed; nothing is kept.

    Where something cannot be compared, the form is rejected with the reason.
    """
    given = {name: (context.form.get(name) or ("",))[0] for name in FIELDS}
    given = {name: value if name == "text" else value.strip() for name, value in given.items()}
    backwards = (context.form.get("order") or ("",))[0] == "older"
    faults: dict[str, Text] = {}
    changes: list[Change] | None = None
    sides: tuple[_Side, _Side] | None = None
    try:
        old, new = _stored(context.host, given["api"]), _other(context.host, given)
        sides = (new, old) if backwards else (old, new)
        changes = _compared(*sides)
    except _FormFaultError as error:
        faults[error.field] = error.message
        sides = None
    return _page(context, {**given, "order": "older" if backwards else ""}, faults, changes, sides)


def _page(
    context: PageContext,
    given: Mapping[str, str],
    faults: Mapping[str, Text],
    changes: list[Change] | None,
    sides: tuple[_Side, _Side] | None,
) -> Fragment:
    with context.host.read() as connection:
        listed = connection.execute(
            select(api.c.ref, api.c.title)
            .where(context.host.catalog.seen(api.c.ref))
            .order_by(api.c.title)
            .limit(LISTED)
        ).all()
        ref = _parsed(given["api"])
        known = _shown(context.host, connection, ref)
        versions = queries.load_versions(connection, known.api.ref) if known else ()
    return Fragment(
        template="apis/compare.html",
        context={
            "given": given,
            "faults": faults,
            "changes": changes,
            "sides": sides,
            "listed": listed,
            "versions": versions,
            "ref": ref,
            "w": words,
        },
        styles=STYLES,
        rejected=bool(faults),
    )


def _parsed(text: str) -> EntityRef | None:
    try:
        return EntityRef.parse(text, default_kind="api") if text else None
    except CallboardError:
        return None


def _shown(host: "Host", connection: Connection, ref: EntityRef | None) -> queries.Shown | None:
    """Give what is known of an API, if there is one that the reader may see."""
    if ref is None or ref not in host.catalog.visible([ref]):
        return None
    return queries.load_api(connection, str(ref))


def _stored(host: "Host", text: str, field: str = "api") -> _Side:
    ref = _parsed(text)
    if ref is None:
        raise _FormFaultError(field, _("Name an API, such as api:default/orders."))
    with host.read() as connection:
        shown = _shown(host, connection, ref)
        if shown is None or shown.definition is None:
            raise _FormFaultError(field, _("There is no such API, or it is still being prepared."))
        content = load_text(connection, shown.definition.id)
    return _Side(shown.api.title, shown.api.type, content)


def _other(host: "Host", given: Mapping[str, str]) -> _Side:
    """Give what to compare with: a text before a version before another API."""
    if given["text"].strip():
        with host.read() as connection:
            shown = _shown(host, connection, _parsed(given["api"]))
        return _Side(_("the text below"), shown.api.type if shown else "", given["text"])
    if given["version"]:
        return _version(host, given)
    if given["other"]:
        return _stored(host, given["other"], "other")
    raise _FormFaultError("text", _("Paste a text, or choose a version or another API."))


def _version(host: "Host", given: Mapping[str, str]) -> _Side:
    number = given["version"]
    known = number.isascii() and number.isdecimal() and len(number) < 10
    with host.read() as connection:
        shown = _shown(host, connection, _parsed(given["api"]))
        row = (
            queries.load_version(connection, shown.api.ref, int(number))
            if known and shown
            else None
        )
        if row is None or shown is None:
            raise _FormFaultError("version", _("There is no such version of this API."))
        text = load_text(connection, row.definition_id)
    return _Side(_("version %(name)s", name=row.version or "–"), shown.api.type, text)


def _compared(old: _Side, new: _Side) -> list[Change]:
    formats = format_of(old.type, old.text), format_of(new.type, new.text)
    if formats[0] != formats[1]:
        shown = [words.FORMATS.get(one, one) for one in formats]
        message = _("One is %(old)s, the other %(new)s.", old=shown[0], new=shown[1])
        raise _FormFaultError("text", message)
    limit = LARGEST_GRAPHQL if formats[0] == "graphql" else LARGEST
    if len(old.text) + len(new.text) > limit:
        message = _("Together they are larger than %(limit)s kB.", limit=limit // 1000)
        raise _FormFaultError("text", message)
    try:
        found = compare(formats[0], old.text, new.text)
    except DocumentFaultError as error:
        message = _(
            "One of them cannot be read, line %(line)s: %(reason)s",
            line=error.line,
            reason=error.message,
        )
        raise _FormFaultError("text", message) from error
    if found is None:
        raise _FormFaultError("text", _("Definitions of this type are shown as text only."))
    return found
