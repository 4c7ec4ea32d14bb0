"""The job that looks at every cluster: whether it answers, what it serves, what is granted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast

from callboard.contributions import ClusterRule, Job, JobContext
from callboard.i18n import Translator
from callboard.kubernetes.client import ClusterClient
from callboard.kubernetes.cluster import Question
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.model import Resource, Verb
from callboard.kubernetes.service import ClusterService
from callboard.kubernetes.states import (
    Noted,
    forget_others,
    noted_of,
    write_facts,
    write_states,
)
from callboard.plugins import Contributed

_ = Translator("callboard")

EVERY: Final = timedelta(minutes=1)
AT_ONCE: Final = 8

Rules = Iterable[Contributed[ClusterRule]]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a cluster gave; `facts` are what it said before it failed, if it did."""

    noted: Noted
    facts: Mapping[str, Any]


def look_job(clusters: Callable[[], ClusterService], rules: Callable[[], Rules]) -> Job:
    """Give the job that keeps the table of clusters fresh where nobody uses them."""

    def run(context: JobContext) -> None:
        service = clusters()
        found = look_at_all(service, list(rules()), context.host.now)
        with context.host.write() as connection:
            forget_others(connection, service.names())
        with context.host.write() as connection:
            # In the order in which others lock rows, so that they never wait for each other.
            for name, look in sorted(found.items()):
                if look.facts:
                    write_facts(connection, name, look.facts)
            write_states(connection, {name: look.noted for name, look in found.items()})

    return Job(
        name="clusters.look",
        title=_("Look at clusters"),
        run=run,
        every=EVERY,
        attempts=1,
        quiet=True,
    )


def look_at_all(
    service: ClusterService, rules: Sequence[Contributed[ClusterRule]], now: Callable[[], datetime]
) -> Mapping[str, Look]:
    """Look at every cluster, some at once: one that does not answer keeps none waiting."""
    clients = list(service)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="clusters") as pool:
        looks = pool.map(lambda client: look_at(client, rules, now), clients)
        return dict(zip(service.names(), looks, strict=True))


def look_at(
    client: ClusterClient, rules: Iterable[Contributed[ClusterRule]], now: Callable[[], datetime]
) -> Look:
    """Ask a cluster for its version, its kinds and what it grants."""
    facts: dict[str, Any] = {}
    try:
        facts["version"] = client.version()
        kinds = client.discovery.kinds()
        facts["resources"] = {key: list(served.versions) for key, served in kinds.items()}
        facts["lacks"] = lacking(client, rules)
    except ClusterError as error:
        return Look(noted_of(error, now()), facts)
    return Look(noted_of(None, now()), facts)


def lacking(
    client: ClusterClient, rules: Iterable[Contributed[ClusterRule]]
) -> Mapping[str, Sequence[str]]:
    """Give the rules that are not granted whole, with the namespaces in which they are not."""
    asked = [
        (rule.key, namespace, question)
        for rule in rules
        for namespace in (client.namespaces if rule.value.namespaced else ("",))
        for question in questions(rule.value, namespace)
    ]
    answers = client.allowed([question for _key, _namespace, question in asked])
    found: dict[str, list[str]] = {}
    for (key, namespace, _question), answer in zip(asked, answers, strict=True):
        if not answer and namespace not in found.setdefault(key, []):
            found[key].append(namespace)
    return {key: namespaces for key, namespaces in found.items() if namespaces}


def questions(rule: ClusterRule, namespace: str) -> Sequence[Question]:
    """Give what has to be allowed for a rule to be granted."""
    found: list[Question] = []
    for plural in rule.resources:
        name, _slash, subresource = plural.partition("/")
        resource = Resource(rule.group, "", name, "", rule.namespaced)
        found += (
            Question(cast("Verb", verb), resource, namespace, named, subresource)
            for verb in rule.verbs
            for named in rule.names or ("",)
        )
    return found
