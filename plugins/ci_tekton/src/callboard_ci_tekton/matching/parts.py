"""What matching adds to the portal: its jobs, what it hears, and who may claim runs."""

from datetime import timedelta
from typing import Final

from callboard.contributions import EventHandler, Job, Permission
from callboard.i18n import Translator
from callboard_ci_tekton.matching.entities import on_entities, run_match
from callboard_ci_tekton.matching.rework import JOB, run_rework
from callboard_ci_tekton.parts import Part

_ = Translator("ci_tekton")

JOBS: Final = (
    Job(
        name="match",
        title=_("Match runs with the whole catalog"),
        run=run_match,
        every=timedelta(days=1),
        timeout=timedelta(hours=1),
    ),
    Job(
        name=JOB,
        title=_("Match runs anew where entities ask for others"),
        run=run_rework,
        timeout=timedelta(hours=1),
        quiet=True,
    ),
)
HANDLERS: Final = (EventHandler(name="entities", kinds=("catalog.entity.",), handle=on_entities),)
PERMISSIONS: Final = (
    Permission(
        name="ci_tekton.unmatched.read",
        title=_("See pipeline runs that belong to no entity"),
        role="maintainer",
    ),
    Permission(
        name="ci_tekton.run.claim",
        title=_("Claim pipeline runs for an entity"),
        role="maintainer",
        about="entity",
    ),
)
PART: Final = Part(jobs=JOBS, event_handlers=HANDLERS, permissions=PERMISSIONS)
