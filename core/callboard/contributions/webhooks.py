"""Deliveries of other systems."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from callboard.contributions.pages import PageContext, Status
from callboard.i18n import Text

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A delivery. Header names are lower-case; the body is at most 5 MiB, as it was sent.

    `address` is the last part of the path it was sent to: the webhook's name, or that of one of
    its `addresses`. `handle` is not shown headers and parameters that may hold secrets; for it,
    `delivery` is what names the delivery, the same each time it is sent or replayed, and `number`
    that of its page, `/deliveries/<number>`.
    """

    host: "Host"
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    address: str = ""
    delivery: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAddress:
    """One address of a webhook, `/hooks/<plugin>/<name>`, and how to set up who sends to it.

    `secret` names the setting that holds what is checked; `guide` says what to fill in there.
    """

    name: str
    title: Text
    secret: str = ""
    guide: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOutcome:
    """What came of a delivery, for its page.

    `repository` is the address of the Git repository it tells of: the page leads to the sources
    that read it. `links` lead to further pages of the portal, as words and paths.
    """

    text: Text
    repository: str = ""
    links: tuple[tuple[Text, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext(PageContext):
    """A request for what came of a delivery; `number` is that of its page."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFollow:
    """One thing that followed from a delivery after it was worked; `path` leads to it."""

    status: Status
    text: Text
    path: str = ""
    detail: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFollows:
    """Tells what followed from a delivery elsewhere, for its page: runs it started, for example.

    It is asked of tables, by the number that `WebhookRequest.number` and events tell.
    """

    name: str
    title: Text
    read: Callable[[DeliveryContext], Sequence[DeliveryFollow]]
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Receives POST `/hooks/<plugin>/<name>`; with `addresses`, `/hooks/<plugin>/<each of them>`.

    `verify` runs first, before the body is kept: True takes the delivery; False, or a text that
    says why, refuses it with 401. Compare secrets by `hmac.compare_digest`.

    A delivery is kept and answered with 202, then `handle` runs in a job: at least once, with the
    attempts and pauses given here, and again when a person replays it. What it gives is shown as
    what came of it. `delivery` names a delivery, so that one that is sent twice is worked once;
    without it, or where it gives nothing, the headers that senders use for that are looked at,
    then the hash of the body with the time the sender stamped it. `event` says in a word what it
    tells, such as `push`. `kept` gives what of the body is kept, where it holds secrets itself.
    """

    name: str
    title: Text
    verify: Callable[[WebhookRequest], bool | Text]
    handle: Callable[[WebhookRequest], Text | WebhookOutcome | None]
    delivery: Callable[[WebhookRequest], str] | None = None
    event: Callable[[WebhookRequest], str] | None = None
    kept: Callable[[WebhookRequest], bytes] | None = None
    addresses: Callable[["Host"], Iterable[WebhookAddress]] | None = None
    secret: str = ""
    guide: Text = ""
    attempts: int = 6
    backoff: timedelta = timedelta(seconds=10)
