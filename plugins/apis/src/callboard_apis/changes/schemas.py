"""What a changed JSON Schema means to those on the other side.

What a client sends (a request) must still be taken; what it gets (a response) must still hold what
it relied on. So the same change breaks one direction and is harmless in the other.
"""

from typing import Any, Final, Literal

from callboard.i18n import Translator
from callboard_apis.changes.change import Changes, Level
from callboard_apis.references import References, put_together
from callboard_apis.schemas import written
from callboard_apis.shapes import as_dict, as_list
from callboard_apis.texts import name_of

_ = Translator("apis")

Direction = Literal["request", "response"]
DEEPEST: Final = 30
_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")


class SchemaComparison:
    """Compares schemas of two documents, each pair once for each direction."""

    def __init__(self, old: References, new: References, changes: Changes) -> None:
        self.old = old
        self.new = new
        self.changes = changes
        self.seen: set[tuple[int, int, str]] = set()

    def compare(self, old: Any, new: Any, where: str, direction: Direction, depth: int = 0) -> None:
        """Note how `new` differs from `old`."""
        before, after = self.old.follow(old), self.new.follow(new)
        pair = (id(before), id(after), direction)
        if pair in self.seen or depth > DEEPEST or (not before and not after):
            return
        self.seen.add(pair)
        before, after = put_together(self.old, before), put_together(self.new, after)
        self._types(before, after, where, direction)
        self._values(before, after, where, direction)
        self._bounds(before, after, where, direction)
        self._properties(before, after, where, direction, depth)
        if "items" in before and "items" in after:
            self.compare(before["items"], after["items"], f"{where}[]", direction, depth + 1)
        extra = (before.get("additionalProperties"), after.get("additionalProperties"))
        if all(isinstance(one, dict) for one in extra):
            self.compare(*extra, f"{where}.*", direction, depth + 1)
        elif extra[0] is not False and extra[1] is False and direction == "request":
            self.changes.add(
                "breaking", where, _("Properties that are not listed are refused now.")
            )
        self._variants(before, after, where, direction, depth)

    def _types(
        self, before: dict[str, Any], after: dict[str, Any], where: str, direction: Direction
    ) -> None:
        old, new = _types(before), _types(after)
        wider, narrower = (old, new) if direction == "request" else (new, old)
        shown = {"old": " | ".join(sorted(old)), "new": " | ".join(sorted(new))}
        if old and new and old != new:
            if wider <= narrower or (wider == {"integer"} and narrower == {"number"}):
                self.changes.add(
                    "ok", where, _("The type changed from %(old)s to %(new)s.", **shown)
                )
            else:
                self.changes.add(
                    "breaking", where, _("The type changed from %(old)s to %(new)s.", **shown)
                )
        formats = {
            "old": name_of(before.get("format") or "–"),
            "new": name_of(after.get("format") or "–"),
        }
        if formats["old"] != formats["new"] and old == new:
            self.changes.add(
                "warning", where, _("The format changed from %(old)s to %(new)s.", **formats)
            )
        self._null(_nullable(before), _nullable(after), where, direction)

    def _null(self, old: bool, new: bool, where: str, direction: Direction) -> None:
        if old and not new:
            level = _either(direction, "breaking", "ok")
            self.changes.add(level, where, _("It may not be null any more."))
        elif new and not old:
            level = _either(direction, "ok", "breaking")
            self.changes.add(level, where, _("It may be null now."))

    def _values(
        self, before: dict[str, Any], after: dict[str, Any], where: str, direction: Direction
    ) -> None:
        old = {written(value) for value in as_list(before.get("enum"))}
        new = {written(value) for value in as_list(after.get("enum"))}
        if old and new:
            for value in sorted(old - new):
                level = _either(direction, "breaking", "ok")
                self.changes.add(level, where, _("The value %(value)s was removed.", value=value))
            for value in sorted(new - old):
                level = _either(direction, "ok", "warning")
                self.changes.add(level, where, _("The value %(value)s was added.", value=value))
        elif new:
            level = _either(direction, "breaking", "ok")
            self.changes.add(level, where, _("Only listed values are allowed now."))
        elif old:
            level = _either(direction, "ok", "warning")
            self.changes.add(level, where, _("Other than the listed values are allowed now."))
        if before.get("default") != after.get("default") and direction == "request":
            self.changes.add(
                "warning", where,
                _("The default changed from %(old)s to %(new)s.",
                  old=written(before.get("default")), new=written(after.get("default"))),
            )  # fmt: skip

    def _bounds(
        self, before: dict[str, Any], after: dict[str, Any], where: str, direction: Direction
    ) -> None:
        level: Level
        for names, sign in ((_UPPER, 1), (_LOWER, -1)):
            for name in names:
                old, new = _number(before.get(name)), _number(after.get(name))
                if old == new:
                    continue
                narrower = new is not None and (old is None or (new - old) * sign < 0)
                breaks = narrower if direction == "request" else not narrower
                shown = {
                    "name": name,
                    "old": "–" if old is None else written(before.get(name)),
                    "new": "–" if new is None else written(after.get(name)),
                }
                level = "ok" if not breaks else "breaking" if direction == "request" else "warning"
                self.changes.add(
                    level, where, _("%(name)s changed from %(old)s to %(new)s.", **shown)
                )
        if before.get("pattern") != after.get("pattern"):
            shown = {
                "old": name_of(before.get("pattern") or "–", 80),
                "new": name_of(after.get("pattern") or "–", 80),
            }
            level = "warning" if after.get("pattern") and direction == "request" else "ok"
            self.changes.add(
                level, where, _("The pattern changed from %(old)s to %(new)s.", **shown)
            )

    def _properties(
        self,
        before: dict[str, Any],
        after: dict[str, Any],
        where: str,
        direction: Direction,
        depth: int,
    ) -> None:
        old, new = as_dict(before.get("properties")), as_dict(after.get("properties"))
        was = {name for name in as_list(before.get("required")) if isinstance(name, str)}
        now = {name for name in as_list(after.get("required")) if isinstance(name, str)}
        for name, schema in old.items():
            place = f"{where}.{name}"
            if name not in new:
                level = _either(direction, "warning", "breaking")
                self.changes.add(level, place, _("The property was removed."))
                continue
            if name in now - was:
                level = _either(direction, "breaking", "ok")
                self.changes.add(level, place, _("The property is required now."))
            elif name in was - now:
                level = _either(direction, "ok", "breaking")
                self.changes.add(level, place, _("The property is not required any more."))
            self.compare(schema, new[name], place, direction, depth + 1)
        for name in new:
            if name not in old:
                required = name in now and direction == "request"
                message = (
                    _("A required property was added.") if required else _("A property was added.")
                )
                self.changes.add("breaking" if required else "ok", f"{where}.{name}", message)

    def _variants(
        self,
        before: dict[str, Any],
        after: dict[str, Any],
        where: str,
        direction: Direction,
        depth: int,
    ) -> None:
        for mark in ("oneOf", "anyOf"):
            old = _named(self.old, before.get(mark))
            new = _named(self.new, after.get(mark))
            for name in old:
                if name in new:
                    self.compare(old[name], new[name], f"{where}<{name}>", direction, depth + 1)
                elif new:
                    level = _either(direction, "breaking", "ok")
                    self.changes.add(
                        level, where, _("The variant %(name)s was removed.", name=name)
                    )
            for name in new:
                if name not in old and old:
                    level = _either(direction, "ok", "warning")
                    self.changes.add(level, where, _("The variant %(name)s was added.", name=name))


def _either(direction: Direction, request: Level, response: Level) -> Level:
    return request if direction == "request" else response


def _types(schema: dict[str, Any]) -> set[str]:
    given = schema.get("type")
    listed = given if isinstance(given, list) else [given]
    return {str(item) for item in listed if isinstance(item, str) and item != "null"}


def _nullable(schema: dict[str, Any]) -> bool:
    given = schema.get("type")
    variants = [*as_list(schema.get("oneOf")), *as_list(schema.get("anyOf"))]
    return (
        schema.get("nullable") is True
        or (isinstance(given, list) and "null" in given)
        or any(as_dict(one).get("type") == "null" for one in variants)
    )


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return min(max(float(value), -1e300), 1e300) if is_number and abs(value) < 1e300 else None


def _named(references: References, variants: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, one in enumerate(as_list(variants)[:200]):
        if as_dict(one).get("type") != "null":
            name = references.name(one) or str(as_dict(one).get("title") or number)
            found.setdefault(name_of(name, 80), one)
    return found
