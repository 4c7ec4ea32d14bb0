"""What a change of policies does, in words, and to requests that were recorded."""

from collections.abc import Iterable
from dataclasses import dataclass

from callboard.access import (
    Access,
    BindingSettings,
    Change,
    Differences,
    Policy,
    RoleSettings,
)
from callboard.access.assembly import selector_of
from callboard.access.compiled import Compiled
from callboard.i18n import Text, Translator
from callboard_web.access.subjects import Directory
from callboard_web.access.words import listed, selector_words, title_of

_ = Translator("callboard")

MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do: in sentences, and to requests that were recorded."""

    sentences: tuple[Text, ...]
    differences: Differences


def preview(access: Access, directory: Directory, change: Change) -> Preview:
    """Try a change that was not made yet."""
    draft = access.store.draft(change)
    return Preview(
        sentences=sentences(access, directory, change, draft), differences=access.dry_run(draft)
    )


def sentences(
    access: Access, directory: Directory, change: Change, draft: Policy
) -> tuple[Text, ...]:
    """Say what a change does."""
    before = before_of(access, change)
    told: list[Text] = []
    if isinstance(before, BindingSettings):
        told.append(binding_ends(access, directory, before))
    if isinstance(change.settings, BindingSettings):
        told.append(binding_begins(access, directory, change.settings))
    if isinstance(change.settings, RoleSettings):
        told += role_changes(access, change.settings.name, draft)
    return tuple(told)


def before_of(access: Access, change: Change) -> BindingSettings | RoleSettings | None:
    """Give what is changed or removed as it is now; None for something new."""
    if change.was is None:
        return None
    if isinstance(change.was, int):
        return access.store.binding(change.was).settings
    return access.store.role(change.was).settings


def binding_begins(access: Access, directory: Directory, settings: BindingSettings) -> Text:
    """Say what a binding does from now on."""
    words = _words(access, directory, settings)
    if settings.effect == "deny":
        return _("This takes what is in the role %(role)s from %(who)s, on %(where)s, "
                 "whatever else gives it.", **words)  # fmt: skip
    return _("This gives the role %(role)s to %(who)s, on %(where)s.", **words)


def binding_ends(access: Access, directory: Directory, settings: BindingSettings) -> Text:
    """Say what a binding no longer does."""
    words = _words(access, directory, settings)
    if settings.effect == "deny":
        return _("What is in the role %(role)s is no longer forbidden to %(who)s, on %(where)s.",
                 **words)  # fmt: skip
    return _("This takes the role %(role)s from %(who)s, on %(where)s. "
             "What other bindings give stays.", **words)  # fmt: skip


def _words(access: Access, directory: Directory, settings: BindingSettings) -> dict[str, Text]:
    return {
        "role": title_of(access.policy.roles.get(settings.role), settings.role),
        "who": people(directory, settings.to),
        "where": listed(list(selector_words(selector_of(settings.on)))),
    }


def people(directory: Directory, names: Iterable[str]) -> Text:
    """Give subjects by name, with how many people of the catalog they are."""
    found = directory.all_named(names)
    titles: list[Text] = [item.title for item in found[:MOST_NAMED]]
    rest = len(found) - len(titles)
    if rest:
        titles.append(_.plural("%(number)s more", "%(number)s more", rest))
    count = directory.people(item.name for item in found)
    if count == 0 or (count == 1 and len(found) == 1 and found[0].icon == "user"):
        return listed(titles)
    return _.plural(
        "%(who)s (%(number)s person)", "%(who)s (%(number)s people)", count, who=listed(titles)
    )


def role_changes(access: Access, name: str, draft: Policy) -> list[Text]:
    """Say which permissions a role gains and loses."""
    before = access.permissions_of(name) if name in access.policy.roles else frozenset()
    after = Compiled(draft, access.permissions).role_permissions.get(name, frozenset())
    told: list[Text] = []
    gained, lost = sorted(after - before), sorted(before - after)
    if gained:
        told.append(_("The role gets: %(names)s.", names=_titles(access, gained)))
    if lost:
        told.append(_("The role loses: %(names)s.", names=_titles(access, lost)))
    if not told:
        told.append(_("The role has the same permissions as before."))
    return told


def _titles(access: Access, names: list[str]) -> Text:
    titles: list[Text] = [access.permissions[name].title for name in names[:MOST_NAMED]]
    rest = len(names) - len(titles)
    if rest:
        titles.append(_.plural("%(number)s more", "%(number)s more", rest))
    return listed(titles)
