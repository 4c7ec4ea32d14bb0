"""What sessions add to the portal: jobs, rights, a page of administration, words for events."""

from datetime import timedelta
from typing import Final

from callboard.contributions import (
    Act,
    Job,
    JobContext,
    NavItem,
    Permission,
)
from callboard.i18n import Translator
from callboard_web.parts import Part
from callboard_web.sessions import housekeeping

_: Final = Translator("callboard")


def _tidy(context: JobContext) -> None:
    housekeeping.tidy(context.host)


PART: Final = Part(
    navigation=(
        NavItem(
            name="sessions",
            title=_("Sessions"),
            path="/sessions",
            icon="lock",
            section="administer",
            order=55,
            permission="portal.session.read",
        ),
    ),
    acts=(
        Act(
            name="sessions", title=_("See where you are signed in"), path="/me/sessions",
            icon="lock", words=_("sessions devices sign out"),
        ),
    ),
    jobs=(
        Job(
            name="tidy-sessions",
            title=_("End sessions of people who left; forget those that ran out"),
            run=_tidy,
            every=timedelta(minutes=5),
            quiet=True,
        ),
    ),
    permissions=(
        Permission(
            name="portal.session.read",
            title=_("See who is signed in, and from where"),
            role="security",
        ),
        Permission(
            name="portal.session.end", title=_("End sessions of others"), role="security"
        ),
        Permission(
            name="portal.account.update",
            title=_("Deactivate accounts and activate them"),
            role="security",
        ),
    ),
)  # fmt: skip
