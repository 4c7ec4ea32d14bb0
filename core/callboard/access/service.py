"""Decides, from the policy as it is now."""

from collections.abc import Iterable

from callboard.access.defaults import BUILT_IN, DEFAULT_BINDINGS, default_roles
from callboard.access.model import (
    NONE,
    Binding,
    Decision,
    EntityFilter,
    Policy,
    Reason,
    Role,
    covers,
)
from callboard.access.settings import AccessSettings, SelectorSettings
from callboard.entities import EntityRef
from callboard.i18n import Translator
from callboard.identity import EVERYTHING, EntityFacts, Permission, Selector, Subject

_ = Translator("callboard")

READ = "catalog.entity.read"


class Access:
    """Says what a subject may do. Deny wins, and what nothing allows is refused."""

    def __init__(self, settings: AccessSettings, permissions: Iterable[Permission]) -> None:
        self.settings = settings
        self.permissions = {item.name: item for item in permissions}
        self.generation = 0
        self.policy = self._read()

    def _read(self) -> Policy:
        chosen = self.settings
        roles = default_roles(self.permissions.values())
        for item in chosen.roles:
            roles[item.name] = Role(
                name=item.name,
                title=item.title or item.name,
                permissions=tuple(item.permissions),
                source="callboard.yaml",
            )
        bindings = list(DEFAULT_BINDINGS) if chosen.defaults else []
        if chosen.anonymous:
            given = frozenset({"everyone"})
            bindings.append(Binding(role=chosen.anonymous, subjects=given, source=BUILT_IN))
        if chosen.administrators:
            given = frozenset(map(_subject, chosen.administrators))
            bindings.append(Binding(role="administrator", subjects=given, source="callboard.yaml"))
        for entry in chosen.bindings:
            bindings.append(
                Binding(
                    role=entry.role,
                    subjects=frozenset(map(_subject, entry.to)),
                    on=selector_of(entry.on),
                    effect=entry.effect,
                    source="callboard.yaml",
                    note=entry.note,
                )
            )
        return Policy(roles=roles, bindings=tuple(bindings))

    def decide(
        self,
        subject: Subject,
        permission: str,
        facts: EntityFacts | None = None,
        *,
        environment: str = "",
    ) -> Decision:
        """Say whether a subject may do something, with an entity or with the portal as a whole.

        Without `facts` only what is given on all entities counts; see `anywhere`.
        """
        reasons = []
        allowed = denied = False
        for binding in self._bindings(subject, permission):
            if facts is None:
                fits = binding.on == EVERYTHING
            else:
                fits = binding.on.fits(facts, subject.owners, environment)
            if not fits:
                continue
            denied = denied or binding.effect == "deny"
            allowed = allowed or binding.effect == "allow"
            text = _("Role %(role)s, from %(source)s", role=binding.role, source=binding.source)
            reasons.append(Reason(effect=binding.effect, text=text, binding=binding))
        if subject.limits is not None and not any(
            covers(limit.permissions, permission)
            and (
                limit.on == EVERYTHING
                if facts is None
                else limit.on.fits(facts, subject.owners, environment)
            )
            for limit in subject.limits
        ):
            denied = True
            reasons.append(Reason(effect="deny", text=_("The token is not made for this.")))
        if not allowed and not denied:
            reasons.append(Reason(effect="deny", text=_("Nothing allows it.")))
        reasons.sort(key=lambda reason: reason.effect != "deny")
        return Decision(
            allowed=allowed and not denied, permission=permission, reasons=tuple(reasons)
        )

    def anywhere(self, subject: Subject, permission: str) -> bool:
        """Say whether there may be an entity with which a subject may do something."""
        return not self.filter(subject, permission).nothing

    def filter(self, subject: Subject, permission: str = READ) -> EntityFilter:
        """Give which entities a subject may do something with."""
        allow: set[Selector] = set()
        deny: set[Selector] = set()
        for binding in self._bindings(subject, permission):
            (allow if binding.effect == "allow" else deny).add(binding.on)
        if not allow:
            return NONE
        if EVERYTHING in allow:
            allow = {EVERYTHING}
        within = None
        if subject.limits is not None:
            within = frozenset(
                limit.on for limit in subject.limits if covers(limit.permissions, permission)
            )
        parts = (*allow, *deny, *(within or ()))
        mine = subject.owners if any(part.owned for part in parts) else frozenset()
        return EntityFilter(allow=frozenset(allow), deny=frozenset(deny), within=within, mine=mine)

    def _bindings(self, subject: Subject, permission: str) -> list[Binding]:
        names = {"everyone", "signed-in" if subject.signed_in else "anonymous"}
        names |= subject.owners
        names.update(subject.names)
        names.add(str(subject.principal))
        roles = self.policy.roles
        found = [
            binding
            for binding in self.policy.bindings
            if not binding.subjects.isdisjoint(names)
            and binding.role in roles
            and covers(roles[binding.role].permissions, permission)
        ]
        found += [
            Binding(role=name, subjects=frozenset(), source="session")
            for name in subject.roles
            if name in roles and covers(roles[name].permissions, permission)
        ]
        return found


def _subject(text: str) -> str:
    if text.partition(":")[0].lower() in ("user", "group"):
        return str(EntityRef.parse(text))
    return text


def selector_of(given: SelectorSettings) -> Selector:
    """Give the selector that settings describe."""

    def refs(values: list[str], kind: str) -> frozenset[str]:
        return frozenset(str(EntityRef.parse(value, default_kind=kind)) for value in values)

    def lower(values: list[str]) -> frozenset[str]:
        return frozenset(value.lower() for value in values)

    return Selector(
        kinds=lower(given.kind),
        types=lower(given.type),
        owners=refs(given.owner, "group"),
        systems=refs(given.system, "system"),
        domains=refs(given.domain, "domain"),
        namespaces=lower(given.namespace),
        tags=lower(given.tag),
        environments=frozenset(given.environment),
        refs=refs(given.entity, "component"),
        owned=given.owned,
    )
