"""What rules say to what was pushed: pure functions, which ask nobody."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from callboard.git.patterns import compile_pattern
from callboard.i18n import Text, Translator
from callboard_ci_tekton.push.model import News, Plan, Verdict
from callboard_ci_tekton.push.settings import Allowance, Conditions, FileRule, Rule, Start
from callboard_ci_tekton.push.words import filled, filled_list

_ = Translator("ci_tekton")

RUNS: Final = frozenset({"opened", "updated"})
"""What of a merge request starts runs: its commits are new."""

SKIPPED: Final = ("[skip ci]", "[ci skip]")
MOST_CHANGED: Final = 1000


def fits(patterns: Iterable[str], text: str) -> bool:
    """Whether a text fits one of some patterns."""
    return any(compile_pattern(pattern)(text) for pattern in patterns)


def useless(news: News, ignored_actors: Sequence[str]) -> Text | None:
    """Say why no rule need be asked; None where rules are."""
    if news.kind == "merge_request" and news.action not in RUNS:
        return _("Nothing runs for it: the merge request has no new commits.")
    if not news.commit:
        return _("It was deleted.")
    if news.commit == news.before:
        return _("The push is empty: nothing has moved.")
    if news.actor and fits(ignored_actors, news.actor):
        return _("Pushes of %(actor)s start nothing, by the settings.", actor=news.actor)
    if any(mark in news.title.lower() for mark in SKIPPED):
        return _("The commit asks for no run, by its message.")
    return None


def verdict(rule: Rule, news: News) -> Verdict | None:
    """Give what a rule of the settings says; None where it is not for this repository."""
    if not fits(rule.repositories, news.repository):
        return None
    reason = _objection(rule, news)
    if reason is not None:
        return Verdict(rule=rule.name, reason=reason)
    note = _note(rule, news)
    if rule.listener:
        return Verdict(rule=rule.name, plan=Plan(listener=rule.listener), reason=note)
    return Verdict(rule=rule.name, plan=_plan(rule, news), reason=note, context=_context(rule))


def verdict_of_file(rule: FileRule, allowed: Allowance, news: News) -> Verdict:
    """Give what a rule of a repository's own file says, within what the settings allow it."""
    name = f"{allowed.path}#{rule.name}"
    reason = _objection(rule, news)
    if reason is None and news.fork and not allowed.forks:
        reason = _("It comes from a fork, which the settings do not allow for this repository.")
    if reason is not None:
        return Verdict(rule=name, reason=reason)
    refusal = _refusal(rule, allowed)
    if refusal is not None:
        return Verdict(rule=name, reason=refusal, failed=True)
    placed = rule.model_copy(
        update={
            "cluster": allowed.cluster,
            "namespace": rule.namespace or allowed.namespaces[0],
            "workspaces": allowed.workspaces,
        }
    )
    return Verdict(
        rule=name, plan=_plan(placed, news), reason=_note(rule, news), context=_context(rule)
    )


def _objection(rule: Conditions, news: News) -> Text | None:
    if news.kind not in rule.events:
        return _("It is for other events.")
    if news.kind == "tag":
        if rule.tags and not fits(rule.tags, news.tag):
            return _("The tag %(name)s does not fit.", name=news.tag)
        return None
    if rule.branches and not fits(rule.branches, news.branch):
        return _("The branch %(name)s does not fit.", name=news.branch)
    if news.fork and not rule.forks:
        return _("It comes from a fork, and the rule does not let forks in.")
    if news.files is not None and not _changed(rule, news.files):
        return _("None of the changed files fits.")
    return None


def _changed(rule: Conditions, files: Sequence[str]) -> bool:
    """Whether one of the files counts. Without patterns even a change of no file does."""
    counting = [file for file in files if not fits(rule.ignore, file)] if rule.ignore else files
    if rule.paths:
        return any(fits(rule.paths, file) for file in counting)
    return bool(counting) or not rule.ignore


def _note(rule: Conditions, news: News) -> Text:
    if news.kind != "tag" and news.files is None and (rule.paths or rule.ignore):
        return _("The host did not tell all changed files, so the rule fits.")
    return ""


def _refusal(rule: FileRule, allowed: Allowance) -> Text | None:
    asked: list[tuple[str, str, bool]] = [
        ("cluster", rule.cluster, rule.cluster in ("", allowed.cluster)),
        ("namespace", rule.namespace, rule.namespace in ("", *allowed.namespaces)),
        ("pipeline", rule.pipeline, fits(allowed.pipelines, rule.pipeline)),
        (
            "service_account",
            rule.service_account,
            rule.service_account in ("", *allowed.service_accounts),
        ),
        ("workspaces", "…", not rule.workspaces),
    ]
    for field, value, fine in asked:
        if not fine:
            return _(
                "The settings do not allow this repository %(field)s: %(value)s.",
                field=field,
                value=value,
            )
    return None


def _plan(rule: Start, news: News) -> Plan:
    changed = list(news.files or ())[:MOST_CHANGED]
    values = {
        "revision": news.commit,
        "branch": news.branch,
        "tag": news.tag,
        "source": news.source,
        "before": news.before,
        "repository": news.address,
        "number": str(news.number) if news.number else "",
        "actor": news.actor,
        "changed": "\n".join(changed),
    }
    parameters: dict[str, Any] = {
        name: filled_list(value, values, changed)
        if isinstance(value, list)
        else filled(value, values)
        for name, value in rule.parameters.items()
    }
    return Plan(
        pipeline=rule.pipeline,
        cluster=rule.cluster,
        namespace=rule.namespace,
        service_account=rule.service_account,
        parameters=parameters,
        workspaces=rule.workspaces,
    )


def _context(rule: Start) -> str:
    return (rule.context or f"callboard/{rule.pipeline}")[:255] if rule.status else ""
