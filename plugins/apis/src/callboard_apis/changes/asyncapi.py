"""Differences between two AsyncAPI documents: operations and the payloads of their messages."""

from typing import Any

from callboard.i18n import Translator
from callboard_apis.asyncapi_model import AsyncApi, Operation
from callboard_apis.changes.change import Changes
from callboard_apis.changes.schemas import Direction, SchemaComparison

_ = Translator("apis")


def compare_asyncapi(old: dict[str, Any], new: dict[str, Any]) -> Changes:
    """Give what changed from `old` to `new`, as those who send to and hear from it see it."""
    changes = Changes()
    before, after = AsyncApi(old), AsyncApi(new)
    schemas = SchemaComparison(before.references, after.references, changes)
    was = {_identity(one): one for one in before.operations()}
    now = {_identity(one): one for one in after.operations()}
    for key, one in was.items():
        where = f"{one.action.upper()} {one.channel.address}"
        if key not in now:
            changes.add("breaking", where, _("The operation was removed."))
            continue
        # What the application sends is to others what a response is.
        direction: Direction = "response" if one.action == "send" else "request"
        messages = {message.name: message for message in one.messages}
        others = {message.name: message for message in now[key].messages}
        for name, message in messages.items():
            place = f"{where} · {name}"
            if name not in others:
                changes.add("breaking", place, _("The message was removed."))
                continue
            payloads = before.payload(message), after.payload(others[name])
            schemas.compare(*payloads, place, direction)
        for name in others:
            if name not in messages:
                level = "warning" if direction == "response" else "ok"
                changes.add(level, f"{where} · {name}", _("A message was added."))  # type: ignore[arg-type]
    for key, one in now.items():
        if key not in was:
            where = f"{one.action.upper()} {one.channel.address}"
            changes.add("ok", where, _("The operation was added."))
    return changes


def _identity(one: Operation) -> tuple[str, str]:
    return one.action, one.channel.address
