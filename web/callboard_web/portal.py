"""What all pages share: the shell around them and the parts they are made with."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from callboard.access import Decision
from callboard.contributions import Crumb as Crumb
from callboard.contributions import NavItem, PageNote
from callboard.entities import EntityRef
from callboard.errors import CallboardError
from callboard.i18n import Text
from callboard.identity import NOBODY, Subject
from callboard_catalog.problems import CONSEQUENCES
from callboard_web import csrf as csrf_module
from callboard_web.announcements import Announcements
from callboard_web.assets import Assets
from callboard_web.catalog_api.cursors import Cursors
from callboard_web.csrf import Csrf
from callboard_web.flash import Flash, Flashes
from callboard_web.formats import address
from callboard_web.forms import CONFIRMED, Form
from callboard_web.identity.middleware import Credential, Credentials, identify
from callboard_web.personal import Person, Personal
from callboard_web.personal.secrets import shared_secret
from callboard_web.preferences import CHOSEN_ZONE_COOKIE, Reader, reader_of
from callboard_web.rendering import Renderer
from callboard_web.sessions import EndedSession, Method, SessionsSettings
from callboard_web.sessions.cookie import is_secure, may_bring
from callboard_web.sessions.service import Sessions
from callboard_web.shell import here_of, letters_of, navigation_of, notes_of, shell_of
from callboard_web.sign_in.service import SignIn
from callboard_web.slots import Asker, Slots
from callboard_web.visitors import YEAR, Visitors
from callboard_web.words import Words

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

HIGHEST: Final = 2**62
VARY: Final = "HX-Request, Cookie, Authorization, Accept-Language"


@dataclass
class Portal:
    """The parts of the running portal, kept at `app.state.portal`."""

    runtime: "Runtime"
    assets: Assets
    renderer: Renderer
    slots: Slots
    csrf: Csrf
    cursors: Cursors
    visitors: Visitors
    personal: Personal
    flashes: Flashes
    announcements: Announcements
    sessions: Sessions
    sign_in: SignIn
    credentials: list[Credentials] = field(default_factory=list)
    sign_in_methods: list[Method] = field(default_factory=list)
    navigation: list[tuple[Text, list[NavItem]]] = field(default_factory=list)
    notes: list[PageNote] = field(default_factory=list)

    @cached_property
    def letters(self) -> dict[str, str]:
        """The letter that opens a page after the key `g`, by the path of the page."""
        return letters_of([item for _, items in self.navigation for item in items])

    @classmethod
    def of(cls, runtime: "Runtime") -> "Portal":
        """Put the parts together."""
        assets = Assets(runtime.plugins.directories("callboard_static"))
        directories = runtime.plugins.directories("callboard_templates")
        kinds = Words(runtime.kinds)
        renderer = Renderer(
            runtime.translations, directories, assets, kinds, runtime.services.permits
        )
        key = _cookie_key(runtime)
        personal = Personal(runtime.database, runtime.catalog, runtime.now)
        visitors = Visitors(key)
        sessions = Sessions(
            runtime.database,
            personal,
            runtime.settings.section(SessionsSettings),
            runtime.now,
            secret=key,
            base_url=runtime.portal.base_url,
            visitor=visitors.key,
        )
        sign_in = SignIn(runtime.services)
        runtime.services.closing.append(sign_in.close)
        made = cls(
            runtime,
            assets,
            renderer,
            Slots(runtime.plugins, renderer, runtime.host, runtime.services),
            Csrf(key, runtime.portal.base_url),
            Cursors(key),
            visitors,
            personal,
            Flashes(key),
            Announcements(runtime.database, runtime.now),
            sessions,
            sign_in,
            credentials=[Credential(sessions.subject, may_bring)],
            sign_in_methods=sign_in.methods(),
            navigation=navigation_of(runtime),
            notes=notes_of(runtime),
        )
        runtime.services.streams.is_same = made.is_same
        return made

    def sign_out_address(self, request: HTTPConnection, ended: EndedSession) -> str:
        """Give where the provider of a session ends its own, or nothing."""
        back = f"{self.origin(request)}/sign-in"
        return self.sign_in.sign_out_address(ended.method, ended.id_token, back)

    @property
    def builtin(self) -> frozenset[str]:
        """The names of the plugins that are the host's own parts."""
        records = self.runtime.plugins.records.values()
        return frozenset(record.name for record in records if record.builtin)

    def reader(self, connection: HTTPConnection) -> Reader:
        """Give who reads, worked out once for each request."""
        if not hasattr(connection.state, "reader"):
            now = self.runtime.now()
            connection.state.reader = reader_of(connection, self.runtime.portal, now)
        reader: Reader = connection.state.reader
        return reader

    def asker(self, request: Request) -> Asker:
        """Give the request as slots need it."""
        return Asker(
            self.reader(request),
            request.path_params,
            dict(request.query_params),
            self.person(request).mine,
            self._forgery(request)[1],
        )

    def person(self, connection: HTTPConnection) -> Person:
        """Give who asks, worked out once for each request; `NOBODY` at the first visit."""
        if not hasattr(connection.state, "person"):
            connection.state.person = self._person(self.subject(connection), connection)
        person: Person = connection.state.person
        return person

    def _person(self, subject: Subject, connection: HTTPConnection) -> Person:
        key = self.key(connection)
        if not subject.signed_in:
            return self.personal.person(key)
        who = subject.on_behalf_of or subject.principal
        return self.personal.signed_in(key, who.entity, subject.title, subject.mine)

    def key(self, connection: HTTPConnection) -> str:
        """Give the key under which things of the one who asks are kept; empty for who has none."""
        subject = self.subject(connection)
        if not subject.signed_in:
            return self.visitors.key(connection)
        who = subject.on_behalf_of or subject.principal
        return str(who) if who.kind == "person" else ""

    def remembered(self, request: Request, response: Response) -> str:
        """Give the key of who asks, for keeping something of theirs; a new visitor gets one."""
        key = self.key(request)
        return key or self.visitors.welcome(response, secure=self.is_secure(request))

    def keep_zone(self, request: Request, response: Response, zone: str) -> None:
        """Keep the time zone a person chose in their browser; an empty one is forgotten."""
        if zone:
            response.set_cookie(
                CHOSEN_ZONE_COOKIE, zone, max_age=YEAR, httponly=True, samesite="lax",
                secure=self.is_secure(request),
            )  # fmt: skip
        else:
            response.delete_cookie(CHOSEN_ZONE_COOKIE, httponly=True, samesite="lax")

    def subject(self, connection: HTTPConnection) -> Subject:
        """Give who asks, as `IdentityMiddleware` found out."""
        subject: Subject = connection.scope.get("state", {}).get("subject", NOBODY)
        return subject

    def is_same(self, connection: HTTPConnection) -> bool:
        """Say whether a long request is still asked by whom it was, with their groups."""
        again = HTTPConnection({**connection.scope, "state": {}})
        try:
            return identify(again, self.credentials) == self.subject(connection)
        except CallboardError:
            return False

    def allows(
        self,
        connection: HTTPConnection,
        permission: str,
        entity: EntityRef | None = None,
        *,
        environment: str = "",
    ) -> bool:
        """Say whether the one who asks may do something, with an entity or with the portal."""
        return self.runtime.services.decide(permission, entity, environment).allowed

    def require(
        self,
        connection: HTTPConnection,
        permission: str,
        entity: EntityRef | None = None,
        *,
        environment: str = "",
    ) -> None:
        """Raise `NotSignedInError` or `NotAllowedError` unless the one who asks may do it."""
        self.runtime.services.require(permission, entity, environment)

    def enter(
        self, request: HTTPConnection, permission: str, about: Literal["portal", "entity"]
    ) -> None:
        """Raise the same unless the one who asks may use a route at all."""
        services = self.runtime.services
        if about == "portal":
            services.require(permission)
        elif not services.access.anywhere(self.subject(request), permission):
            raise services.refusal(Decision(allowed=False, permission=permission))

    def text(self, request: HTTPConnection, text: Text) -> str:
        """Give a text in the reader's language."""
        return self.renderer.text(text, self.reader(request))

    def page(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        counts: bool = True,
    ) -> HTMLResponse:
        """Draw a whole page in the shell."""
        identity, token = self._forgery(request)
        told = self.flashes.read(request)
        shell = shell_of(self, request, token, counts=counts)
        content = self.renderer.page(
            template, self.reader(request), {**shell, "flash": told, **context}
        )
        response = HTMLResponse(content, status, {"vary": VARY, **(headers or {})})
        if not self.csrf.identity(request):
            self.csrf.set_cookie(response, identity, secure=self.is_secure(request))
        if told:
            self.flashes.forget(response)
        return response

    def fragment(
        self,
        request: Request,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> HTMLResponse:
        """Draw a piece of a page, for htmx."""
        token = self._forgery(request)[1] if self.csrf.identity(request) else ""
        shared = {"csrf_field": csrf_module.FIELD, "csrf_token": token}
        content = self.renderer.page(template, self.reader(request), {**shared, **context})
        return HTMLResponse(content, status, {"vary": VARY, **(headers or {})})

    def flash(
        self,
        request: Request,
        response: Response,
        text: Text,
        undo: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Tell what was done, on the next page or, for htmx, on this one.

        `undo` is the path to which `fields` are posted to take it back. Texts beyond 500
        characters are cut; raises `ValueError` for fields of more than 1000 characters.
        """
        told = Flash(self.text(request, text), undo, dict(fields or {}))
        self.flashes.tell(response, told, secure=self.is_secure(request))
        if wants_fragment(request):
            response.headers["hx-trigger-after-swap"] = "flash"

    def confirm(
        self,
        request: Request,
        form: Form,
        *,
        title: Text,
        text: Text,
        verb: Text,
        back: str,
        quiet: Text = "",
    ) -> HTMLResponse:
        """Ask whether it is meant, before something that cannot be undone; see `Form.confirmed`.

        `title` is the question, `text` the consequence, `verb` what the button does, `quiet` what
        the other one says. A dialog where the form has `data-confirm`, a page without script.
        """
        context = {
            "title": title, "text": text, "verb": verb, "quiet": quiet, "back": address(back),
            "action": here_of(request),
            "fields": [pair for pair in form.pairs() if pair[0] != CONFIRMED],
        }  # fmt: skip
        if wants_fragment(request):
            return self.fragment(request, "_confirm.html", context)
        return self.page(request, "confirm.html", context)

    def _forgery(self, request: Request) -> tuple[str, str]:
        """Give who the forms of an answer are for, and their token: one for all its pieces.

        What makes the answer differ from the one before is noted with it.
        """
        if not hasattr(request.state, "forgery"):
            identity = self.csrf.identity(request) or secrets.token_urlsafe(16)
            token = self.csrf.token(identity)
            request.state.forgery = (identity, token)
            request.state.masked = Masked(token, f"{identity} {self.runtime.now():%Y-%m-%d}")
        given: tuple[str, str] = request.state.forgery
        return given

    def problems(self) -> int:
        """Count what somebody must mend: warnings are not."""
        counts = self.runtime.catalog.problem_counts()
        return sum(number for kind, number in counts.items() if kind not in CONSEQUENCES)

    def origin(self, request: HTTPConnection) -> str:
        """Give the portal's address without a slash at the end, as other pages link to it."""
        base = self.runtime.portal.base_url
        return base or f"{request.url.scheme}://{request.url.netloc}"

    def is_secure(self, request: HTTPConnection) -> bool:
        """Say whether people reach the portal over https."""
        return self.has_secure_address(request.scope)

    def has_secure_address(self, scope: Scope) -> bool:
        """Say the same of a request that nobody has looked at yet."""
        return is_secure(self.runtime.portal.base_url, scope)

    def offers_sign_in(self, request: HTTPConnection) -> bool:
        """Say whether there is a way to sign in."""
        chosen = self.sessions.settings
        return bool(self.sign_in_methods or chosen.demo or chosen.break_glass)


@dataclass(frozen=True, slots=True)
class Masked:
    """The part of a page that is different each time, and what it may stand for until when."""

    token: str
    valid: str


def portal_of(connection: HTTPConnection) -> Portal:
    """Give the portal of a request."""
    portal: Portal = connection.app.state.portal
    return portal


def number_of(request: Request) -> int:
    """Give the number in the path of a request; one that no database can hold is none's."""
    number: int = request.path_params["number"]
    return min(number, HIGHEST)


def wants_fragment(request: Request) -> bool:
    """Say whether htmx asks for a piece: a page restored from history is asked for whole."""
    headers = request.headers
    return "hx-request" in headers and "hx-history-restore-request" not in headers


def _cookie_key(runtime: "Runtime") -> str:
    """Give what cookies are signed with: of the settings, or else the one that is kept."""
    secret = runtime.portal.cookie_secret
    if secret:
        return secret.get_secret_value()
    return shared_secret(runtime.database, "cookies", runtime.now())
