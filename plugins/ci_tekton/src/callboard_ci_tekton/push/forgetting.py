"""Forgets what was pushed long ago."""

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select

from callboard.contributions import JobContext
from callboard_ci_tekton.models import push

if TYPE_CHECKING:
    from callboard.host import Host

TOGETHER: Final = 500


def run_forget(context: JobContext) -> None:
    """The scheduled job."""
    forget(context.host)


def forget(host: "Host") -> int:
    """Delete what is older than the settings keep, in batches; give how many that were."""
    before = host.now() - host.settings.push.keep
    old = select(push.c.id).where(push.c.received_at < before).limit(TOGETHER)
    deleted = 0
    while True:
        with host.write() as connection:
            number = connection.execute(delete(push).where(push.c.id.in_(old))).rowcount
        deleted += number
        if number < TOGETHER:
            return deleted
