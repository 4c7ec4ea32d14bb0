"""Asks plugins and the outside systems behind them, which take part in decisions."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from callboard.access.explaining import ConsideredVerdict
from callboard.access.model import covers
from callboard.access.settings import DecidersSettings
from callboard.contributions import Decider, DecisionRequest, EntityVerdict, Verdict
from callboard.i18n import Translator
from callboard.identity import EVERYTHING, Subject, acting_for
from callboard.plugins import Contributed, PluginError, Plugins

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("callboard")

FAILED_SECONDS: Final = 2.0
"""How long a failure holds, before the decider is asked the same again."""

KEPT: Final = 10_000

REFUSED: Final = EntityVerdict(deny=(EVERYTHING,))


class Deciders:
    """Asks all deciders of the loaded plugins, side by side and under one time limit.

    What is kept is kept in this process: for `keep` an answer is the same for the same names of
    the subject, permission, facts of the entity and environment.
    """

    def __init__(
        self,
        plugins: Plugins,
        host_for: "Callable[[str], Host]",
        settings: DecidersSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plugins = plugins
        self._host_for = host_for
        self._settings = settings
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def idle(self) -> bool:
        """Whether nobody takes part."""
        return not self._plugins.contributions.deciders and not self._settings.required

    @property
    def missing(self) -> str:
        """The first plugin that must decide and has no decider, or nothing."""
        present = {item.plugin for item in self._plugins.contributions.deciders}
        return next((name for name in self._settings.required if name not in present), "")

    def asked(self, permission: str) -> Sequence[Contributed[Decider]]:
        """Give the deciders that are asked about a permission."""
        deciders = self._plugins.contributions.deciders
        return [item for item in deciders if covers(item.value.permissions, permission)]

    def verdicts(self, request: DecisionRequest) -> list[ConsideredVerdict]:
        """Ask about one thing; a failure is a denial that names the decider."""
        missing = self.missing
        if missing:
            return [_absent(missing)]
        asked = self.asked(request.permission)
        if not asked:
            return []
        key = (_key(request.subject), request.permission, request.entity, request.environment)
        answers = self._answers(
            asked,
            key,
            lambda decider, host: decider.decide(request, host),
            Verdict,
        )
        return [_considered(item, answers[item.key]) for item in asked]

    def entities(self, subject: Subject, permission: str) -> EntityVerdict:
        """Ask about all entities at once: what any allows, and what any denies."""
        if self.missing:
            return REFUSED
        asked = self.asked(permission)
        if not asked:
            return EntityVerdict()
        if any(item.value.entities is None for item in asked):
            return REFUSED
        answers = self._answers(asked, (_key(subject), permission), _entities(subject, permission),
                                EntityVerdict)  # fmt: skip
        found = [
            REFUSED if isinstance(answer, PluginError) else answer for answer in answers.values()
        ]
        return EntityVerdict(
            allow=tuple(part for answer in found for part in answer.allow),
            deny=tuple(part for answer in found for part in answer.deny),
        )

    def lists(self, permission: str) -> bool:
        """Say whether every decider of a permission can say which entities it means."""
        return all(item.value.entities is not None for item in self.asked(permission))

    def _answers(
        self,
        asked: Iterable[Contributed[Decider]],
        key: Hashable,
        ask: "Callable[[Decider, Host], Any]",
        expected: type,
    ) -> Mapping[str, Any]:
        """Give what each says, by its key: what is kept, and else what it says now."""
        found: dict[str, Any] = {}
        new: list[Contributed[Decider]] = []
        now = self._clock()
        with self._lock:
            for item in asked:
                until, answer = self._kept.get((item.key, key), (0.0, None))
                if until > now:
                    found[item.key] = answer
                else:
                    new.append(item)
        if new:
            results = self._plugins.call_all(
                [
                    (item, f"decider, {item.value.name}", partial(self._ask, item, ask), expected)
                    for item in new
                ],
                limit=self._settings.time_limit,
            )
            found |= {item.key: answer for item, answer in zip(new, results, strict=True)}
            self._keep(key, {item.key: found[item.key] for item in new})
        return found

    def _ask(self, item: Contributed[Decider], ask: "Callable[[Decider, Host], Any]") -> Any:
        # What a decider reads is not narrowed to what the subject may see: that is its question.
        with acting_for(None):
            return ask(item.value, self._host_for(item.plugin))

    def _keep(self, key: Hashable, answers: Mapping[str, Any]) -> None:
        now = self._clock()
        keep = self._settings.keep.total_seconds()
        with self._lock:
            for name, answer in answers.items():
                seconds = min(FAILED_SECONDS, keep) if isinstance(answer, PluginError) else keep
                self._kept[name, key] = (now + seconds, answer)
                self._kept.move_to_end((name, key))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _entities(subject: Subject, permission: str) -> "Callable[[Decider, Host], EntityVerdict]":
    def ask(decider: Decider, host: "Host") -> EntityVerdict:
        return REFUSED if decider.entities is None else decider.entities(subject, permission, host)

    return ask


def _key(subject: Subject) -> Hashable:
    return (subject.principal, subject.called, subject.roles, subject.on_behalf_of)


def _absent(plugin: str) -> ConsideredVerdict:
    reason = _("The plugin %(plugin)s, which must decide, is not loaded.", plugin=plugin)
    return ConsideredVerdict(
        decider=plugin, title=plugin, verdict="deny", reason=reason, failed=True
    )


def _considered(item: Contributed[Decider], answer: Verdict | PluginError) -> ConsideredVerdict:
    title = item.value.title
    if isinstance(answer, PluginError):
        reason = _("%(title)s gave no answer (%(error)s): refused.", title=title, error=answer.id)
        return ConsideredVerdict(
            decider=item.key, title=title, verdict="deny", reason=reason, failed=True
        )
    if answer.effect not in ("allow", "deny", "abstain"):
        reason = _("%(title)s gave an answer that is none: refused.", title=title)
        return ConsideredVerdict(
            decider=item.key, title=title, verdict="deny", reason=reason, failed=True
        )
    return ConsideredVerdict(
        decider=item.key, title=title, verdict=answer.effect, reason=answer.reason or title
    )
