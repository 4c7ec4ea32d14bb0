"""Pages, the navigation and cards of the home page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from callboard.entities import EntityRef
from callboard.i18n import Text
from callboard.identity import Principal

if TYPE_CHECKING:
    from callboard.host import Host

Width = Literal[3, 4, 5, 6, 7, 8, 12]
"""How many of the twelve columns of the page a card takes on a wide screen."""

Status = Literal["ok", "run", "wait", "pause", "warn", "bad", "block", "unknown", "skip", "todo"]
"""The one status vocabulary of the product; each state has its own mark and colour."""


@dataclass(frozen=True, slots=True)
class Crumb:
    """One step of the way to a page: its title, and its path in the portal."""

    title: Text
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of a page: a template of the plugin, or its source, and what it is filled with.

    `template` is `<plugin>/<file>.html` below a directory given by `callboard_templates`;
    `source` is Jinja text for a plugin of one file. Both are auto-escaped.

    `styles` and `scripts` name files of the directory given by `callboard_static`, as
    `<plugin>/<file>`, which the piece needs. Scripts are loaded as ES modules, once for each page
    whatever number of pieces names them; pieces that come later announce themselves by the event
    `htmx:load`. `title` takes the place of the contribution's own where a page or a tab shows
    one thing of many. With `rejected` the form that was sent is not taken, and shown again with
    what is wrong: the answer has status 422. Only what `Page.submit` gives can be that.

    `crumbs` are the pages above a page, the outermost first; the page's own title is put after
    them. They stand at the top of the window.
    """

    template: str = ""
    source: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    title: Text = ""
    rejected: bool = False
    crumbs: tuple[Crumb, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeeOther:
    """The answer to a form that was taken: the browser goes on to another page of the portal.

    Loading that page anew sends nothing again (RFC 9110, 15.4.4). `path` begins with a slash and
    may have a query; `told` says there once what was done, in at most 500 characters. Raises
    `ValueError` for an address outside of the portal.
    """

    path: str
    told: Text = ""

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or self.path.startswith(("//", "/\\")):
            raise ValueError(f"{self.path!r} is no path of the portal, expected one like /shop/.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What drawing code is told about the request.

    `mine` are the reader's own User entity and the groups above it, the nearest first: what they
    own is the reader's. It is empty for a reader of whom the portal does not know who they are.
    """

    host: "Host"
    principal: Principal
    locale: str
    time_zone: str
    mine: tuple[EntityRef, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormContext(PageContext):
    """A form that was sent to a page: each field with its values, without the portal's token."""

    form: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A link in the sidebar. `section` is `main`, `deliver`, `assure` or `administer`.

    `letter` opens the page after the key `g`. Where it is taken by a link above, or none is asked
    for, the first letter of `name` that is free is taken.
    """

    name: str
    title: Text
    path: str
    icon: str = "plug"
    section: Literal["main", "deliver", "assure", "administer"] = "main"
    order: int = 100
    permission: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole page in the portal's shell, at `/<plugin>/<path>` (`{name}` parts become `path`).

    `permission` is who may open it: one about entities lets those in who have it for any, so the
    page asks again, by `host.require`, with the entity it finds. Without one it is for those who
    may see any entity.

    A page with `submit` takes forms that are sent to its address by POST, of at most 1 MiB, and
    answers them with what `submit` gives: another page to go to where something was done, a
    fragment that is `rejected` where something is wrong, any other where the answer is all there
    is to see. It may take as long as 30 seconds, unlike what draws.
    What either raises of `callboard.errors` with a status below 500, such as `NotFoundError`, is
    the answer: its words on a page of that status.
    Templates put `{{ form_token() }}` into each such form.
    """

    name: str
    title: Text
    path: str
    render: Callable[[PageContext], Fragment | None]
    permission: str = ""
    submit: Callable[[FormContext], Fragment | SeeOther | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeCard:
    """A card on the home page. `render` gives None where there is nothing to show."""

    name: str
    title: Text
    render: Callable[[PageContext], Fragment | None]
    width: Width = 6
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingItem:
    """One thing that waits for a person: what, why, since when, and the verb that moves it on."""

    status: Status
    title: Text
    path: str
    why: Text = ""
    verb: Text = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Tells what waits for the reader, for the top of the home page; the worst first."""

    name: str
    title: Text
    read: Callable[[PageContext], Sequence[WaitingItem]]
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageNote:
    """A sentence at the top of every page, for all who see pages, signed in or not.

    It is for what is true of the whole portal and must not be overlooked, such as that what it
    shows is no real thing; what comes and goes is an announcement. `applies` says by the settings
    at hand, once in each process, whether it is shown; None means that it is.
    """

    name: str
    title: Text
    text: Text = ""
    status: Status = "warn"
    applies: Callable[["Host"], bool] | None = None
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something a person can do from the command palette: it leads to the page that does it.

    `words` are further words it is found by, such as other names of the same thing.
    """

    name: str
    title: Text
    path: str
    icon: str = "right"
    words: Text = ""
    order: int = 100
    permission: str = ""
