"""Differences between two GraphQL schemas, by the rules of graphql-core."""

from typing import Final

from graphql import (
    BreakingChangeType,
    DangerousChangeType,
    GraphQLError,
    GraphQLSchema,
    build_ast_schema,
    find_breaking_changes,
    find_dangerous_changes,
)

from callboard.i18n import Message, Translator
from callboard_apis.changes.change import Changes
from callboard_apis.documents import DocumentFaultError
from callboard_apis.graphql_types import parse_graphql
from callboard_apis.texts import name_of

_ = Translator("apis")

_WORDS: Final[dict[str, Message]] = {
    "TYPE_REMOVED": _("A type was removed."),
    "TYPE_CHANGED_KIND": _("A type became one of another kind."),
    "TYPE_REMOVED_FROM_UNION": _("A type was removed from a union."),
    "VALUE_REMOVED_FROM_ENUM": _("A value was removed."),
    "REQUIRED_INPUT_FIELD_ADDED": _("A required input field was added."),
    "IMPLEMENTED_INTERFACE_REMOVED": _("An interface is not implemented any more."),
    "FIELD_REMOVED": _("A field was removed."),
    "FIELD_CHANGED_KIND": _("The type of a field changed."),
    "REQUIRED_ARG_ADDED": _("A required argument was added."),
    "ARG_REMOVED": _("An argument was removed."),
    "ARG_CHANGED_KIND": _("The type of an argument changed."),
    "DIRECTIVE_REMOVED": _("A directive was removed."),
    "DIRECTIVE_ARG_REMOVED": _("An argument of a directive was removed."),
    "REQUIRED_DIRECTIVE_ARG_ADDED": _("A required argument of a directive was added."),
    "DIRECTIVE_REPEATABLE_REMOVED": _("A directive may not be repeated any more."),
    "DIRECTIVE_LOCATION_REMOVED": _("A directive has a place less."),
    "VALUE_ADDED_TO_ENUM": _("A value was added."),
    "TYPE_ADDED_TO_UNION": _("A type was added to a union."),
    "OPTIONAL_INPUT_FIELD_ADDED": _("An optional input field was added."),
    "OPTIONAL_ARG_ADDED": _("An optional argument was added."),
    "IMPLEMENTED_INTERFACE_ADDED": _("An interface is implemented now."),
    "ARG_DEFAULT_VALUE_CHANGE": _("The default of an argument changed."),
}


def compare_graphql(old: str, new: str) -> Changes:
    """Give what changed; raises `DocumentFaultError` for a schema that cannot be built."""
    changes = Changes()
    before, after = _built(old), _built(new)
    for breaking in find_breaking_changes(before, after):
        changes.add("breaking", breaking.description, _word(breaking.type))
    for dangerous in find_dangerous_changes(before, after):
        changes.add("warning", dangerous.description, _word(dangerous.type))
    _additions(before, after, changes)
    return changes


def _built(text: str) -> GraphQLSchema:
    try:
        return build_ast_schema(parse_graphql(text), assume_valid=True, assume_valid_sdl=True)
    except (GraphQLError, TypeError, KeyError, ValueError, RecursionError) as error:
        reason = name_of(error, 200).rstrip(".")
        message = _("The GraphQL schema cannot be read: %(reason)s.", reason=reason)
        raise DocumentFaultError(message) from error


def _word(kind: BreakingChangeType | DangerousChangeType) -> Message:
    return _WORDS.get(kind.name, _("It changed."))


def _additions(before: GraphQLSchema, after: GraphQLSchema, changes: Changes) -> None:
    for name, kind in after.type_map.items():
        if name not in before.type_map:
            changes.add("ok", name, _("A type was added."))
            continue
        fields = getattr(kind, "fields", None) or {}
        known = getattr(before.type_map[name], "fields", None) or {}
        for field, given in fields.items():
            if field not in known:
                required = hasattr(given, "default_value") and str(given.type).endswith("!")
                if not required:
                    changes.add("ok", f"{name}.{field}", _("A field was added."))
            elif getattr(given, "deprecation_reason", None) and not getattr(
                known[field], "deprecation_reason", None
            ):
                changes.add("warning", f"{name}.{field}", _("The field is deprecated now."))
