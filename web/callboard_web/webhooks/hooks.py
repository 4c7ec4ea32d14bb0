"""The hooks of this portal: each address of each webhook that a plugin contributes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard.contributions import Webhook, WebhookAddress
from callboard.errors import NotFoundError, NotReadyError
from callboard.host import Host
from callboard.i18n import Translator
from callboard.plugins import Contributed, PluginError

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")

LIMIT: Final = timedelta(seconds=8)
"""How long a plugin may look at a delivery: senders give up after ten seconds."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One address, and the contribution that takes what is sent there."""

    item: Contributed[Webhook]
    address: WebhookAddress

    @property
    def key(self) -> tuple[str, str]:
        return (self.item.plugin, self.address.name)

    @property
    def name(self) -> str:
        return f"{self.item.plugin}.{self.address.name}"

    @property
    def path(self) -> str:
        return f"/hooks/{self.item.plugin}/{self.address.name}"


def hooks_of(runtime: "Runtime", plugin: str = "") -> Sequence[Hook]:
    """Give the hooks of a plugin, or all; those of a plugin that fails to name them are left out,
    which the page of plugins tells of."""
    return [
        Hook(item, address)
        for item, named in _named_by(runtime, plugin)
        if not isinstance(named, PluginError)
        for address in named
    ]


def find_hook(runtime: "Runtime", plugin: str, name: str) -> Hook | None:
    """Give one hook by its address."""
    found = (hook for hook in hooks_of(runtime, plugin) if hook.address.name == name)
    return next(found, None)


def hook_at(runtime: "Runtime", plugin: str, name: str) -> Hook:
    """Give the hook of an address; raises `NotFoundError` where there is none.

    Where the plugin did not say which it has, this raises `NotReadyError`: senders try again
    after a 503, and some stop sending to an address that answered 404.
    """
    failed = False
    for item, named in _named_by(runtime, plugin, LIMIT):
        if isinstance(named, PluginError):
            failed = True
            continue
        for address in named:
            if address.name == name:
                return Hook(item, address)
    if failed:
        raise NotReadyError(
            _("The plugin did not say which webhooks it has."),
            hint=_("Send it again; the page of plugins tells what failed."),
        )
    raise NotFoundError(
        _("There is no such webhook."), hint=_("The page of deliveries lists them.")
    )


def _named_by(
    runtime: "Runtime", plugin: str, limit: timedelta | None = None
) -> list[tuple[Contributed[Webhook], Sequence[WebhookAddress] | PluginError]]:
    found = runtime.plugins.contributions.webhooks
    return [
        (item, _addresses(runtime, item, limit)) for item in found if plugin in ("", item.plugin)
    ]


def _addresses(
    runtime: "Runtime", item: Contributed[Webhook], limit: timedelta | None
) -> Sequence[WebhookAddress] | PluginError:
    webhook = item.value
    if webhook.addresses is None:
        return [
            WebhookAddress(
                name=webhook.name, title=webhook.title, secret=webhook.secret, guide=webhook.guide
            )
        ]
    function = partial(_named, webhook, runtime.host(item.plugin))
    return runtime.plugins.call(
        item, f"webhook {webhook.name}", function, expected=tuple, limit=limit
    )


def _named(webhook: Webhook, host: Host) -> tuple[WebhookAddress, ...]:
    assert webhook.addresses is not None
    found = tuple(webhook.addresses(host))
    wrong = [item for item in found if not isinstance(item, WebhookAddress)]
    if wrong:
        raise TypeError(f"gave {type(wrong[0]).__name__}, expected WebhookAddress")
    return found
