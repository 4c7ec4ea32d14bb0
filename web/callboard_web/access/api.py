"""What machines may ask: decisions with their reasons, permissions, roles and bindings."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard.access import Binding, Role
from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard.identity import Selector, Subject
from callboard_web.access.policies import narrowed
from callboard_web.access.service import Answer, Decisions, Question, UnknownWordError
from callboard_web.access.views import (
    EXPLAIN,
    READ_POLICY,
    look_up,
    note_look,
    refuse_unknown,
    text_of,
    verdict,
)
from callboard_web.access.words import origin_words, source_words
from callboard_web.csrf import read_body
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import guarded, public

_: Final = Translator("callboard")

LIMIT: Final = 100
MOST: Final = 500
MOST_QUESTIONS: Final = 100
MOST_BYTES: Final = 100_000
_OWN: Final = "Everybody known may ask what they may do themselves."


def decision(request: Request) -> Response:
    """Answer one question, about the one who asks or, with `subject`, about somebody else."""
    asked = {name: text_of(request, name) for name in _WORDS}
    return JSONResponse(_answers(portal_of(request), request, [asked])[0])


_WORDS: Final = ("subject", "permission", "entity", "environment")


async def decisions(request: Request) -> Response:
    """Answer at most 100 questions: `{"items": [{"permission": ..., "entity": ...}]}`."""
    body = await read_body(request, MOST_BYTES)
    asked = _questions(body)
    portal = portal_of(request)
    items = await asyncio.to_thread(_answers, portal, request, asked)
    return JSONResponse({"items": items})


def _questions(body: bytes) -> list[dict[str, str]]:
    try:
        items = json.loads(body)["items"]
    except (ValueError, TypeError, KeyError, RecursionError):
        items = None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError(
            _("The body is not what is expected."),
            hint=_('Send {"items": [{"permission": "…", "entity": "…"}]}.'),
        )
    if len(items) > MOST_QUESTIONS:
        raise InputError(
            _("There are more than %(number)s questions.", number=MOST_QUESTIONS),
            hint=_("Send them in several requests."),
        )
    return [{name: str(item.get(name) or "")[:300] for name in _WORDS} for item in items]


def _answers(
    portal: Portal, request: Request, asked: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    own = portal.subject(request)
    refuse_unknown(portal, own)
    others = sorted({item["subject"] for item in asked if item["subject"]})
    if others:
        portal.require(request, EXPLAIN)
    own_decisions, their_decisions = Decisions(portal, yours=True), Decisions(portal, yours=False)
    subjects: dict[str, Subject] = {}
    for name in others:
        subjects[name] = _subject(portal, their_decisions, name)
        questions = [_question(item) for item in asked if item["subject"] == name]
        note_look(portal, request, their_decisions.directory.find(name), *questions)
    found = []
    for item in asked:
        whose = their_decisions if item["subject"] else own_decisions
        subject = subjects[item["subject"]] if item["subject"] else own
        found.append(_told(portal, request, subject, _answer(whose, subject, _question(item))))
    return found


def _question(item: Mapping[str, str]) -> Question:
    return Question(
        permission=item["permission"], entity=item["entity"], environment=item["environment"]
    )


def _subject(portal: Portal, decisions: Decisions, name: str) -> Subject:
    try:
        return look_up(portal, decisions.directory, name)
    except UnknownWordError as error:
        raise NotFoundError(error.message, hint=error.hint) from None


def _answer(decisions: Decisions, subject: Subject, question: Question) -> Answer:
    """Answer a question whose words must be exact: programs are not asked what they mean."""
    known = decisions.access.permissions
    if question.permission not in known:
        raise InputError(
            _("There is no permission %(text)s.", text=question.permission[:80]),
            hint=_("/api/access/permissions lists them."),
        )
    if question.entity:
        ref = EntityRef.parse(question.entity)
        if decisions.portal.runtime.catalog.get(ref) is None:
            raise NotFoundError(
                _("There is no entity %(text)s that you may see.", text=question.entity[:80])
            )
    return decisions.ask(subject, question)


def _told(portal: Portal, request: Request, subject: Subject, answer: Answer) -> dict[str, Any]:
    def text(said: Text) -> str:
        return portal.text(request, said)

    written = portal.allows(request, READ_POLICY)
    return {
        "subject": str(subject.principal),
        "permission": answer.permission.name,
        "entity": str(answer.about.ref) if answer.about else None,
        "environment": answer.question.environment or None,
        "allowed": answer.allowed,
        "extent": answer.extent,
        "reason": text(verdict(answer)),
        "considered": [
            {
                "outcome": item.considered.outcome.replace(" ", "_"),
                "why": text(item.why),
                "binding": _binding(portal, request, item.considered.binding, written=written),
            }
            for item in answer.seen
        ],
        "roles": [role.name for role in answer.having],
    }


def permissions(request: Request) -> Response:
    """Answer every permission with its title in each language of the portal."""
    portal = portal_of(request)
    refuse_unknown(portal, portal.subject(request))
    access = portal.runtime.services.access
    items = [
        {
            "name": item.name,
            "title": _in_languages(portal, item.title),
            "description": _in_languages(portal, item.description),
            "about": item.about,
            "role": item.role,
        }
        for item in sorted(access.permissions.values(), key=lambda item: item.name)
    ]
    return JSONResponse({"items": items, "total": len(items)})


def _in_languages(portal: Portal, text: Text) -> dict[str, str]:
    store = portal.runtime.translations
    return {tag: store.text(tag.replace("-", "_"), text) for tag in portal.runtime.portal.languages}


def roles(request: Request) -> Response:
    """Answer every role with all its permissions."""
    portal = portal_of(request)
    items = [_role(portal, request, item) for item in _access(portal).policy.roles.values()]
    return JSONResponse({"items": items, "total": len(items)})


def _access(portal: Portal) -> Any:
    return portal.runtime.services.access


def _role(portal: Portal, request: Request, role: Role) -> dict[str, Any]:
    return {
        "name": role.name,
        "title": portal.text(request, role.title or role.name),
        "description": portal.text(request, role.description),
        "permissions": sorted(_access(portal).permissions_of(role.name)),
        "written": {"permissions": list(role.permissions), "includes": list(role.includes)},
        "origin": role.origin,
        "source": portal.text(request, source_words(role)),
    }


def bindings(request: Request) -> Response:
    """Answer bindings, narrowed like the page; `limit` and `offset` turn pages."""
    portal = portal_of(request)
    directory = Decisions(portal, yours=False).directory
    filters = {name: text_of(request, name) for name in ("subject", "role", "effect", "origin")}
    found = narrowed(_access(portal).policy.bindings, directory, filters)
    limit = _number(request, "limit", LIMIT, MOST)
    offset = _number(request, "offset", 0, 1_000_000)
    items = [
        _binding(portal, request, item, written=True) for item in found[offset : offset + limit]
    ]
    return JSONResponse({"items": items, "total": len(found), "limit": limit, "offset": offset})


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > most:
        raise InputError(_("%(name)s is not a number from 0 to %(most)s.", name=name, most=most))
    return int(text)


def _binding(
    portal: Portal, request: Request, binding: Binding, *, written: bool
) -> dict[str, Any]:
    """Give a binding; the file and line where it is `written` is for who may read policies."""
    source = source_words(binding) if written else origin_words(binding)
    return {
        "number": binding.number or None,
        "role": binding.role,
        "to": sorted(binding.subjects),
        "on": _selector(binding.on),
        "effect": binding.effect,
        "note": binding.note,
        "origin": binding.origin,
        "source": portal.text(request, source),
    }


def _selector(selector: Selector) -> dict[str, Any]:
    """Give a selector as `access.bindings` of the settings writes it: only what it asks for."""
    names = {
        "kind": selector.kinds, "type": selector.types, "namespace": selector.namespaces,
        "owner": selector.owners, "system": selector.systems, "domain": selector.domains,
        "tag": selector.tags, "environment": selector.environments, "entity": selector.refs,
    }  # fmt: skip
    found: dict[str, Any] = {name: sorted(values) for name, values in names.items() if values}
    return {**found, "owned": True} if selector.owned else found


ROUTES = [
    public("/api/access/decision", decision, why=_OWN),
    public("/api/access/decisions", decisions, why=_OWN, methods=["POST"]),
    public("/api/access/permissions", permissions, why=_OWN),
    guarded("/api/access/roles", roles, READ_POLICY),
    guarded("/api/access/bindings", bindings, READ_POLICY),
]
