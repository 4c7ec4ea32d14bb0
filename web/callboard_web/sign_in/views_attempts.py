"""Sign-ins for administrators: what came, which rule matched, and trying rules on claims."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from callboard.audit import record
from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard.identity import acting_for
from callboard_web.forms import Form, read_form
from callboard_web.portal import Crumb, Portal, number_of, portal_of
from callboard_web.routing import guarded
from callboard_web.sign_in import attempts
from callboard_web.sign_in.claims import at_path, shown, text_at, title_of
from callboard_web.sign_in.faults import FAULTS
from callboard_web.sign_in.resolver import Resolution, unknown_people
from callboard_web.sign_in.settings import GroupRule, ProviderSettings
from callboard_web.sign_in.words import OUTCOMES, RULES, said_of

_: Final = Translator("callboard")

PERMISSION: Final = "portal.sign_in.read"
LIMIT: Final = 50
RESULTS: Final[Mapping[str, tuple[str, Text]]] = {
    "ok": ("ok", _("Signed in")),
    "failed": ("bad", _("Refused")),
}
LONGEST_CLAIMS: Final = 64 * 1024
LONGEST_VALUE: Final = 500


def sign_ins(request: Request) -> Response:
    """List the last sign-ins."""
    portal = portal_of(request)
    asked = request.query_params
    before = asked.get("before", "")
    number = int(before) if before.isdecimal() and len(before) < 19 else 0
    result = asked.get("result", "") if asked.get("result") in RESULTS else ""
    found = attempts.latest(portal.runtime.database, before=number, limit=LIMIT + 1, result=result)
    context = {
        "items": found[:LIMIT],
        "more": len(found) > LIMIT,
        "paged": bool(number),
        "result": result,
        "results": RESULTS,
        "faults": FAULTS,
        "rules": RULES,
        "matched": _matched,
        "providers": portal.sign_in.settings.providers,
        "callback": f"{portal.origin(request)}/sign-in/callback",
        "called": _called(portal),
    }
    return portal.page(request, "sign_in/list.html", context)


def sign_in(request: Request) -> Response:
    """Show one sign-in. That somebody's claims were looked at is audited."""
    portal = portal_of(request)
    found = attempts.get(portal.runtime.database, number_of(request))
    if found is None:
        raise NotFoundError(
            _("There is no such sign-in."), hint=_("Old ones are deleted; the list has the rest.")
        )
    if not found.ref or found.ref != str(portal.subject(request).principal.entity):
        with portal.runtime.database.write() as connection:
            record(
                connection, PERMISSION, f"sign-in:{found.id}",
                after={"person": found.ref or found.subject}, at=portal.runtime.now(),
            )  # fmt: skip
    provider = portal.sign_in.settings.provider(found.provider)
    context = {
        "found": found,
        "user": EntityRef.parse(found.ref) if found.ref else None,
        "title": found.title or _("Somebody unknown"),
        "results": RESULTS,
        "faults": FAULTS,
        "steps": [_step(step) for step in found.steps],
        "groups": [_group(item) for item in found.groups],
        "claims": _listed(found.claims, provider),
        "called": _called(portal),
        "crumbs": (Crumb(_("Sign-ins"), "/sign-ins"), Crumb(_("Sign-in %(n)s", n=found.id))),
    }
    return portal.page(request, "sign_in/one.html", context)


def form(request: Request) -> Response:
    """Show the form by which rules are tried, with the claims of a sign-in if one is named."""
    portal = portal_of(request)
    asked = request.query_params.get("of", "")
    number = int(asked) if asked.isdecimal() and len(asked) < 19 else 0
    found = attempts.get(portal.runtime.database, number) if number else None
    providers = portal.sign_in.settings.providers
    values = {"provider": providers[0].name if providers else "", "claims": ""}
    if found is not None:
        values = {
            "provider": found.provider,
            "claims": json.dumps(found.claims, indent=2, ensure_ascii=False),
        }
        with portal.runtime.database.write() as connection:
            record(
                connection, PERMISSION, f"sign-in:{found.id}",
                after={"person": found.ref or found.subject}, at=portal.runtime.now(),
            )  # fmt: skip
    return _form(portal, request, Form.of(values))


async def attempt(request: Request) -> Response:
    """Try the rules on claims. Nothing is changed, and the claims are not kept."""
    portal = portal_of(request)
    filled = await read_form(request)
    return await asyncio.to_thread(_attempt, portal, request, filled)


