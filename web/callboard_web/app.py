"""The web application: routes, middleware and what they share."""

from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from callboard import __version__
from callboard.errors import CallboardError, InputError
from callboard_web.access import api as access_api
from callboard_web.access import changes as access_changes
from callboard_web.access import policies as access_policies
from callboard_web.access import views as access
from callboard_web.activity import views as activity
from callboard_web.administration import views as administration
from callboard_web.announcements import views as announcements
from callboard_web.audit import views as audit
from callboard_web.badges import views as badges
from callboard_web.catalog_api import routes as catalog_api
from callboard_web.catalog_api.fresh import Fresh
from callboard_web.catalog_api.kept import Kept
from callboard_web.catalog_api.shortcut import ShortWay
from callboard_web.clusters import views as clusters
from callboard_web.compression import CompressMiddleware
from callboard_web.conditional import ConditionalMiddleware
from callboard_web.cookies import HostCookieMiddleware
from callboard_web.csrf import CsrfMiddleware
from callboard_web.deletions import views as deletions
from callboard_web.excerpts import views as excerpts
from callboard_web.identity.address import TrustedProxies
from callboard_web.identity.middleware import Identifier, IdentityMiddleware
from callboard_web.limits import BodyLimitMiddleware
from callboard_web.locations import views as locations
from callboard_web.maintenance import MaintenanceWatch
from callboard_web.me import problems as my_problems
from callboard_web.me import views as me
from callboard_web.metrics import Metrics
from callboard_web.middleware import (
    ErrorMiddleware,
    HeadersMiddleware,
    Heading,
    MaintenanceMiddleware,
)
from callboard_web.organisation import views as organisation
from callboard_web.past import views as past
from callboard_web.personal.secrets import shared_secret
from callboard_web.portal import Portal
from callboard_web.routing import prepared
from callboard_web.saved_views import views as saved_views
from callboard_web.sessions import views as sessions
from callboard_web.sessions import views_list as session_lists
from callboard_web.sign_in import views as sign_in
from callboard_web.sign_in import views_attempts as sign_ins
from callboard_web.stars import views as stars
from callboard_web.tokens import api as tokens_api
from callboard_web.tokens import views as tokens
from callboard_web.tokens import views_accounts as service_accounts
from callboard_web.tokens import views_all as all_tokens
from callboard_web.tokens.machines import Machines
from callboard_web.tokens.middleware import BearerMiddleware
from callboard_web.usage import views as usage
from callboard_web.views import (
    catalog,
    catalog_bulk,
    catalog_export,
    catalog_indexes,
    entity,
    errors,
    flash,
    health,
    home,
    hooks,
    jobs,
    live,
    plugin_pages,
    plugins,
    preferences,
    problems,
    search,
    sources,
    static,
)
from callboard_web.webhooks import api as webhooks_api
from callboard_web.webhooks import views as webhooks

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

PAGES = (
    catalog_api,
    home, activity, organisation, catalog, catalog_bulk, catalog_export, catalog_indexes,
    saved_views, badges, stars, excerpts, deletions, entity, search, sources, locations, problems,
    past, administration,
    announcements, audit, access, access_policies, access_changes, access_api,
    me, my_problems, usage, sessions, session_lists, sign_in, sign_ins, jobs, plugins, preferences,
    flash, live, hooks, webhooks, webhooks_api, clusters, tokens_api, tokens, service_accounts,
    all_tokens, health, static,
)  # fmt: skip


def create_app(runtime: "Runtime") -> FastAPI:
    """Put the application together; `runtime` is started and stopped by the caller."""
    # The generated API pages would load scripts from another host.
    app = FastAPI(title="Callboard", version=__version__, openapi_url=None)
    portal = Portal.of(runtime)
    app.state.runtime = runtime
    app.state.portal = portal
    app.state.metrics = Metrics(runtime)
    app.state.machines = machines = Machines.of(runtime, portal.sessions)
    portal.credentials.insert(0, machines.credential)
    secret = shared_secret(runtime.database, "answers", runtime.now())
    app.state.kept = Kept(runtime.portal.kept_answers, secret)
    app.state.metrics.registry.register(machines.metrics)
    for module in PAGES:
        app.router.routes.extend(prepared(module.ROUTES, runtime.database))
    plugin_pages.include_api_routes(app, runtime)
    app.router.routes.extend(prepared(plugin_pages.page_routes(runtime), runtime.database))
    for handled in (CallboardError, HTTPException):
        app.add_exception_handler(handled, errors.answer)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_middleware(CsrfMiddleware, csrf=portal.csrf)
    app.add_middleware(BearerMiddleware, machines=machines)
    identifier = Identifier(portal.credentials, TrustedProxies(runtime.portal.trusted_proxies))
    app.add_middleware(IdentityMiddleware, identifier=identifier)
    watch = MaintenanceWatch(runtime.database)
    app.add_middleware(MaintenanceMiddleware, watch=watch, now=runtime.now)
    app.add_middleware(BodyLimitMiddleware)
    app.add_middleware(ErrorMiddleware, answer=errors.answer)
    app.add_middleware(ConditionalMiddleware)
    app.add_middleware(CompressMiddleware)
    app.add_middleware(HostCookieMiddleware, is_secure=portal.has_secure_address)
    heading = Heading(app.state.metrics.observe, portal.has_secure_address)
    app.add_middleware(HeadersMiddleware, heading=heading)
    app.add_middleware(
        ShortWay, runtime=runtime, kept=app.state.kept,
        fresh=Fresh(portal, app.state.kept, catalog_api.PAIRS), identifier=identifier,
        machines=machines, watch=watch, heading=heading,
    )  # fmt: skip
    return app


async def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:10]
    ]
    return await errors.answer(request, InputError("; ".join(faults)))
