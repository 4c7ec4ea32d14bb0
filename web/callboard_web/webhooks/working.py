"""Works deliveries from their table: a job for each webhook, and one that keeps the table tidy."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from callboard.contributions import (
    Job,
    JobContext,
    Webhook,
    WebhookOutcome,
    WebhookRequest,
)
from callboard.errors import CallboardError
from callboard.host import Host
from callboard.hosting import Services
from callboard.i18n import Message, Text, Translator
from callboard.plugin_host import PluginHost
from callboard.plugins import Contributed, describe
from callboard.redaction import redact
from callboard_web.webhooks import reading, store
from callboard_web.webhooks.masking import unmasked, unpack
from callboard_web.webhooks.settings import WebhooksSettings
from callboard_web.webhooks.store import Delivery

_: Final = Translator("callboard")
log = logging.getLogger(__name__)

JOB_PREFIX: Final = "webhook-"
MOST_LINKS: Final = 20
LONGEST_PATH: Final = 1000
NO_WORD: Final = _("Its run has ended without a word. See the log of the machine that ran it.")


def job_name(webhook: str) -> str:
    """Give the name of the job that handles the deliveries of a webhook."""
    return f"{JOB_PREFIX}{webhook}"


def webhook_jobs(webhooks: Sequence[Contributed[Webhook]]) -> list[Contributed[Job]]:
    """Give the job of each webhook, to be registered beside those the plugins contribute."""
    return [
        Contributed(
            item.plugin,
            Job(
                name=job_name(item.value.name),
                title=item.value.title,
                run=partial(_work, item.value),
                attempts=item.value.attempts,
                backoff=item.value.backoff,
            ),
        )
        for item in webhooks
    ]


def _work(webhook: Webhook, context: JobContext) -> None:
    """Handle one delivery. What is handled already, or has been deleted, is left alone."""
    host = context.host
    with host.write() as connection:
        begun = store.begin(connection, int(context.payload["delivery"]), context.run)
    if begun is None:
        return
    found, packed = begun
    try:
        outcome = _outcome(webhook.handle(_request(host, found, packed)))
    except Exception as error:
        last = context.attempt >= webhook.attempts
        with host.write() as connection:
            state: store.State = "failed" if last else "waiting"
            store.end(connection, found, state, _said(error), at=host.now())
        raise
    with host.write() as connection:
        store.end(
            connection,
            found,
            "done",
            outcome.text,
            repository=outcome.repository[:LONGEST_PATH],
            links=[item for item in outcome.links[:MOST_LINKS] if _is_ours(item[1])],
            at=host.now(),
        )


def _request(host: Host, found: Delivery, packed: bytes | None) -> WebhookRequest:
    return WebhookRequest(
        host=host,
        headers=unmasked(found.headers),
        query=unmasked(found.query),
        body=unpack(packed),
        address=found.hook,
        delivery=found.key,
        number=found.id,
    )


def delivered(services: Services, number: int) -> WebhookRequest | None:
    """Give a verified delivery as its webhook was given it, None where it is not kept."""
    with services.database.read() as connection:
        found = reading.find(connection, number)
        body = reading.body_of(connection, number)
    if found is None or found.verdict != "verified":
        return None
    return WebhookRequest(
        host=PluginHost(found.plugin, services),
        headers=unmasked(found.headers),
        query=unmasked(found.query),
        body=body,
        address=found.hook,
        delivery=found.key,
        number=found.id,
    )


def _outcome(given: object) -> WebhookOutcome:
    if isinstance(given, WebhookOutcome):
        return given
    if isinstance(given, str | Message):
        return WebhookOutcome(text=given)
    if given is None:
        return WebhookOutcome(text="")
    raise TypeError(f"gave {type(given).__name__}, expected a text, a WebhookOutcome or nothing")


def _is_ours(path: str) -> bool:
    return path.startswith("/") and not path.startswith("//") and len(path) <= LONGEST_PATH


def _said(error: Exception) -> Text:
    """Give what an error says: in the reader's language where it is one of ours."""
    if isinstance(error, CallboardError):
        return error.message if isinstance(error.message, Message) else redact(error.message)
    return redact(describe(error))


def tidy(host: Host, settings: WebhooksSettings) -> None:
    """Fail what was given up, and delete what is too old or too much; a batch at a time."""
    now = host.now()
    with host.write() as connection:
        store.give_up(connection, NO_WORD, now)
    while True:
        with host.write() as connection:
            deleted = store.prune(
                connection, before=now - settings.keep, most=settings.most, refused=settings.refused
            )
        if deleted < store.BATCH:
            return


def tidy_job(settings: WebhooksSettings) -> Job:
    """Give the job that does this, which is cheap where there is nothing to do."""
    return Job(
        name="tidy-deliveries",
        title=_("Delete old deliveries; fail those whose run was lost"),
        run=lambda context: tidy(context.host, settings),
        every=timedelta(minutes=1),
        quiet=True,
    )
