"""Pushes and merge requests of GitLab, GitHub, Gitea and Gitee: a webhook with an address for each
host.

What a delivery says is a hint: the repository is read again by the API or by Git.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from callboard.contributions import Webhook, WebhookAddress, WebhookOutcome, WebhookRequest
from callboard.host import Host
from callboard.i18n import Text, Translator
from callboard.repositories import merge_requests
from callboard.repositories.pushed import Pushed, publish
from callboard_scm_hosts import signatures
from callboard_scm_hosts.merge_requests import merge_request_of
from callboard_scm_hosts.payloads import Told, content_of, told_by
from callboard_scm_hosts.pipelines import PIPELINE_WORDS, pipeline_told, without_variables
from callboard_scm_hosts.service import ask_scan, touched
from callboard_scm_hosts.settings import HostSettings, ScmHostsSettings

_ = Translator("scm_hosts")

NO_JSON: Final = _("What was sent is not JSON. Choose application/json at the host.")
NO_REPOSITORY: Final = _("It does not say of which repository it tells, so nothing is read.")
ACTIONS: Final[Mapping[str, Text]] = {
    "created": _("created"),
    "renamed": _("renamed or moved"),
    "deleted": _("deleted"),
    "archived": _("archived"),
}
MERGE_ACTIONS: Final[Mapping[str, Text]] = {
    "opened": _("opened"),
    "updated": _("has new commits"),
    "edited": _("edited"),
    "merged": _("merged"),
    "closed": _("closed"),
    "other": _("nothing that matters here"),
}
_SECRET_FIELDS: Final = ("password", "sign", "secret", "token")
GUIDES: Final[Mapping[str, Text]] = {
    "gitlab": _(
        "In GitLab: Settings, Webhooks, of a project or a group, or a system hook of the whole "
        "instance. Enter the address, the secret as signing token or secret token, and choose "
        "push, tag push, merge request, pipeline and job events; for a group, project events as "
        "well."
    ),
    "github": _(
        "In GitHub: Settings, Webhooks, of an organisation or a repository. Enter the address, "
        "the content type application/json and the secret, and choose pushes, pull requests and "
        "repositories."
    ),
    "gitea": _(
        "In Gitea: Settings, Webhooks, of an organisation, a repository or the whole instance. "
        "Enter the address, POST with application/json and the secret, and choose push, "
        "branches deleted, pull request, pull request synchronized and repository events."
    ),
    "gitee": _(
        "In Gitee: Management, WebHooks, of a repository or an enterprise. Enter the address, "
        "choose a signing key (better) or a password and enter the secret, and choose push, tag "
        "push and pull request."
    ),
}


def webhooks() -> Iterable[Webhook]:
    """Give the webhook."""
    return [
        Webhook(
            name="push",
            title=_("Pushes of Git hosts"),
            verify=_verify,
            handle=_handle,
            event=_event,
            kept=_kept,
            addresses=_addresses,
        )
    ]


def _addresses(host: Host) -> Iterable[WebhookAddress]:
    settings: ScmHostsSettings = host.settings
    return [
        WebhookAddress(
            name=item.name,
            title=_("Pushes of %(host)s", host=item.name),
            secret=f"plugins.settings.scm_hosts.hosts[{number}].webhook_secrets",
            guide=GUIDES[item.type],
        )
        for number, item in enumerate(settings.hosts)
        if item.type in GUIDES
    ]


def _settings_of(request: WebhookRequest) -> HostSettings | None:
    settings: ScmHostsSettings = request.host.settings
    return settings.host(request.address)


def _verify(request: WebhookRequest) -> Text | Literal[True]:
    settings = _settings_of(request)
    if settings is None:
        return signatures.NO_SECRET
    secrets = [item.get_secret_value() for item in settings.webhook_secrets]
    verdict = signatures.verify(
        settings.type, request.headers, request.body, secrets, request.host.now()
    )
    if verdict is True and content_of(request.body, request.headers) is None:
        return NO_JSON
    return verdict


def _event(request: WebhookRequest) -> str:
    content = content_of(request.body, request.headers) or {}
    told = told_by(request.headers, content)
    return told.word or told.kind


def _kept(request: WebhookRequest) -> bytes:
    """Leave out what proves who sent it: Gitee writes the password into the body as well."""
    content = content_of(request.body, request.headers)
    if content is None:
        return request.body
    plain = without_variables(content)
    plain |= {name: "***" for name in _SECRET_FIELDS if content.get(name)}
    return request.body if plain == content else json.dumps(plain, ensure_ascii=False).encode()


def _handle(request: WebhookRequest) -> WebhookOutcome:
    settings = _settings_of(request)
    content = content_of(request.body, request.headers)
    if settings is None or content is None:
        return WebhookOutcome(text=_("Its host is no longer in the settings."))
    told = told_by(request.headers, content)
    if told.kind == "push":
        return _pushed(request, settings, told)
    if told.kind == "repository" and (told.path or told.remote_id):
        return _changed(request.host, settings, told)
    if told.kind == "tag":
        return _tagged(request, settings, told)
    if told.kind == "merge_request":
        return _merge_request(request, settings, told, content)
    if told.word in PIPELINE_WORDS and settings.type == "gitlab":
        return pipeline_told(request.host, content, _known_as(settings, told))
    if told.kind == "ping":
        return WebhookOutcome(text=_("The host reaches this portal: the webhook is set up."))
    return WebhookOutcome(text=_("Nothing follows from an event %(word)s.", word=told.word or "–"))


def _pushed(request: WebhookRequest, settings: HostSettings, told: Told) -> WebhookOutcome:
    host, addresses = request.host, _known_as(settings, told)
    if not addresses or not told.branch:
        return WebhookOutcome(text=NO_REPOSITORY)
    follows = _is_followed(host, settings, told)
    with host.write() as connection:
        asked = touched(host, connection, settings.name, told.path) if follows else ()
        publish(
            host,
            connection,
            Pushed(
                addresses=addresses,
                branch=told.branch,
                commit=told.commit,
                is_default=told.branch == told.default_branch if told.default_branch else None,
                files=told.files,
                before=told.before,
                actor=told.actor,
                title=told.title,
                delivery=request.number,
            ),
        )
    values: dict[str, Any] = {"branch": told.branch, "path": told.path or addresses[0]}
    if not told.commit:
        text = _("Branch %(branch)s of %(path)s was deleted.", **values)
    else:
        text = _("Branch %(branch)s of %(path)s is at %(commit)s.", commit=told.commit[:7],
                 **values)  # fmt: skip
    return WebhookOutcome(text=text, repository=addresses[0], links=_links(asked))


def _tagged(request: WebhookRequest, settings: HostSettings, told: Told) -> WebhookOutcome:
    """Tell of a tag. That one is made is told once more by some hosts, without its commit."""
    addresses = _known_as(settings, told)
    text = _("Tag %(name)s: nothing is read from tags.", name=told.name)
    if not addresses or not told.name or told.word not in ("push", "tag_push"):
        return WebhookOutcome(text=text)
    pushed = Pushed(
        addresses=addresses, tag=told.name, commit=told.commit, before=told.before,
        actor=told.actor, title=told.title, delivery=request.number,
    )  # fmt: skip
    with request.host.write() as connection:
        publish(request.host, connection, pushed)
    return WebhookOutcome(text=text, repository=addresses[0])


def _merge_request(
    request: WebhookRequest, settings: HostSettings, told: Told, content: Mapping[str, Any]
) -> WebhookOutcome:
    addresses = _known_as(settings, told)
    found = merge_request_of(content, addresses, request.number)
    if not addresses or found is None:
        return WebhookOutcome(text=NO_REPOSITORY)
    with request.host.write() as connection:
        merge_requests.publish(request.host, connection, found)
    text = _("Merge request %(number)s of %(path)s into %(target)s: %(action)s.",
             number=found.number, path=told.path or addresses[0], target=found.target,
             action=MERGE_ACTIONS[found.action])  # fmt: skip
    return WebhookOutcome(text=text, repository=addresses[0])


def _changed(host: Host, settings: HostSettings, told: Told) -> WebhookOutcome:
    """Have what finds repositories look at all of them: paths and names may have changed."""
    # By its id, which outlives a new path, and by its path, for one that is not known yet.
    names = [name for name in (told.remote_id, told.path) if name]
    with host.write() as connection:
        found = [touched(host, connection, settings.name, name) for name in names]
        asked = tuple(dict.fromkeys(discovery for several in found for discovery in several))
        for name in asked:
            ask_scan(host, connection, name)
    action = ACTIONS.get(told.action, _("changed"))
    text = _("Repository %(path)s was %(action)s.", path=told.path or told.remote_id, action=action)
    addresses = _known_as(settings, told)
    return WebhookOutcome(
        text=text, repository=addresses[0] if addresses else "", links=_links(asked)
    )


def _is_followed(host: Host, settings: HostSettings, told: Told) -> bool:
    """Say whether a discovery of this host reads the branch: its own, or the default one."""
    if not told.path:
        return False
    chosen: ScmHostsSettings = host.settings
    return any(
        item.branch == told.branch if item.branch else told.default_branch in ("", told.branch)
        for item in chosen.discover
        if item.host == settings.name
    )


def _known_as(settings: HostSettings, told: Told) -> tuple[str, ...]:
    """Give the addresses of the repository: one made from its path below the host's own, then
    those of the payload that are of this host."""
    own = [f"{settings.address}/{told.path}.git"] if _is_path(told.path) else []
    server = urlsplit(settings.address).hostname or ""
    given = [item for item in told.addresses if _is_at(item, server)]
    return tuple(dict.fromkeys([*own, *given]))


def _is_path(path: str) -> bool:
    return "/" in path and path.isprintable() and ".." not in path and "//" not in path


def _is_at(address: str, server: str) -> bool:
    if "://" in address:
        try:
            name = urlsplit(address).hostname or ""
        except ValueError:
            return False
    else:
        name = address.partition(":")[0].rpartition("@")[2]
    name = name.lower()
    return bool(server) and (name == server or name.endswith(f".{server}"))


def _links(asked: Iterable[str]) -> tuple[tuple[Text, str], ...]:
    return tuple(
        (_("Discovery %(name)s", name=name), f"/sources/scm_hosts.{name}") for name in asked
    )
