"""Works a delivery again because a person asks for it."""

from typing import TYPE_CHECKING, Final

from callboard import events
from callboard.audit import record
from callboard.errors import ConflictError, NotFoundError
from callboard.i18n import Translator
from callboard_web.webhooks import reading, store
from callboard_web.webhooks.parts import REPLAY
from callboard_web.webhooks.working import job_name

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")


def replay(runtime: "Runtime", number: int) -> int:
    """Let a delivery be worked once more and give the number of the run.

    Raises `NotFoundError`, and `ConflictError` for one that was refused, so that nothing of it
    was kept, or that is being worked already.
    """
    now = runtime.now()
    with runtime.database.write() as connection:
        found = reading.find(connection, number)
        if found is None:
            raise NotFoundError(
                _("There is no delivery %(number)s.", number=number),
                hint=_("Old ones are deleted; the list has the rest."),
            )
        if store.again(connection, number, ("done", "failed")) is None:
            raise ConflictError(
                _("Delivery %(number)s cannot be worked again now.", number=number),
                hint=_("Only one that was worked or has failed can; of a refused one nothing "
                       "was kept."),
            )  # fmt: skip
        name = (found.plugin, job_name(found.webhook))
        run = runtime.jobs.submit(connection, *name, {"delivery": number}, str(number))
        store.submitted(connection, number, run)
        before = {"state": found.state, "attempts": found.attempts}
        after = {"state": "waiting", "run": run, "hook": f"{found.plugin}.{found.hook}"}
        record(connection, REPLAY, found.subject, before=before, after=after, at=now)
        events.publish(connection, store.REPLAYED, found.subject, {"run": run}, at=now)
    return run
