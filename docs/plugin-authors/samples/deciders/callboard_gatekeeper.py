"""Asks a permission system over HTTP whether somebody may start a release."""

from pydantic import BaseModel

from callboard import hookimpl
from callboard.contributions import Decider, DecisionRequest, EntityVerdict, Verdict
from callboard.host import Host
from callboard.i18n import Translator
from callboard.identity import Selector, Subject

CALLBOARD_CONTRACT = 1
_ = Translator("gatekeeper")


class Settings(BaseModel):
    url: str


@hookimpl
def callboard_settings() -> type[BaseModel]:
    return Settings


def decide(request: DecisionRequest, host: Host) -> Verdict:
    question = {
        "who": request.subject.principal.name,
        "groups": sorted(request.subject.owners),
        "permission": request.permission,
        "entity": request.entity.ref if request.entity else "",
        "environment": request.environment,
    }
    answer = host.http.request("POST", f"{host.settings.url}/decide", json=question).checked()
    said = answer.json()
    return Verdict(effect=said["effect"], reason=said.get("reason", ""))


def entities(subject: Subject, permission: str, host: Host) -> EntityVerdict:
    question = {"who": subject.principal.name, "permission": permission}
    answer = host.http.request("POST", f"{host.settings.url}/entities", json=question).checked()
    closed = frozenset(answer.json()["closed_systems"])
    return EntityVerdict(deny=(Selector(systems=closed),) if closed else ())


@hookimpl
def callboard_deciders() -> list[Decider]:
    return [
        Decider(
            name="gatekeeper",
            title=_("Gatekeeper"),
            permissions=("cd.*", "catalog.entity.refresh"),
            decide=decide,
            entities=entities,
        )
    ]
