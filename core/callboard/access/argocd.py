"""Makes roles and bindings of Argo CD's policy rules.

`p, SUBJECT, RESOURCE, ACTION, OBJECT, EFFECT` becomes a role with one permission,
`argocd.<resource>.<action>`, bound to all who are or have SUBJECT by rules `g`; OBJECT becomes the
selector. What Argo CD says and the portal cannot is never made into more rights: a rule that
allows is left out, one that denies denies more, and both are told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from callboard.access.argocd_csv import Line, alternatives, matches
from callboard.access.assembly import PolicyPart
from callboard.access.model import Binding, PolicyFault, Role
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import EVERYTHING, Selector

_ = Translator("callboard")

Project = Literal["system", "domain", "namespace", "environment"]

PREFIX: Final = "argocd"
RESOURCES: Final[Mapping[str, str]] = {
    "applications": "application",
    "applicationsets": "applicationset",
    "logs": "log",
    "exec": "exec",
    "projects": "project",
    "clusters": "cluster",
    "repositories": "repository",
    "write-repositories": "write-repository",
    "certificates": "certificate",
    "accounts": "account",
    "gpgkeys": "gpgkey",
    "extensions": "extension",
}
"""Argo CD's resources and what the middle part of the permission is then."""

WITHIN_PROJECTS: Final = frozenset({"applications", "applicationsets", "logs", "exec"})
"""Resources whose objects are `<project>/<name>`, or `<project>/<namespace>/<name>`."""

SORTS: Final = ("user", "group", "provider-group", "service")
"""Subjects that are written with one of these sorts name it; all others are provider groups."""

MOST_LEVELS: Final = 10
"""Rules `g` that lead from a subject to a role at most: the bound of Casbin's role manager."""

MOST_SUBJECTS: Final = 500_000
"""Subjects of all rules of a source together, each as often as it is given something."""

BUILT_IN_FILE: Final = "Argo CD"
_READABLE: Final = (
    "applications", "applicationsets", "certificates", "clusters", "repositories",
    "write-repositories", "projects", "accounts", "gpgkeys", "logs",
)  # fmt: skip
_CHANGEABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "applications": ("create", "update", "update/*", "delete", "delete/*", "sync", "rollback",
                     "override", "action/*"),
    "applicationsets": ("get", "create", "update", "delete"),
    "certificates": ("create", "update", "delete"),
    "clusters": ("create", "update", "delete"),
    "repositories": ("create", "update", "delete"),
    "write-repositories": ("create", "update", "delete"),
    "projects": ("create", "update", "delete"),
    "accounts": ("update",),
    "gpgkeys": ("create", "delete"),
    "exec": ("create", "debug"),
}  # fmt: skip


def _built_in() -> tuple[Line, ...]:
    """Give the rules of the roles that Argo CD has of itself."""
    rules: list[tuple[str, str, str]] = [("role:readonly", item, "get") for item in _READABLE]
    rules += [
        ("role:admin", item, action) for item, actions in _CHANGEABLE.items() for action in actions
    ]
    lines = [
        Line(BUILT_IN_FILE, 0, "p", (role, resource, action, "*", "allow"))
        for role, resource, action in rules
    ]
    return (*lines, Line(BUILT_IN_FILE, 0, "g", ("role:admin", "role:readonly")))


BUILT_IN: Final = _built_in()


@dataclass(frozen=True, slots=True)
class _Object:
    """What an object of a rule means in the catalog; `exact` unless it means more than that."""

    on: Selector
    exact: bool = True


