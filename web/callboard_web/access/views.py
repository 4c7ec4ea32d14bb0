"""What one may do oneself, and what anybody may do, with the reasons."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from callboard.audit import record
from callboard.entities import Entity
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import Subject
from callboard_catalog.query import ListRequest
from callboard_web.access.service import (
    LONGEST,
    Answer,
    Decisions,
    Question,
    UnknownWordError,
    may_look,
)
from callboard_web.access.subjects import Directory, subject_called
from callboard_web.access.words import listed, origin_words, source_words
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded, public, reading

_: Final = Translator("callboard")

READ_POLICY: Final = "access.policy.read"
EXPLAIN: Final = "access.decision.explain"
SHOWN: Final = ("yes", "no")
SUGGESTED: Final = 12


def text_of(request: Request, name: str) -> str:
    """Give a parameter as it is looked for: bounded, without what databases do not take."""
    return request.query_params.get(name, "").replace("\0", "").strip()[:LONGEST]


def mine(request: Request) -> Response:
    """Show what the one who asks may do, and answer why they may, or may not."""
    portal = portal_of(request)
    subject = portal.subject(request)
    refuse_unknown(portal, subject)
    decisions = Decisions(portal, yours=True)
    context = _asked(request, decisions, subject)
    context |= {
        "subject": subject,
        "names": [name for name in subject.names if name != str(subject.principal)],
        "reader_known": subject.signed_in,
        "may_read_policy": portal.allows(request, READ_POLICY),
    }
    return portal.page(request, "access/mine.html", context)


def refuse_unknown(portal: Portal, subject: Subject) -> None:
    """Raise `NotSignedInError` for nobody known in a portal that shows nothing to them."""
    services = portal.runtime.services
    if not may_look(services.access, subject):
        services.require("catalog.entity.read")


def explain(request: Request) -> Response:
    """Show what anybody may do; a look at somebody else's rights is audited."""
    portal = portal_of(request)
    wanted = text_of(request, "subject")
    decisions = Decisions(portal, yours=False)
    context: dict[str, Any] = {
        "wanted": wanted,
        "chosen": None,
        "suggested": decisions.directory.suggest("", limit=SUGGESTED),
        "reader_known": True,
        "crumbs": (Crumb(_("Access"), "/access"), Crumb(_("Explain"))),
        **sections(portal, request),
    }
    fault: UnknownWordError | None = None
    subject = None
    if wanted:
        try:
            subject = look_up(portal, decisions.directory, wanted)
        except UnknownWordError as error:
            fault = error
    if subject is None:
        context |= _page_of_question(request, decisions, fault=fault)
        return portal.page(request, "access/explain.html", context)
    name = decisions.directory.find(wanted)
    context |= {"chosen": decisions.directory.named(name), "wanted": name, "subject": subject}
    context |= _asked(request, decisions, subject)
    note_look(portal, request, name, _question(request))
    return portal.page(request, "access/explain.html", context)


def look_up(portal: Portal, directory: Directory, text: str) -> Subject:
    """Give the subject that a name or a title means; raises `UnknownWordError`."""
    try:
        return subject_called(portal, directory, directory.find(text))
    except InputError as error:
        near = [(item.name, item.title) for item in directory.suggest(text, limit=SUGGESTED)]
        raise UnknownWordError("subject", error.message, near, hint=error.hint) from None


def sections(portal: Portal, request: Request) -> dict[str, Any]:
    """Give what the row of sections above the pages of policies needs."""
    access = portal.runtime.services.access
    return {
        "section_faults": any(fault.severity == "error" for fault in access.faults),
        "may_explain": portal.allows(request, EXPLAIN),
    }


def note_look(portal: Portal, request: Request, name: str, *questions: Question) -> None:
    """Write down that somebody looked at what another one may do."""
    asker = portal.subject(request)
    own = {str(asker.principal), asker.principal.name}
    if name in own or (asker.principal.entity and name == str(asker.principal.entity)):
        return
    asked = [_told(question) for question in questions if question.permission]
    with portal.runtime.database.write() as connection:
        record(connection, EXPLAIN, name, after={"asked": asked}, at=portal.runtime.now())


def _told(question: Question) -> str:
    return " ".join(
        part for part in (question.permission, question.entity, question.environment) if part
    )


def _question(request: Request) -> Question:
    return Question(
        permission=text_of(request, "permission"),
        entity=text_of(request, "entity"),
        environment=text_of(request, "environment"),
    )


