"""Differences between two OpenAPI documents, of any versions of the specification."""

import re
from typing import Any

from callboard.i18n import Translator
from callboard_apis.changes.change import Changes
from callboard_apis.changes.schemas import Direction, SchemaComparison
from callboard_apis.openapi_model import Answer, Body, Media, OpenApi, Operation, Parameter
from callboard_apis.shapes import as_text

_ = Translator("apis")


def compare_openapi(old: dict[str, Any], new: dict[str, Any]) -> Changes:
    """Give what changed from `old` to `new`."""
    changes = Changes()
    before, after = OpenApi(old), OpenApi(new)
    schemas = SchemaComparison(before.references, after.references, changes)
    was = {_identity(one): one for one in before.operations()}
    now = {_identity(one): one for one in after.operations()}
    for key, one in was.items():
        if key not in now:
            message = (
                _("The operation was removed; it was deprecated before.")
                if one.deprecated
                else _("The operation was removed.")
            )
            changes.add("breaking", one.title, message)
        else:
            _Comparison(changes, schemas, one, now[key]).compare()
    for key, one in now.items():
        if key not in was:
            changes.add("ok", one.title, _("The operation was added."))
    if before.servers() != after.servers():
        shown = {"old": ", ".join(before.servers())[:200], "new": ", ".join(after.servers())[:200]}
        changes.add(
            "warning", "servers", _("The servers changed from %(old)s to %(new)s.", **shown)
        )
    return changes


def _identity(one: Operation) -> tuple[str, str, bool]:
    """Names of path parameters do not matter to those who call."""
    return one.method, re.sub(r"\{[^}]*\}", "{}", one.path), one.webhook


class _Comparison:
    def __init__(
        self, changes: Changes, schemas: SchemaComparison, old: Operation, new: Operation
    ) -> None:
        self.changes = changes
        self.schemas = schemas
        self.old = old
        self.new = new
        self.where = new.title
        # The API itself sends a webhook: what is a request to others is an answer to them.
        self.sent: Direction = "response" if new.webhook else "request"
        self.given: Direction = "request" if new.webhook else "response"

    def compare(self) -> None:
        if self.new.deprecated and not self.old.deprecated:
            self.changes.add("warning", self.where, _("The operation is deprecated now."))
        old_id = as_text(self.old.source.get("operationId"))
        new_id = as_text(self.new.source.get("operationId"))
        if old_id and new_id and old_id != new_id:
            message = _("operationId changed from %(old)s to %(new)s.", old=old_id, new=new_id)
            self.changes.add("warning", self.where, message)
        self._parameters()
        self._body()
        self._answers()
        self._security()

    def _parameters(self) -> None:
        old = {_named(one): one for one in self.old.parameters}
        new = {_named(one): one for one in self.new.parameters}
        for key, one in old.items():
            if key[0] == "path":
                continue
            place = f"{self.where} · {key[0]} {one.name}"
            if key not in new:
                self.changes.add("warning", place, _("The parameter was removed."))
        for key, one in new.items():
            if key[0] == "path":
                continue
            place = f"{self.where} · {key[0]} {one.name}"
            if key not in old:
                level, message = (
                    ("breaking", _("A required parameter was added."))
                    if one.required
                    else ("ok", _("A parameter was added."))
                )
                self.changes.add(level, place, message)  # type: ignore[arg-type]
                continue
            if one.required and not old[key].required:
                self.changes.add("breaking", place, _("The parameter is required now."))
            elif old[key].required and not one.required:
                self.changes.add("ok", place, _("The parameter is not required any more."))
            self.schemas.compare(old[key].schema, one.schema, place, self.sent)
        pairs = zip(_in_path(self.old), _in_path(self.new), strict=False)
        for first, second in pairs:
            place = f"{self.where} · path {second.name}"
            self.schemas.compare(first.schema, second.schema, place, self.sent)

    def _body(self) -> None:
        old, new = self.old.body, self.new.body
        place = f"{self.where} · request"
        if old is None and new is not None:
            level, message = (
                ("breaking", _("A required request body was added."))
                if new.required
                else ("ok", _("A request body was added."))
            )
            self.changes.add(level, place, message)  # type: ignore[arg-type]
        elif old is not None and new is None:
            self.changes.add("warning", place, _("The request body was removed."))
        elif old is not None and new is not None:
            self._both_bodies(old, new, place)

    def _both_bodies(self, old: Body, new: Body, place: str) -> None:
        if new.required and not old.required:
            self.changes.add("breaking", place, _("The request body is required now."))
        self._media(old.media, new.media, place, self.sent)

    def _media(
        self, old: tuple[Media, ...], new: tuple[Media, ...], place: str, direction: Direction
    ) -> None:
        before = {one.type: one for one in old}
        after = {one.type: one for one in new}
        for name, media in before.items():
            if name not in after:
                message = _("The media type %(name)s was removed.", name=name)
                self.changes.add("breaking", place, message)
            else:
                self.schemas.compare(media.schema, after[name].schema, place, direction)
        for name in after:
            if name not in before and before:
                self.changes.add("ok", place, _("The media type %(name)s was added.", name=name))

    def _answers(self) -> None:
        old = {one.status: one for one in self.old.answers}
        new = {one.status: one for one in self.new.answers}
        for status, one in old.items():
            place = f"{self.where} · {status}"
            if status not in new:
                level = "breaking" if status.startswith("2") else "warning"
                self.changes.add(level, place, _("The response was removed."))  # type: ignore[arg-type]
                continue
            self._media(one.media, new[status].media, place, self.given)
            self._headers(one, new[status], place)
        for status in new:
            if status not in old:
                level = "warning" if status.startswith("2") else "ok"
                place = f"{self.where} · {status}"
                self.changes.add(level, place, _("A response was added."))  # type: ignore[arg-type]

    def _headers(self, old: Answer, new: Answer, place: str) -> None:
        for name in old.headers:
            if name not in new.headers:
                message = _("The header %(name)s was removed.", name=as_text(name))
                self.changes.add("breaking", place, message)

    def _security(self) -> None:
        old, new = _schemes(self.old), _schemes(self.new)
        if old == new:
            return
        # Anyone who could get in by one alternative still can, as long as it is there.
        kept = bool(old) and old <= new
        message = _("What one must sign in with changed.")
        self.changes.add("ok" if kept or frozenset() in new else "breaking", self.where, message)


def _named(one: Parameter) -> tuple[str, str]:
    return one.where, one.name.lower() if one.where == "header" else one.name


def _in_path(one: Operation) -> list[Parameter]:
    """Give the parameters of the path in their order in it."""
    named = {item.name: item for item in one.parameters if item.where == "path"}
    order = re.findall(r"\{([^}]*)\}", one.path)
    return [named.get(name, Parameter(name, "path", True, {})) for name in order]


def _schemes(one: Operation) -> set[frozenset[str]]:
    return {frozenset(alternative) for alternative in one.security} or {frozenset()}
