"""The job that forgets visitors whose browsers have forgotten them."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete

from callboard.contributions import Job, JobContext
from callboard.i18n import Translator
from callboard_web.parts import Part
from callboard_web.personal import models
from callboard_web.visitors import PREFIX, YEAR

_: Final = Translator("callboard")


def forget_visitors(context: JobContext) -> None:
    """Delete what was kept for visitors and not touched for as long as their cookie lasts.

    A cookie is older than all that is kept under its name, so nobody can ask for it any more.
    Views that are shared stay.
    """
    before = context.host.now() - timedelta(seconds=YEAR)
    aged = (
        (models.person, models.person.c.updated_at),
        (models.star, models.star.c.at),
        (models.visit, models.visit.c.last_at),
        (models.dismissal, models.dismissal.c.at),
        (models.view, models.view.c.updated_at),
    )
    for table, at in aged:
        statement = delete(table).where(table.c.key.startswith(PREFIX), at < before)
        if table is models.view:
            statement = statement.where(~models.view.c.shared)
        with context.host.write() as connection:
            connection.execute(statement)


PART: Final = Part(
    jobs=(
        Job(
            name="forget-visitors",
            title=_("Forget visitors who do not come back"),
            run=forget_visitors,
            every=timedelta(hours=24),
            timeout=timedelta(hours=1),
            quiet=True,
        ),
    ),
)
