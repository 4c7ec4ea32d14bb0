"""What `callboard doctor` looks at in each cluster."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from callboard.contributions import ClusterRule
from callboard.doctor import Check, Finding
from callboard.kubernetes.answer import document
from callboard.kubernetes.client import ClusterClient
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.looking import Rules, lacking
from callboard.kubernetes.service import ClusterService
from callboard.plugins import Contributed


def cluster_checks(service: ClusterService, rules: Callable[[], Rules]) -> list[Check]:
    """Give a check for each cluster: whether it answers, as whom the portal comes, what it may."""
    return [Check(f"Cluster {client.name}", partial(_look, client, rules)) for client in service]


def _look(client: ClusterClient, rules: Callable[[], Rules]) -> Iterator[Finding]:
    title = f"Cluster {client.name}"
    try:
        version = client.version()
        account = _account(client)
        kinds = len(client.discovery.kinds(anew=True))
        lacks = lacking(client, rules())
    except ClusterError as error:
        yield Finding("bad", f"{title} is {_words(error)}", str(error.message), str(error.hint))
        return
    yield Finding(
        "ok", f"{title} answers", f"{version}; the portal is {account}; kinds served: {kinds}."
    )
    yield from _granted(title, list(rules()), lacks)


def _words(error: ClusterError) -> str:
    return {"failed": "failing", "absent": "no Kubernetes API"}.get(error.state, error.state)


def _account(client: ClusterClient) -> str:
    """Ask as whom the portal is known; servers before 1.28 do not tell."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    try:
        with client.connection.ask("POST", path, body=body) as answer:
            status: Any = document(client.name, answer.read()).get("status")
    except ClusterError as error:
        if error.state not in ("absent", "forbidden"):
            raise
        return "an account that is not told"
    user = status.get("userInfo") if isinstance(status, dict) else None
    name = user.get("username") if isinstance(user, dict) else None
    return str(name or "an account without a name")


def _granted(
    title: str,
    rules: Sequence[Contributed[ClusterRule]],
    lacks: Mapping[str, Sequence[str]],
) -> Iterable[Finding]:
    granted = [rule.key for rule in rules if rule.key not in lacks]
    if granted:
        yield Finding("ok", f"{title} grants what is asked for", ", ".join(granted))
    for rule in rules:
        if rule.key not in lacks:
            continue
        value = rule.value
        where = ", ".join(namespace or "all namespaces" for namespace in lacks[rule.key])
        what = f"{', '.join(value.verbs)} on {', '.join(value.resources)} in {where}"
        yield Finding(
            "ok" if value.optional else "warn",
            f"{title} does not grant {rule.key}"
            + (", which is optional" if value.optional else ""),
            f"{what}. {value.why}",
            f"callboard kubernetes rbac --plugin {rule.plugin} prints what grants it.",
        )
