"""What push to run adds to the portal."""

from datetime import timedelta
from typing import Final

from callboard.contributions import DeliveryFollows, DemoPart, EventHandler, Job, Page, Permission
from callboard.i18n import Translator
from callboard_ci_tekton.parts import Part
from callboard_ci_tekton.push import (
    deciding,
    demo,
    forgetting,
    receiving,
    starting,
    telling,
    views,
)

_ = Translator("ci_tekton")

READ: Final = "ci_tekton.push.read"
# Jobs that ask others are patient: the last attempt is hours later.
JOBS: Final = (
    Job(
        name=receiving.DECIDE,
        title=_("Ask rules what follows from a push"),
        run=deciding.run_decide,
        attempts=starting.ATTEMPTS,
    ),
    Job(
        name=deciding.START,
        title=_("Start what follows from a push"),
        run=starting.run_start,
        attempts=starting.ATTEMPTS,
    ),
    Job(
        name=telling.TELL,
        title=_("Write the status of a commit at its host"),
        run=telling.run_tell,
        attempts=10,
        backoff=timedelta(seconds=20),
    ),
    Job(
        name="forget_pushes",
        title=_("Delete what was pushed long ago"),
        run=forgetting.run_forget,
        every=timedelta(days=1),
    ),
)
HANDLERS: Final = (
    EventHandler(name="pushes", kinds=receiving.KINDS, handle=receiving.on_news),
    EventHandler(
        name="statuses",
        kinds=("ci_tekton.run.started", "ci_tekton.run.finished"),
        handle=telling.on_runs,
    ),
)
PAGES: Final = (
    Page(
        name="pushes",
        title=_("Pushes"),
        path="pushes",
        render=views.draw_pushes,
        permission=READ,
    ),
)
PERMISSIONS: Final = (
    # No entity is asked about: what is pushed is about repositories.
    Permission(
        name=READ,
        title=_("See what was pushed, and what rules made of it"),
        role="maintainer",
    ),
)
PART: Final = Part(
    pages=PAGES,
    jobs=JOBS,
    event_handlers=HANDLERS,
    delivery_follows=(
        DeliveryFollows(name="runs", title=_("Pipelines"), read=views.follows, permission=READ),
    ),
    permissions=PERMISSIONS,
    demo_parts=(DemoPart(name="pushes", prepare=demo.prepare, fill=demo.fill),),
)
