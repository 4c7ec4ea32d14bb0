"""The demo's rules, and a few pushes for them to answer: one starts a run, others do not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callboard.contributions import DemoContext, Event, EventContext
from callboard.repositories import pushed
from callboard.repositories.pushed import comparable
from callboard_ci_tekton.models import push
from callboard_ci_tekton.push.receiving import on_news

if TYPE_CHECKING:
    from callboard.host import Host

# What the sandbox has: its cluster, where runs are made, and the pipeline of each language.
CLUSTER: Final = "sandbox"
NAMESPACE: Final = "builds"
SERVICES: Final[Mapping[str, str]] = {
    "order-service": "java-build-and-deliver",
    "payment-service": "java-build-and-deliver",
    "inventory-service": "go-build-and-deliver",
}
_VOLUME: Final = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "1Gi"}},
}


def prepare(context: DemoContext) -> Mapping[str, Any]:
    """Give a rule for each service whose repository the demo has."""
    rules = [
        _rule(service, pipeline, context.repositories[service])
        for service, pipeline in SERVICES.items()
        if service in context.repositories
    ]
    return {"plugins": {"settings": {"ci_tekton": {"push": {"rules": rules}}}}}


def _rule(service: str, pipeline: str, repository: Path) -> Mapping[str, Any]:
    parameters = {
        "repo-url": repository.as_uri(),
        "revision": "{{ revision }}",
        "name": service,
        "directory": ".",
        "image": f"registry.example.test/apps/{service}",
    }
    return {
        "name": service,
        "repositories": [f"**/{service}"],
        "branches": ["main", "release/*"],
        "ignore": ["docs/**", "*.md"],
        "cluster": CLUSTER,
        "namespace": NAMESPACE,
        "pipeline": pipeline,
        "parameters": parameters,
        "workspaces": [{"name": "shared", "volumeClaimTemplate": {"spec": _VOLUME}}],
        "status": False,
    }


@dataclass(frozen=True, slots=True)
class _Push:
    """What somebody pushed, so long ago; without a title it is the newest commit."""

    repository: str
    hours: float
    files: tuple[str, ...] = ()
    branch: str = "main"
    title: str = ""
    actor: str = ""
    deleted: bool = False


_PUSHES: Final = (
    _Push("payment-service", 30, branch="fix/rounding", deleted=True),
    _Push("shared-libraries", 26, ("go/trace.go",)),
    _Push("payment-service", 9, ("charts/values.yaml",), title="chore: raise the chart to 1.9.0",
          actor="release[bot]"),
    _Push("inventory-service", 5, ("store/reserve.go",), "feat/reserve-by-lot"),
    _Push("payment-service", 2, ("docs/runbook.md",), title="docs: say whom to call at night"),
    _Push("order-service", 0, ("src/main/java/OrderService.java",)),
)  # fmt: skip


def fill(context: DemoContext, host: "Host") -> None:
    """Tell of the pushes as a host of repositories does, where nothing was pushed yet."""
    with host.read() as connection:
        if connection.execute(select(push.c.id).limit(1)).first() is not None:
            return
    on_news(EventContext(host=host, events=list(_events(context, host))))


def _events(context: DemoContext, host: "Host") -> Iterator[Event]:
    for number, told in enumerate(_PUSHES, start=1):
        if told.repository not in context.repositories:
            continue
        address = context.repositories[told.repository].as_uri()
        repository = host.git(address)
        (newest,) = repository.log(repository.fetch("main"), limit=1)
        data = {
            "addresses": [address],
            "branch": told.branch,
            "commit": "" if told.deleted else newest.hash,
            "before": newest.parents[0] if newest.parents else "",
            "files": list(told.files),
            "actor": told.actor or newest.author_name,
            "title": "" if told.deleted else told.title or newest.subject,
        }
        # Numbers of the log of events begin at one: these are of none.
        yield Event(
            id=-number,
            kind=pushed.KIND,
            subject=comparable(address),
            data=data,
            at=context.now - timedelta(hours=told.hours),
            actor="system:demo",
        )