def convert(
    lines: Sequence[Line], *, default_role: str = "", project: Project = "system"
) -> PolicyPart:
    """Give the roles and bindings that rules stand for; those of all files of a source at once.

    `default_role` is what everyone signed in has (Argo CD's `policy.default`).
    """
    every = (*BUILT_IN, *lines)
    try:
        held_by = _holders([line for line in every if line.kind == "g"])
        if default_role:
            held_by.setdefault(default_role, set()).add("signed-in")
        return _converted(every, held_by, project)
    except _TooManyError:
        file = lines[0].file if lines else BUILT_IN_FILE
        message = _("The rules give roles to more than %(limit)s subjects.", limit=MOST_SUBJECTS)
        return PolicyPart(faults=(PolicyFault(file=file, line=0, message=message),))


class _TooManyError(Exception):
    """Rules that stand for more than can be kept."""


def _converted(
    lines: Sequence[Line], held_by: Mapping[str, set[str]], project: Project
) -> PolicyPart:
    roles: list[Role] = []
    bindings: list[Binding] = []
    faults: list[PolicyFault] = []
    subjects: dict[str, frozenset[str]] = {}
    count = 0
    for line in (line for line in lines if line.kind == "p"):
        name = line.fields[0]
        if name not in subjects:
            subjects[name] = _subjects(name, held_by)
        if line.file == BUILT_IN_FILE and not subjects[name]:
            continue
        count += len(subjects[name])
        if count > MOST_SUBJECTS:
            raise _TooManyError
        made, notes = _rule(line, subjects[name], project)
        faults += notes
        if made is not None:
            roles.append(made[0])
            bindings += made[1]
    return PolicyPart(roles=tuple(roles), bindings=tuple(bindings), faults=tuple(faults))


def _holders(grants: Iterable[Line]) -> dict[str, set[str]]:
    """Give for each name all names that have what it has, over ten rules at most as in Casbin."""
    given: dict[str, list[str]] = {}
    for line in grants:
        given.setdefault(line.fields[0], []).append(line.fields[1])
    found: dict[str, set[str]] = {}
    count = 0
    for start in given:
        seen: set[str] = set()
        level = set(given[start])
        for _step in range(MOST_LEVELS):
            seen |= level
            level = {name for item in level for name in given.get(item, ())} - seen
            if not level:
                break
        count += len(seen)
        if count > MOST_SUBJECTS:
            raise _TooManyError
        for name in seen:
            found.setdefault(name, set()).add(start)
    return found


def _subjects(name: str, held_by: Mapping[str, set[str]]) -> frozenset[str]:
    names = {name, *held_by.get(name, ())}
    if any("signed-in" in held_by.get(item, ()) for item in names):
        names.add("signed-in")
    return frozenset(filter(None, map(_subject, names)))


def _subject(name: str) -> str:
    """Give the subject of a binding; nothing for the name of a role."""
    if name.startswith(("role:", "proj:")) or not name:
        return ""
    if name == "signed-in":
        return name
    sort, colon, _rest = name.partition(":")
    if colon and sort.lower() in ("user", "group"):
        try:
            return str(EntityRef.parse(name))
        except InputError:
            return f"provider-group:{name}"
    return name if colon and sort in SORTS else f"provider-group:{name}"


