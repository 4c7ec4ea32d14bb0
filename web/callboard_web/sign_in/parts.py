"""What signing in with providers adds to the portal: a page, its right, and a job."""

from datetime import timedelta
from typing import Final

from callboard.contributions import Job, JobContext, NavItem, Permission
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

CHECK_EVERY: Final = timedelta(minutes=2)


def _check(context: JobContext) -> None:
    from callboard_web.sign_in.recheck import check_again

    check_again(context.host)


PART: Final = Part(
    navigation=(
        NavItem(
            name="sign-ins", title=_("Sign-ins"), path="/sign-ins", icon="user",
            section="administer", order=54, permission="portal.sign_in.read",
        ),
    ),
    jobs=(
        Job(
            name="check-sign-ins",
            title=_("Ask providers again for people and their groups"),
            run=_check,
            every=CHECK_EVERY,
            attempts=1,
            quiet=True,
        ),
    ),
    permissions=(
        Permission(
            name="portal.sign_in.read",
            title=_("See sign-ins and the claims that came"),
            role="security",
        ),
    ),
)  # fmt: skip