def _asked(request: Request, decisions: Decisions, subject: Subject) -> dict[str, Any]:
    """Give the question with its answer, or with what is wrong with it."""
    question = _question(request)
    answer, fault, there = None, None, None
    try:
        if question.permission:
            answer = decisions.ask(subject, question)
        elif question.entity:
            there = decisions.entity(question.entity)
        elif question.environment:
            fault = UnknownWordError("permission", _("Choose what you ask about."))
    except UnknownWordError as error:
        fault = error
    return {
        **_page_of_question(request, decisions, answer=answer, fault=fault),
        **_rights(request, decisions, subject, there),
    }


def _page_of_question(
    request: Request,
    decisions: Decisions,
    *,
    answer: Answer | None = None,
    fault: UnknownWordError | None = None,
) -> dict[str, Any]:
    return {
        "yours": decisions.yours,
        "question": _question(request),
        "answer": answer,
        "verdict": verdict(answer) if answer else "",
        "fault": fault,
        "permissions": permissions_of(decisions),
        "source_words": origin_words if decisions.yours else source_words,
        "address_of": lambda changed: address_with(request, changed),
    }


def permissions_of(decisions: Decisions) -> list[tuple[str, Text]]:
    """Give name and title of every permission."""
    found = decisions.access.permissions.values()
    return [(item.name, item.title) for item in sorted(found, key=lambda item: item.name)]


def _rights(
    request: Request, decisions: Decisions, subject: Subject, there: Entity | None
) -> dict[str, Any]:
    """Give all permissions, or with an entity those on it."""
    areas = decisions.areas(subject, there)
    rights = [right for area in areas for right in area.rights]
    show = text_of(request, "show")
    show = show if show in SHOWN else ""
    kept = [
        (area, [item for item in area.rights if show in ("", SHOWN[item.extent == "none"])])
        for area in areas
    ]
    return {
        "areas": [(area, found) for area, found in kept if found],
        "total": len(rights),
        "given": sum(right.extent != "none" for right in rights),
        "show": show,
        "there": there,
        "holdings": decisions.holdings(subject),
        "teams": [
            decisions.directory.named(str(ref)) for ref in subject.mine if ref.kind == "group"
        ],
        "address": lambda **changed: address_with(request, changed),
    }


def address_with(request: Request, changed: Mapping[str, str]) -> str:
    """Give the address of this page with other parameters; those that are empty are left out."""
    kept = {**dict(request.query_params), **changed}
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"{request.url.path}?{query}" if query else request.url.path


def verdict(answer: Answer) -> Text:
    """Say in a sentence what decided."""
    seen = answer.decided_by
    if seen is None:
        if answer.extent == "some":
            return _("It is given on some entities, not on everything.")
        return answer.explanation.reasons[0].text
    names: dict[str, Text] = {
        "role": seen.title,
        "who": listed([item.title for item in seen.through]) or _("the way of signing in"),
        "where": listed(list(seen.where)),
    }
    if seen.considered.effect == "deny":
        return _("What is in the role %(role)s is forbidden to %(who)s, on %(where)s.", **names)
    if not answer.allowed:
        return answer.explanation.reasons[0].text
    return _("The role %(role)s gives it. It is held by %(who)s, on %(where)s.", **names)


# Suggestions while somebody types: options of a list, for htmx


def entities(request: Request) -> Response:
    """Give entities whose name has what is typed."""
    portal = portal_of(request)
    typed = text_of(request, "entity")
    found = portal.runtime.catalog.list(
        ListRequest(text=typed.partition(":")[2] or typed, limit=SUGGESTED)
    )
    options = [(str(item.ref), item.title) for item in found.entities]
    return portal.fragment(request, "access/_options.html", {"options": options})


def subjects(request: Request) -> Response:
    """Give subjects whose name has what is typed."""
    portal = portal_of(request)
    typed = text_of(request, "subject") or text_of(request, "more")
    found = Directory(portal).suggest(typed.partition("/")[2] or typed)
    options = [(item.name, item.title) for item in found]
    return portal.fragment(request, "access/_options.html", {"options": options})


ROUTES = [
    public("/me/access", mine, why="Everybody known may ask what they may do themselves."),
    reading("/me/access/entities", entities),
    guarded("/access/explain", explain, EXPLAIN),
    guarded("/access/subjects", subjects, READ_POLICY),
]