def _attempt(portal: Portal, request: Request, filled: Form) -> Response:
    provider = portal.sign_in.settings.provider(filled["provider"])
    if provider is None:
        filled.faults["provider"] = _("Choose a provider.")
    claims = _claims(filled)
    if provider is None or claims is None:
        return _form(portal, request, filled, status=422)
    # Whom the rules find does not depend on who tries them.
    with acting_for(None):
        subject = f"{provider.where}|{text_at(claims, 'sub')}"
        tried = portal.sign_in.resolve(provider, claims, subject)
    return _form(portal, request, filled, tried=_tried(portal, provider, claims, tried))


def _claims(filled: Form) -> dict[str, Any] | None:
    try:
        if len(filled["claims"]) > LONGEST_CLAIMS:
            raise ValueError("too long")
        read = json.loads(filled["claims"])
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        filled.faults["claims"] = _('Write a JSON object, such as {"sub": "1", "email": "…"}.')
        return None
    return read


def _tried(
    portal: Portal, provider: ProviderSettings, claims: Mapping[str, Any], tried: Resolution
) -> dict[str, Any]:
    unknown = unknown_people(portal.sign_in.settings, provider)
    outcome: Text
    if tried.problem:
        outcome = FAULTS[tried.problem]
    elif tried.user is not None:
        outcome = _("This person is %(ref)s.", ref=str(tried.user))
    elif unknown == "make":
        outcome = _("Nobody fits: a User would be made from these claims.")
    else:
        outcome = _("Nobody fits: there would be an account without a User.")
    return {
        "status": "bad" if tried.problem else "ok",
        "outcome": outcome,
        "title": title_of(claims, provider.username_claim),
        "steps": [_step(step.plain()) for step in tried.steps],
        "groups": [_group(item) for item in attempts.groups_plain(tried)],
        "left_out": tried.groups_left_out,
    }


def _form(
    portal: Portal,
    request: Request,
    filled: Form,
    *,
    tried: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    context = {
        "form": filled,
        "tried": tried,
        "providers": portal.sign_in.settings.providers,
        "rules_of_groups": [_rule(rule) for rule in portal.sign_in.settings.groups],
        "longest_claims": LONGEST_CLAIMS,
        "crumbs": (Crumb(_("Sign-ins"), "/sign-ins"), Crumb(_("Try the rules"))),
    }
    return portal.page(request, "sign_in/try.html", context, status=status)


def _called(portal: Portal) -> Mapping[str, str]:
    return {item.name: item.called for item in portal.sign_in.settings.providers}


def _matched(steps: Sequence[Mapping[str, Any]]) -> Text:
    """Give the rule that found somebody; empty where none did."""
    found = next((step for step in steps if step.get("outcome") == "matched"), None)
    return RULES.get(str(found["rule"]), "") if found else ""


def _step(step: Mapping[str, Any]) -> dict[str, Any]:
    rule, outcome = str(step.get("rule", "")), str(step.get("outcome", ""))
    status, word = OUTCOMES.get(outcome, ("unknown", outcome))
    return {
        "rule": RULES.get(rule, rule),
        "status": status,
        "word": word,
        "said": said_of(step),
        "refs": [EntityRef.parse(ref) for ref in step.get("found", ())],
    }


def _group(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": item.get("name", ""),
        "ref": EntityRef.parse(item["group"]) if item.get("group") else None,
        "rule": item.get("rule", 0),
        "missing": [str(ref) for ref in item.get("missing", ())],
    }


def _rule(rule: GroupRule) -> str:
    if rule.name:
        return f"{rule.name} → {rule.group}"
    if rule.matches:
        return f"/{rule.matches}/ → {rule.group}"
    return f"{rule.below} … → {rule.group or 'group:default/{path}'}"


def _listed(claims: Mapping[str, Any], provider: ProviderSettings | None) -> list[dict[str, Text]]:
    """Give claims for a table: those that are used say what for."""
    used: dict[str, Text] = {"sub": _("names the account"), "email": _("proves the address")}
    if provider is not None:
        used[provider.username_claim.partition(".")[0]] = _("is the user name")
        top = provider.group_path
        used[top if at_path(claims, top) and top in claims else top.partition(".")[0]] = _(
            "has the groups"
        )
    return [
        {
            "name": name,
            "value": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
            "used": used.get(name, ""),
        }
        for name, value in sorted(shown(claims).items())
    ]


ROUTES = [
    guarded("/sign-ins", sign_ins, PERMISSION),
    guarded("/sign-ins/try", form, PERMISSION),
    guarded("/sign-ins/try", attempt, PERMISSION, methods=["POST"]),
    guarded("/sign-ins/{number:int}", sign_in, PERMISSION),
]