def _rule(
    line: Line, subjects: frozenset[str], project: Project
) -> tuple[tuple[Role, list[Binding]] | None, list[PolicyFault]]:
    subject, resource, action, given, effect = line.fields
    notes: list[PolicyFault] = []

    def note(message: Text) -> None:
        notes.append(
            PolicyFault(file=line.file, line=line.number, message=message, severity="note")
        )

    if effect not in ("allow", "deny"):
        note(_("The effect %(effect)s is neither allow nor deny: the rule has none.",
               effect=repr(effect[:40])))  # fmt: skip
        return None, notes
    permissions, known = _permissions(resource, action)
    if not permissions:
        note(_("A pattern of this rule is none of Argo CD's: it names nothing."))
        return None, notes
    if not known:
        note(_("Argo CD has no resource %(resource)s: the permission is kept as it is written.",
               resource=repr(resource[:40])))  # fmt: skip
    objects = _objects(resource, given, project)
    lost = [item for item in objects if not item.exact]
    if lost and effect == "allow":
        note(_("%(object)s cannot be said with selectors: what it allows is left out.",
               object=repr(given[:80])))  # fmt: skip
        objects = [item for item in objects if item.exact]
    elif lost:
        note(_("%(object)s cannot be said with selectors: more than that is denied.",
               object=repr(given[:80])))  # fmt: skip
    if "@" in subject:
        note(_("Subjects are groups of the provider; write user:NAME for a person."))
    place = f"{line.file}:{line.number}" if line.number else f"{line.file}, {resource} {action}"
    role = Role(
        name=f"{subject} ({place})",
        title=subject,
        permissions=permissions,
        source=f"{line.file}:{line.number}" if line.number else line.file,
        origin="repository",
    )
    bindings = [
        Binding(
            role=role.name, subjects=subjects, on=item.on,
            effect="deny" if effect == "deny" else "allow",
            source=role.source, origin="repository",
        )
        for item in objects
        if subjects
    ]  # fmt: skip
    return (role, bindings), notes


def _permissions(resource: str, action: str) -> tuple[tuple[str, ...], bool]:
    """Give the permissions that a resource and an action name, and whether Argo CD knows it."""
    actions, resources = alternatives(action), alternatives(resource)
    if not actions or not resources:
        return (), True
    named = [RESOURCES[item] for item in RESOURCES if matches(resource, item)]
    known = bool(named)
    if len(named) == len(RESOURCES):
        named = ["*"]
    return tuple(
        f"{PREFIX}.{item}.{verb}" for item in (named or resources) for verb in actions
    ), known


def _objects(resource: str, given: str, project: Project) -> list[_Object]:
    """Give what the object of a rule means, each of its alternatives."""
    ways = alternatives(given)
    if ways is None:
        return [_Object(EVERYTHING, exact=False)]
    if any(matches(resource, item) for item in WITHIN_PROJECTS):
        return [_application(way, project) for way in ways]
    if resource == "projects":
        return [_scope(way, "*", project) for way in ways]
    return [_Object(EVERYTHING, exact=way == "*") for way in ways]


def _application(way: str, project: Project) -> _Object:
    """Give what `*`, `project/*` or `project/name` means.

    Namespaces of a cluster are nothing in the catalog: `project/namespace/name` means more.
    """
    if way in ("*", "*/*"):
        return _Object(EVERYTHING)
    parts = way.split("/")
    if len(parts) == 2:
        return _scope(parts[0], parts[1], project)
    if len(parts) == 3:
        return replace(_scope(parts[0], parts[2], project), exact=False)
    return _Object(EVERYTHING, exact=False)


def _scope(project: str, name: str, kind: Project) -> _Object:
    exact = True
    on = EVERYTHING
    if project != "*":
        value = None if _wild(project) else _plain(project, kind)
        if value is None:
            exact = False
        else:
            on = _selector(kind, frozenset({value}))
    if name != "*":
        value = None if _wild(name) else _reference(name, "component")
        if value is None:
            exact = False
        else:
            on = replace(on, refs=frozenset({value}))
    return _Object(on, exact)


def _selector(kind: Project, values: frozenset[str]) -> Selector:
    if kind == "system":
        return Selector(systems=values)
    if kind == "domain":
        return Selector(domains=values)
    return Selector(namespaces=values) if kind == "namespace" else Selector(environments=values)


def _plain(project: str, kind: Project) -> str | None:
    if kind in ("system", "domain"):
        return _reference(project, kind)
    return project.lower() if kind == "namespace" else project


def _reference(name: str, kind: str) -> str | None:
    """Give the reference of the entity with a name; None for what cannot be one."""
    try:
        found = EntityRef.parse(name, default_kind=kind)
    except InputError:
        return None
    return str(found) if ":" not in name and "/" not in name else None


def _wild(text: str) -> bool:
    return any(char in text for char in "*?[")
