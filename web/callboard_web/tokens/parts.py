"""What tokens add to the portal: permissions, links, what waits for their owners, and a job."""

from datetime import timedelta
from typing import Final

from callboard import contributions as c
from callboard.i18n import Translator
from callboard_web.parts import Part
from callboard_web.tokens import accounts, service
from callboard_web.tokens.waiting import announce, waiting

_: Final = Translator("callboard")

MAKE: Final = service.MAKE
REVOKE: Final = service.REVOKE
READ: Final = service.READ
WRITE_ACCOUNTS: Final = accounts.PERMISSION

PART: Final = Part(
    navigation=(
        c.NavItem(
            name="tokens", title=_("Tokens"), path="/tokens", icon="term", section="administer",
            order=64, permission=READ,
        ),
    ),
    acts=(
        c.Act(
            name="tokens", title=_("My tokens"), path="/me/tokens", icon="term",
            words=_("api token key script automation machine bearer"), order=112,
        ),
        c.Act(
            name="service-accounts", title=_("Service accounts"), path="/service-accounts",
            icon="srv", words=_("machine robot pipeline token"), order=113, permission=MAKE,
        ),
    ),
    waiting=(c.Waiting(name="tokens", title=_("Tokens"), read=waiting, permission=MAKE),),
    permissions=(
        c.Permission(
            name=MAKE,
            title=_("Make tokens"),
            description=_(
                "For oneself, and for service accounts that one's groups own. A token never does "
                "more than its owner may."
            ),
            role="viewer",
        ),
        c.Permission(
            name=READ, title=_("See the tokens of everyone"), role="auditor",
            description=_("Names, limits and last use; nobody can see the secrets."),
        ),
        c.Permission(name=REVOKE, title=_("Revoke the tokens of everyone"), role="security"),
        c.Permission(name=WRITE_ACCOUNTS, title=_("Make and close service accounts of everyone")),
    ),
    jobs=(
        c.Job(
            name="announce-tokens",
            title=_("Tell owners of tokens that end soon"),
            run=announce,
            every=timedelta(hours=1),
            quiet=True,
        ),
    ),
)  # fmt: skip
