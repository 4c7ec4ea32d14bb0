"""Puts a policy together from all places where parts of it are written."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from callboard.access.defaults import BUILT_IN, DEFAULT_BINDINGS, default_roles
from callboard.access.model import Binding, Origin, Policy, PolicyFault, Role, covers
from callboard.access.settings import (
    AccessSettings,
    BindingSettings,
    RoleSettings,
    SelectorSettings,
)
from callboard.i18n import Text, Translator
from callboard.identity import Permission, Selector

_ = Translator("callboard")

ADMINISTRATOR = "administrator"
PAGES = _("pages")

Place = Callable[[str, int], str]
"""Says where `roles` or `bindings` number so-and-so of the settings are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPart:
    """The roles and bindings that are written in one place, and what is wrong with it."""

    roles: tuple[Role, ...] = ()
    bindings: tuple[Binding, ...] = ()
    faults: tuple[PolicyFault, ...] = ()


def built_in(settings: AccessSettings, permissions: Iterable[Permission]) -> PolicyPart:
    """Give the default roles, and what is bound without a binding being written."""
    bindings = list(DEFAULT_BINDINGS) if settings.defaults else []
    if settings.anonymous:
        given = frozenset({"everyone"})
        bindings.append(Binding(role=settings.anonymous, subjects=given, source=BUILT_IN))
    return PolicyPart(roles=tuple(default_roles(permissions).values()), bindings=tuple(bindings))


def of_settings(settings: AccessSettings, place: Place) -> PolicyPart:
    """Give what `callboard.yaml` says."""
    roles = [
        role_of(item, source=place("roles", index), origin="settings")
        for index, item in enumerate(settings.roles)
    ]
    bindings = [
        binding_of(item, source=place("bindings", index), origin="settings")
        for index, item in enumerate(settings.bindings)
    ]
    if settings.administrators:
        bindings.append(
            Binding(
                role=ADMINISTRATOR,
                subjects=frozenset(settings.administrators),
                source=place("administrators", -1),
                origin="settings",
            )
        )
    return PolicyPart(roles=tuple(roles), bindings=tuple(bindings))


def of_pages(
    roles: Iterable[RoleSettings], bindings: Iterable[tuple[int, BindingSettings]]
) -> PolicyPart:
    """Give what was made in pages."""
    return PolicyPart(
        roles=tuple(role_of(item, source=PAGES, origin="pages") for item in roles),
        bindings=tuple(
            binding_of(item, source=PAGES, origin="pages", number=number)
            for number, item in bindings
        ),
    )


def role_of(item: RoleSettings, *, source: Text, origin: Origin) -> Role:
    """Give the role that settings describe."""
    return Role(
        name=item.name,
        title=item.title or item.name,
        description=item.description,
        permissions=tuple(item.permissions),
        includes=tuple(item.includes),
        source=source,
        origin=origin,
    )


def binding_of(item: BindingSettings, *, source: Text, origin: Origin, number: int = 0) -> Binding:
    """Give the binding that settings describe."""
    return Binding(
        role=item.role,
        subjects=frozenset(item.to),
        on=selector_of(item.on),
        effect=item.effect,
        source=source,
        note=item.note,
        origin=origin,
        number=number,
    )


def selector_of(given: SelectorSettings) -> Selector:
    """Give the selector that settings describe."""
    return Selector(
        kinds=frozenset(given.kind),
        types=frozenset(given.type),
        owners=frozenset(given.owner),
        systems=frozenset(given.system),
        domains=frozenset(given.domain),
        namespaces=frozenset(given.namespace),
        tags=frozenset(given.tag),
        environments=frozenset(given.environment),
        refs=frozenset(given.entity),
        owned=given.owned,
    )


def combine(parts: Sequence[PolicyPart]) -> tuple[Policy, tuple[PolicyFault, ...]]:
    """Make one policy of parts, the first of which are the default roles and `callboard.yaml`.

    Of roles with one name the first counts; but `callboard.yaml` and files may write a default
    role anew, except the administrator's.
    """
    roles: dict[str, Role] = {}
    faults = [fault for part in parts for fault in part.faults]
    for role in (role for part in parts for role in part.roles):
        present = roles.get(role.name)
        if present is None or _may_replace(role, present):
            roles[role.name] = role
        elif role != present:
            faults.append(
                _fault(role.source, _("There is a role %(name)s already, from %(source)s.",
                                      name=role.name, source=present.source))
            )  # fmt: skip
    bindings = tuple(binding for part in parts for binding in part.bindings)
    faults += _faults_of_includes(roles)
    faults += [
        _fault(item.source, _("There is no role %(role)s.", role=item.role))
        for item in bindings
        if item.role not in roles
    ]
    return Policy(roles=roles, bindings=bindings), tuple(faults)


def _may_replace(role: Role, present: Role) -> bool:
    written = role.origin in ("settings", "repository")
    return written and present.origin == "built-in" and role.name != ADMINISTRATOR


def _faults_of_includes(roles: Mapping[str, Role]) -> list[PolicyFault]:
    faults = []
    for role in roles.values():
        for name in role.includes:
            if name not in roles:
                faults.append(_fault(role.source, _("There is no role %(role)s.", role=name)))
            elif role.name in reachable(roles, name):
                text = _("The role %(role)s includes itself.", role=role.name)
                faults.append(_fault(role.source, text))
    return faults


def reachable(roles: Mapping[str, Role], name: str) -> set[str]:
    """Give a role's name and those of all roles it includes, however far; cycles do not matter."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in roles and current not in found:
            found.add(current)
            waiting.extend(roles[current].includes)
    return found


def _fault(source: Text, message: Text) -> PolicyFault:
    file, _colon, line = str(source).rpartition(":")
    if file and line.isdigit():
        return PolicyFault(file=file, line=int(line), message=message)
    return PolicyFault(file=str(source), line=0, message=message)


def unnamed(policy: Policy, permissions: Collection[str]) -> Iterator[PolicyFault]:
    """Tell of what roles give that nobody declares: it may come with a plugin, or be misspelt."""
    known: dict[str, bool] = {}
    for role in policy.roles.values():
        for pattern in role.permissions:
            if pattern not in known:
                known[pattern] = pattern in permissions or any(
                    covers((pattern,), name) for name in permissions
                )
            if not known[pattern] and role.origin != "built-in":
                text = _("Nobody declares a permission %(name)s; it is kept.", name=pattern)
                yield replace(_fault(role.source, text), severity="note")
