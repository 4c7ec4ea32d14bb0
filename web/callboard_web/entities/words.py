"""Words for what entities carry by a key: annotations, labels, icons of links."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callboard.entities import Entity
from callboard.i18n import Text, Translator
from callboard.kinds import EntityField
from callboard_catalog.descriptors.kinds import value_at
from callboard_web.formats import safe_url

_: Final = Translator("callboard")

PLACES: Final = (
    "backstage.io/managed-by-", "backstage.io/view-url", "backstage.io/edit-url",
    "backstage.io/source-location", "backstage.io/source-template", "backstage.io/orphan",
)  # fmt: skip
"""Annotations that say where a descriptor is; pages show these as links of their own."""

ANNOTATIONS: Final[Mapping[str, Text]] = {
    "argocd/app-name": _("Argo CD application"),
    "argocd/app-selector": _("Argo CD selector"),
    "backstage.io/code-coverage": _("Code coverage"),
    "backstage.io/kubernetes-cluster": _("Kubernetes cluster"),
    "backstage.io/kubernetes-id": _("Kubernetes ID"),
    "backstage.io/kubernetes-label-selector": _("Kubernetes labels"),
    "backstage.io/kubernetes-namespace": _("Kubernetes namespace"),
    "backstage.io/ldap-uuid": _("LDAP entry"),
    "backstage.io/techdocs-entity": _("Documentation of"),
    "backstage.io/techdocs-ref": _("Documentation"),
    "bitbucket.org/project-slug": _("Bitbucket project"),
    "circleci.com/project-slug": _("CircleCI project"),
    "github.com/project-slug": _("GitHub project"),
    "github.com/team-slug": _("GitHub team"),
    "github.com/user-login": _("GitHub user"),
    "gitlab.com/project-slug": _("GitLab project"),
    "grafana/dashboard-selector": _("Grafana dashboards"),
    "grafana/alert-label-selector": _("Grafana alerts"),
    "jenkins.io/job-full-name": _("Jenkins job"),
    "jira/project-key": _("Jira project"),
    "opsgenie.com/component-selector": _("Opsgenie component"),
    "pagerduty.com/integration-key": _("PagerDuty integration"),
    "pagerduty.com/service-id": _("PagerDuty service"),
    "rollbar.com/project-slug": _("Rollbar project"),
    "sentry.io/project-slug": _("Sentry project"),
    "sonarqube.org/project-key": _("SonarQube project"),
    "tekton.dev/cicd": _("Tekton pipelines"),
    "vault.io/secrets-path": _("Vault path"),
}
"""The annotations that tools around Backstage's file format have agreed on."""

LINK_ICONS: Final[Mapping[str, str]] = {
    "alert": "bell", "api": "api", "catalog": "catalog", "chat": "users", "cloud": "srv",
    "code": "term", "dashboard": "dora", "database": "db", "docs": "docs", "email": "user",
    "github": "branch", "gitlab": "branch", "group": "users", "help": "help", "logs": "audit",
    "scaffolder": "tmpl", "search": "search", "techdocs": "docs", "user": "user",
    "warning": "flag", "web": "globe",
}  # fmt: skip
"""Names that a link's `icon` may have (Backstage, "icons"), as icons of the sprite."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link of an entity. `url` is `#` where the one given leads nowhere safe."""

    title: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A label or annotation: its key, what it is called, its value, and where that leads."""

    key: str
    title: Text
    value: str
    url: str = ""


def links_of(entity: Entity) -> list[Link]:
    """Give the links of an entity that lead somewhere, in their order."""
    found = []
    for link in entity.links:
        url = safe_url(link.get("url"))
        if url != "#":
            icon = LINK_ICONS.get(str(link.get("icon") or "").lower(), "ext")
            found.append(Link(str(link.get("title") or url), url, icon))
    return found


def facts_of(entity: Entity, fields: Iterable[EntityField] = ()) -> list[Fact]:
    """Give the added fields, the labels, then the annotations that say more than where the entity
    was read."""
    found = added_facts(entity, fields)
    told = {fact.key for fact in found}
    found += [
        Fact(key, readable(key), str(value))
        for key, value in entity.labels.items()
        if f"metadata.labels.{key}" not in told
    ]
    for key, value in entity.annotations.items():
        if not key.startswith(PLACES) and f"metadata.annotations.{key}" not in told:
            title = ANNOTATIONS.get(key) or readable(key)
            found.append(Fact(key, title, str(value), _web(str(value))))
    return found


def added_facts(entity: Entity, fields: Iterable[EntityField]) -> list[Fact]:
    """Give the fields that the site or a plugin adds to such entities, where they have them."""
    found = []
    for field in fields:
        if not field.kinds or entity.ref.kind in {kind.lower() for kind in field.kinds}:
            value = value_at(entity.document, field.path)[1]
            if value is not None:
                text = plain(value)
                found.append(Fact(field.path, field.title, text, _web(text)))
    return found


def plain(value: Any) -> str:
    """Give a value of a document in a line: lists with commas, what is deeper as JSON."""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return ", ".join(map(plain, value))
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def readable(key: str) -> str:
    """Give a key as words, such as `Project slug` for `github.com/project-slug`."""
    name = key.rpartition("/")[2]
    text = " ".join(name.replace("-", " ").replace("_", " ").replace(".", " ").split())
    return text[:1].upper() + text[1:] if text else key


def _web(value: str) -> str:
    url = value if value.startswith(("https://", "http://")) else ""
    return url if url and safe_url(url) != "#" and " " not in url else ""
