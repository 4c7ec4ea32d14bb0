"""Who acts, what they may be told about, and the names of what may be done."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Literal

from callboard.entities import EntityRef
from callboard.i18n import Text

PrincipalKind = Literal["person", "token", "workload", "system", "anonymous"]

DefaultRole = Literal[
    "viewer", "developer", "maintainer", "security", "auditor", "administrator"
]  # fmt: skip
"""The roles that are there without being configured.

A developer has what a viewer has and more, a maintainer what a developer has; an auditor has what
a viewer has, security what an auditor has; the administrator has everything.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The one who acts: a person, a token, a workload, the system itself, or nobody known.

    `name` is stable: a person's User reference (`user:default/ada`), or the provider with its
    subject where there is no such entity; a token's number; the name of a workload's rule.
    """

    kind: PrincipalKind
    name: str
    entity: EntityRef | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


ANONYMOUS: Final = Principal(kind="anonymous", name="anonymous")
SYSTEM: Final = Principal(kind="system", name="callboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A named right, such as `catalog.source.refresh`.

    Names are `<area>.<object>.<verb>`; a plugin's begin with its own name. `role` is the least of
    the default roles that has it. `about` tells whether it is asked about an entity, so that a
    binding may give it for some entities only, or about the portal as a whole.
    """

    name: str
    title: Text
    description: Text = ""
    role: DefaultRole = "administrator"
    about: Literal["portal", "entity"] = "portal"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFacts:
    """What decisions look at in an entity. References are canonical, as text; tags lower-case.

    `domain` is the entity's own, or that of its system. `environment` is the label of that name.
    """

    ref: str
    kind: str
    namespace: str
    type: str = ""
    owner: str = ""
    system: str = ""
    domain: str = ""
    tags: frozenset[str] = frozenset()
    environment: str = ""


def facts_of_reference(ref: EntityRef) -> EntityFacts:
    """Give what a reference alone tells of an entity."""
    return EntityFacts(ref=str(ref), kind=ref.kind, namespace=ref.namespace)


def facts_of_references(refs: Iterable[EntityRef]) -> dict[EntityRef, EntityFacts]:
    """Give what references alone tell of entities."""
    return {ref: facts_of_reference(ref) for ref in refs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which entities are meant: all that fit every field given, each by any of its values.

    One with nothing given fits all. `owned` asks for what the asker owns, or a group of theirs.
    """

    kinds: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    refs: frozenset[str] = frozenset()
    owned: bool = False

    def fits(self, facts: EntityFacts, mine: frozenset[str], environment: str = "") -> bool:
        """Say whether an entity is meant. `environment` is the one that is acted on, if any."""
        # Written out: this is asked for every entity and selector of some decisions.
        return (
            (not self.kinds or facts.kind in self.kinds)
            and (not self.namespaces or facts.namespace in self.namespaces)
            and (not self.types or facts.type.lower() in self.types)
            and (not self.owners or facts.owner in self.owners)
            and (not self.systems or facts.system in self.systems)
            and (not self.domains or facts.domain in self.domains)
            and (
                not self.environments
                or (environment or facts.environment).lower() in self.environments
            )
            and (not self.refs or facts.ref in self.refs)
            and (not self.tags or not self.tags.isdisjoint(facts.tags))
            and (not self.owned or facts.owner in mine or facts.ref in mine)
        )


EVERYTHING: Final = Selector()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a token is narrowed to: permissions by pattern (`catalog.*`), on some entities."""

    permissions: tuple[str, ...]
    on: Selector = EVERYTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The one who asks, with all that decisions look at.

    `mine` are their User entity and the groups above it, the nearest first. `names` are further
    names that bindings may use, such as `provider-group:developers` or `service:deployer`.
    `roles` are held without a binding. `limits` narrow what roles give, where they are not None.
    `session` is the number of a person's session. `on_behalf_of` is the person a token acts for.
    """

    principal: Principal
    title: str = ""
    mine: tuple[EntityRef, ...] = ()
    names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    limits: tuple[Limit, ...] | None = None
    session: int | None = None
    on_behalf_of: Principal | None = None
    _owners: frozenset[str] = field(init=False, repr=False, compare=False)
    _called: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        owners = frozenset(map(str, self.mine))
        general = ("everyone", "signed-in" if self.signed_in else "anonymous")
        # What a token does for a person is the person's, to the last binding.
        by_token = self.principal.kind == "token" and self.on_behalf_of is not None
        own = self.on_behalf_of if by_token else self.principal
        called = owners.union(general, self.names, (str(own),))
        object.__setattr__(self, "_owners", owners)
        object.__setattr__(self, "_called", called)

    @property
    def owners(self) -> frozenset[str]:
        """`mine` as text."""
        return self._owners

    @property
    def called(self) -> frozenset[str]:
        """Every name that a binding may give to this subject, such as `everyone`."""
        return self._called

    @property
    def signed_in(self) -> bool:
        """Whether it is known who asks."""
        return self.principal.kind != "anonymous"


NOBODY: Final = Subject(principal=ANONYMOUS)

_ASKING: Final[ContextVar[Subject | None]] = ContextVar("callboard_asking", default=None)

CLIENT_ADDRESS: Final[ContextVar[str]] = ContextVar("callboard_client_address", default="")
"""The address of the machine that asks, as far as trusted proxies tell it; empty in jobs."""


def asking() -> Subject | None:
    """Give who asks, for all that is done to answer them; None where the portal works itself.

    What is read while someone asks is narrowed to what they may see: `host.catalog` gives no
    entity that is hidden from them.
    """
    return _ASKING.get()


@contextmanager
def acting_for(subject: Subject | None) -> Iterator[None]:
    """Let everything within the block be asked by a subject; by the portal itself for None."""
    token = _ASKING.set(subject)
    try:
        yield
    finally:
        _ASKING.reset(token)
