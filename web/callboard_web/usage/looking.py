"""What counts as a look: a page of an entity that somebody opened."""

from starlette.requests import Request

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_web.portal import Portal
from callboard_web.usage.recorder import MACHINE

MACHINES = frozenset({"token", "workload"})


def note_look(portal: Portal, request: Request, ref: EntityRef) -> None:
    """Note that a page of an entity was asked for; what a browser fetches ahead is none."""
    recorder = portal.runtime.usage
    if not recorder.settings.enabled or is_ahead(request):
        return
    if portal.subject(request).principal.kind in MACHINES:
        recorder.note(ref, MACHINE)
    else:
        recorder.note(ref, portal.key(request))


def is_ahead(request: Request) -> bool:
    """Say whether a browser fetches ahead what nobody has opened yet (Fetch, Sec-Purpose)."""
    return "prefetch" in request.headers.get("sec-purpose", "")


def number_in(text: str | None, name: str, default: int, least: int, most: int) -> int:
    """Read a number of the query; raises `InputError` for what is none, or out of bounds."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise InputError(f"{name} is not a number from {least} to {most}.")
    return int(text)
