"""Takes deliveries in: verified first, kept once, then left to a job."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from callboard.contributions import WebhookRequest
from callboard.errors import CallboardError
from callboard.i18n import Message, Text, Translator
from callboard.identity import CLIENT_ADDRESS
from callboard.logs import REQUEST_ID
from callboard.plugins import PluginError
from callboard_web.webhooks import naming, store
from callboard_web.webhooks.hooks import LIMIT, Hook
from callboard_web.webhooks.masking import masked, pack
from callboard_web.webhooks.refusals import Refusals
from callboard_web.webhooks.store import Arrival
from callboard_web.webhooks.working import job_name

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")
R = TypeVar("R")

DELIVER: Final = "portal.webhook.deliver"
Result = Literal["taken", "repeated", "refused", "failed"]
NOT_SIGNED: Final = _("It is not signed as this webhook expects.")


class NotVerifiedError(CallboardError):
    """The sender could not prove who it is."""

    status = 401
    name = "AuthenticationError"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a delivery at the door. `run` handles it, None where that is done."""

    delivery: int
    run: int | None
    repeated: bool


class Receiver:
    """The door of one process. `counts` has what became of deliveries, by hook."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self.counts: Counter[tuple[str, str, Result]] = Counter()

    @cached_property
    def refusals(self) -> Refusals:
        return Refusals(self._runtime.database, self._runtime.clock)

    def receive(
        self, hook: Hook, headers: Mapping[str, str], query: Mapping[str, str], body: bytes
    ) -> Taken:
        """Take one delivery; raises `NotVerifiedError` for one that is not genuine."""
        request = WebhookRequest(
            host=self._runtime.host(hook.item.plugin),
            headers=headers,
            query=query,
            body=body,
            address=hook.address.name,
        )
        verdict = self._ask(hook, partial(hook.item.value.verify, request), (bool, str, Message))
        if verdict is not True:
            self._refuse(hook, request, verdict or NOT_SIGNED)
        arrival = self._arrival(hook, request)
        with self._runtime.database.write() as connection:
            number = store.keep(connection, arrival)
            if number is not None:
                taken = Taken(number, self._submit(connection, arrival, number), False)
            else:
                taken = self._repeated(connection, arrival)
        self._count(hook, "repeated" if taken.repeated else "taken")
        return taken

    def _repeated(self, connection: "Connection", arrival: Arrival) -> Taken:
        """Take one that is known. Senders repeat what they think has failed: if it has, it is
        worked again."""
        known = store.repeated(connection, arrival)
        if store.again(connection, known.id, ("failed",)) is None:
            return Taken(known.id, known.run, True)
        return Taken(known.id, self._submit(connection, arrival, known.id), True)

    def _submit(self, connection: "Connection", arrival: Arrival, number: int) -> int:
        name = (arrival.plugin, job_name(arrival.webhook))
        run = self._runtime.jobs.submit(connection, *name, {"delivery": number}, str(number))
        store.submitted(connection, number, run)
        return run

    def _refuse(self, hook: Hook, request: WebhookRequest, reason: Text | Literal[True]) -> None:
        assert reason is not True
        self._count(hook, "refused")
        self.refusals.note(
            replace(
                _plain_arrival(self._runtime, hook, request),
                event=naming.event_name(request.headers),
                reason=reason,
            )
        )
        self._runtime.services.audit.denied(DELIVER, f"webhook:{hook.name}")
        raise NotVerifiedError(_("The delivery is refused: %(reason)s", reason=reason))

    def _arrival(self, hook: Hook, request: WebhookRequest) -> Arrival:
        webhook = hook.item.value
        name = event = ""
        body = request.body
        if webhook.delivery is not None:
            name = self._ask(hook, partial(webhook.delivery, request), (str,))
        if webhook.event is not None:
            event = self._ask(hook, partial(webhook.event, request), (str,))
        if webhook.kept is not None:
            body = self._ask(hook, partial(webhook.kept, request), (bytes,))
        return replace(
            _plain_arrival(self._runtime, hook, request),
            key=naming.bounded(name) if name else naming.delivery_name(request.headers, body),
            event=event or naming.event_name(request.headers),
            body=pack(body),
        )

    def _ask(self, hook: Hook, function: Callable[[], R], expected: tuple[type, ...]) -> R:
        place = f"webhook {hook.item.value.name}"
        given = self._runtime.plugins.call(
            hook.item, place, function, expected=expected, limit=LIMIT
        )
        if isinstance(given, PluginError):
            self._count(hook, "failed")
            raise CallboardError(
                _("The delivery could not be checked (%(id)s).", id=given.id),
                hint=_("Send it again; the page of plugins tells what failed."),
            )
        return given

    def _count(self, hook: Hook, result: Result) -> None:
        self.counts[(*hook.key, result)] += 1


def _plain_arrival(runtime: "Runtime", hook: Hook, request: WebhookRequest) -> Arrival:
    return Arrival(
        plugin=hook.item.plugin,
        hook=hook.address.name,
        webhook=hook.item.value.name,
        key="",
        at=runtime.now(),
        address=CLIENT_ADDRESS.get(),
        request_id=REQUEST_ID.get(),
        event="",
        headers=masked(request.headers),
        query=masked(request.query),
        body=None,
        size=len(request.body),
    )
