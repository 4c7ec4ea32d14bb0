"""Differences between two proto files, on the wire and in generated code.

Source: protobuf.dev/programming-guides/proto3, "Updating A Message Type".
"""

from typing import Final

from callboard.i18n import Translator
from callboard_apis.changes.change import Changes
from callboard_apis.protobuf_syntax import Enum, Field, Message, Rpc, parse_protobuf

_ = Translator("apis")

# Types that read each other's encoding.
_ALIKE: Final = (
    {"int32", "uint32", "int64", "uint64", "bool"},
    {"sint32", "sint64"},
    {"string", "bytes"},
    {"fixed32", "sfixed32"},
    {"fixed64", "sfixed64"},
)


def compare_protobuf(old: str, new: str) -> Changes:
    """Give what changed; raises `DocumentFaultError` for a file that cannot be read."""
    changes = Changes()
    before, after = parse_protobuf(old), parse_protobuf(new)
    if before.package != after.package:
        shown = {"old": before.package or "–", "new": after.package or "–"}
        message = _("The package changed from %(old)s to %(new)s.", **shown)
        changes.add("breaking", "package", message)
    _services(
        {f"{s.name}/{r.name}": r for s in before.services for r in s.rpcs},
        {f"{s.name}/{r.name}": r for s in after.services for r in s.rpcs},
        changes,
    )
    _messages(
        {one.name: one for one in before.messages},
        {one.name: one for one in after.messages},
        changes,
    )
    _enums({one.name: one for one in before.enums}, {one.name: one for one in after.enums}, changes)
    return changes


def _services(old: dict[str, Rpc], new: dict[str, Rpc], changes: Changes) -> None:
    for name, rpc in old.items():
        if name not in new:
            changes.add("breaking", name, _("The call was removed."))
            continue
        other = new[name]
        for was, now in ((rpc.request, other.request), (rpc.response, other.response)):
            if was != now:
                message = _("The type changed from %(old)s to %(new)s.", old=was, new=now)
                changes.add("breaking", name, message)
        if (rpc.request_streams, rpc.response_streams) != (
            other.request_streams,
            other.response_streams,
        ):
            changes.add("breaking", name, _("What is streamed changed."))
        if other.options.get("deprecated") == "true" != rpc.options.get("deprecated"):
            changes.add("warning", name, _("The call is deprecated now."))
    for name in new:
        if name not in old:
            changes.add("ok", name, _("A call was added."))


def _messages(old: dict[str, Message], new: dict[str, Message], changes: Changes) -> None:
    for name, message in old.items():
        if name not in new:
            changes.add("breaking", name, _("The message was removed."))
        else:
            _fields(message, new[name], changes)
    for name in new:
        if name not in old:
            changes.add("ok", name, _("A message was added."))


def _fields(old: Message, new: Message, changes: Changes) -> None:
    was = {field.number: field for field in old.fields}
    now = {field.number: field for field in new.fields}
    names = {field.name: field for field in new.fields}
    for number, field in was.items():
        where = f"{old.name}.{field.name} = {number}"
        if number not in now:
            if field.name in names:
                message = _("The number changed to %(new)s.", new=names[field.name].number)
                changes.add("breaking", where, message)
            elif number in _numbers(new.reserved):
                changes.add("warning", where, _("The field was removed; its number is reserved."))
            else:
                message = _("The field was removed, and its number is not reserved.")
                changes.add("breaking", where, message)
        else:
            _field(field, now[number], where, changes)
    for number, field in now.items():
        if number not in was:
            required = field.label == "required"
            reused = number in _numbers(old.reserved)
            place = f"{new.name}.{field.name} = {number}"
            if reused:
                changes.add("breaking", place, _("A reserved number is used again."))
            elif required:
                changes.add("breaking", place, _("A required field was added."))
            elif field.name not in {one.name for one in old.fields}:
                changes.add("ok", place, _("A field was added."))


def _field(old: Field, new: Field, where: str, changes: Changes) -> None:
    if old.type != new.type:
        shown = {"old": old.type, "new": new.type}
        alike = any({old.type, new.type} <= group for group in _ALIKE)
        message = _("The type changed from %(old)s to %(new)s.", **shown)
        changes.add("warning" if alike else "breaking", where, message)
    if old.name != new.name:
        message = _("The name changed to %(new)s: the same on the wire, not in JSON and code.",
                    new=new.name)  # fmt: skip
        changes.add("warning", where, message)
    if old.label != new.label and "repeated" in (old.label, new.label):
        changes.add("breaking", where, _("It is repeated in one of the versions only."))
    elif old.label != new.label and "required" in (old.label, new.label):
        changes.add("breaking", where, _("It is required in one of the versions only."))
    if old.oneof != new.oneof:
        changes.add("breaking", where, _("It moved into or out of a oneof."))
    if new.deprecated and not old.deprecated:
        changes.add("warning", where, _("The field is deprecated now."))


def _enums(old: dict[str, Enum], new: dict[str, Enum], changes: Changes) -> None:
    for name, enum in old.items():
        if name not in new:
            changes.add("breaking", name, _("The enumeration was removed."))
            continue
        was = {value.name: value.number for value in enum.values}
        now = {value.name: value.number for value in new[name].values}
        for value, number in was.items():
            where = f"{name}.{value}"
            if value not in now:
                changes.add("breaking", where, _("A value was removed."))
            elif now[value] != number:
                message = _("The number changed to %(new)s.", new=now[value])
                changes.add("breaking", where, message)
        for value in now:
            if value not in was:
                changes.add("warning", f"{name}.{value}", _("A value was added."))
    for name in new:
        if name not in old:
            changes.add("ok", name, _("An enumeration was added."))


def _numbers(reserved: list[str]) -> set[str]:
    found: set[str] = set()
    for text in reserved:
        first, _word, last = text.partition(" to ")
        if first.isdecimal() and last.isdecimal() and int(last[:9]) - int(first[:9]) < 10_000:
            found |= {str(number) for number in range(int(first[:9]), int(last[:9]) + 1)}
        else:
            found.add(text)
    return found
