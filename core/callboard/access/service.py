"""Decides, from the policy as it is now."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from callboard.access.assembly import Place, selector_of
from callboard.access.compiled import Answer, Grants, is_break_glass, within
from callboard.access.current import CHANGE, CurrentPolicy, callboard_yaml, utc_now
from callboard.access.dry_run import Differences, compare
from callboard.access.explaining import (
    ConsideredLimit,
    ConsideredVerdict,
    Explanation,
    Giver,
    consider,
    fits,
    in_order,
)
from callboard.access.filters import NONE, EntityFilter, entity_filter
from callboard.access.model import Binding, Decision, Policy, Reason, covers
from callboard.access.requests import Recorder, Request
from callboard.access.settings import AccessSettings
from callboard.contributions import DecisionRequest, EntityVerdict
from callboard.database import Database
from callboard.i18n import Translator
from callboard.identity import EntityFacts, Permission, Subject

if TYPE_CHECKING:
    from callboard.access.deciders import Deciders

_ = Translator("callboard")
__all__ = ["CHANGE", "READ", "Access", "UnknownPermissionError", "selector_of"]
log = logging.getLogger(__name__)

READ: Final = "catalog.entity.read"

_LIMITED: Final = Reason(effect="deny", text=_("The token is not made for this."))
_NO_VERDICT: Final = EntityVerdict()


class UnknownPermissionError(LookupError):
    """A permission was asked for that nobody declares; raised in strict portals only."""


class Access(CurrentPolicy):
    """Says what a subject may do. Deny wins, and what nothing allows is refused.

    A `strict` one raises `UnknownPermissionError` where others refuse and log.
    """

    def __init__(
        self,
        settings: AccessSettings,
        permissions: Iterable[Permission],
        *,
        database: Database | None = None,
        place: Place = callboard_yaml,
        now: Callable[[], datetime] = utc_now,
        strict: bool = False,
        deciders: "Deciders | None" = None,
        recorder: Recorder | None = None,
    ) -> None:
        super().__init__(settings, permissions, database=database, place=place, now=now)
        self.strict = strict
        self._deciders = deciders
        self._recorder = recorder

    # Decisions

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
        if permission not in self.permissions:
            return self._unknown(permission)
        decision = self._decide(subject, permission, facts, environment)
        if self._recorder is not None and self._recorder.chosen():
            request = Request(subject, permission, facts, environment)
            self._recorder.note(request, decision.allowed)
        return decision

    def _decide(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> Decision:
        answer = self._now_compiled().answer(subject, permission, facts, environment)
        if subject.limits is not None and not within(
            subject.limits, permission, facts, subject.owners, environment
        ):
            answer = replace(answer, denied=(*answer.denied, _LIMITED))
        if not answer.denied and self._asks(subject):
            for item in self._verdicts(subject, permission, facts, environment):
                answer = _with_verdict(answer, item)
        return Decision(allowed=answer.allowed, permission=permission, reasons=answer.reasons)

    def _asks(self, subject: Subject) -> bool:
        """Say whether deciders take part; break-glass works without them."""
        deciders = self._deciders
        return deciders is not None and not deciders.idle and not is_break_glass(subject)

    def _verdicts(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> Sequence[ConsideredVerdict]:
        if self._deciders is None or not self._asks(subject):
            return ()
        return self._deciders.verdicts(
            DecisionRequest(
                subject=subject, permission=permission, entity=facts, environment=environment
            )
        )

    def _unknown(self, permission: str) -> Decision:
        if self.strict:
            raise UnknownPermissionError(
                f"Nobody declares the permission {permission!r}; see callboard_permissions."
            )
        log.error("Nobody declares the permission %s: it is refused.", permission[:120])
        reason = Reason(effect="deny", text=_("Nobody declares this permission."))
        return Decision(allowed=False, permission=permission, reasons=(reason,))

    def anywhere(self, subject: Subject, permission: str) -> bool:
        """Say whether there may be an entity with which a subject may do something.

        Where a decider is asked that cannot say so of all entities, there may be.
        """
        deciders = self._deciders
        if deciders is not None and self._asks(subject) and not deciders.lists(permission):
            denied = permission not in self.permissions or self._granted(subject, permission).denied
            return not denied and not deciders.missing
        return not self.filter(subject, permission).nothing

    def filter(self, subject: Subject, permission: str = READ) -> EntityFilter:
        """Give which entities a subject may do something with."""
        if permission not in self.permissions:
            self._unknown(permission)
            return NONE
        grants = self._granted(subject, permission)
        deciders = self._deciders
        if grants.denied or deciders is None or not self._asks(subject):
            verdict = _NO_VERDICT
        else:
            verdict = deciders.entities(subject, permission)
        return _limited(grants, subject, permission, verdict)

    def filter_of(
        self, generation: int, subject: Subject, permission: str = READ
    ) -> EntityFilter | None:
        """Give the same as `filter` by the policy of this generation, without waiting for anything.

        None where that would need the database or a decider.
        """
        compiled = self._compiled_of(generation)
        if compiled is None or self._asks(subject) or permission not in self.permissions:
            return None
        return _limited(compiled.grants(subject, permission), subject, permission, _NO_VERDICT)

    def _granted(self, subject: Subject, permission: str) -> Grants:
        return self._now_compiled().grants(subject, permission)

    # Explanations

    def explain(
        self,
        subject: Subject,
        permission: str,
        facts: EntityFacts | None = None,
        *,
        environment: str = "",
    ) -> Explanation:
        """Say why a subject may do something or not, with every binding that was looked at."""
        compiled = self._now_compiled()
        declared = self.permissions.get(permission)
        if declared is None:
            reason = Reason(effect="deny", text=_("Nobody declares this permission."))
            decision = Decision(allowed=False, permission=permission, reasons=(reason,))
        else:
            decision = self._decide(subject, permission, facts, environment)
        bindings = {id(item): item for item in compiled.policy.bindings}
        bindings |= {id(item): item for item in compiled.bindings_of(subject)}
        considered = [
            consider(
                binding,
                compiled.policy.roles.get(binding.role),
                compiled.gives(binding.role, permission),
                subject,
                facts,
                environment,
                compiled.sets_aside(binding, subject),
            )
            for binding in bindings.values()
        ]
        return Explanation(
            allowed=decision.allowed,
            permission=permission,
            declared=declared,
            reasons=decision.reasons,
            bindings=in_order(considered),
            limits=self._limits(subject, permission, facts, environment),
            verdicts=tuple(self._verdicts(subject, permission, facts, environment)),
            generation=compiled.generation,
        )

    def _limits(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> tuple[ConsideredLimit, ...]:
        found = []
        for limit in subject.limits or ():
            named = covers(limit.permissions, permission)
            meant = fits(limit.on, facts, subject.owners, environment)
            why = _("The token is made for it.")
            if not named:
                why = _("The token is made for other permissions.")
            elif not meant:
                why = _("The token is made for other entities.")
            found.append(ConsideredLimit(limit=limit, fits=named and meant, why=why))
        return tuple(found)

    def who_may(self, permission: str, facts: EntityFacts | None = None) -> Sequence[Giver]:
        """Give the roles that have a permission, with the bindings that give it on an entity.

        A role without bindings is among them: binding it would give the permission. What only
        owners have is given where the entity has one.
        """
        compiled = self._now_compiled()
        owners = frozenset({facts.owner}) if facts is not None and facts.owner else frozenset()
        found: dict[str, list[Binding]] = {
            name: [] for name in compiled.policy.roles if compiled.gives(name, permission)
        }
        for binding in compiled.policy.bindings:
            if (
                binding.effect == "allow"
                and binding.role in found
                and fits(binding.on, facts, owners, facts.environment if facts else "")
            ):
                found[binding.role].append(binding)
        return [
            Giver(role=compiled.policy.roles[name], bindings=tuple(items))
            for name, items in found.items()
        ]

    # Trying

    def dry_run(self, policy: Policy) -> Differences:
        """Compare a policy with the one in force, over the requests that were recorded.

        `store.draft(change)` gives the policy as it would be after a change in pages.
        """
        if self._database is None:
            raise RuntimeError("Without a database no requests are recorded.")
        present = self._now_compiled()
        return compare(self._database, present, self._compile(policy, present.generation))


def _limited(
    grants: Grants, subject: Subject, permission: str, verdict: EntityVerdict
) -> EntityFilter:
    """Give what is granted with what deciders say, narrowed to what a token is made for."""
    if subject.limits is None and verdict == _NO_VERDICT:
        return grants.filter
    limits = None
    if subject.limits is not None:
        limits = [item.on for item in subject.limits if covers(item.permissions, permission)]
    return entity_filter(
        grants.filter.allow.union(verdict.allow),
        grants.filter.deny.union(verdict.deny),
        limits,
        subject.owners,
    )


def _with_verdict(answer: Answer, item: ConsideredVerdict) -> Answer:
    if item.verdict == "deny":
        return replace(answer, denied=(*answer.denied, Reason(effect="deny", text=item.reason)))
    if item.verdict == "allow":
        return replace(answer, granted=(*answer.granted, Reason(effect="allow", text=item.reason)))
    return answer
