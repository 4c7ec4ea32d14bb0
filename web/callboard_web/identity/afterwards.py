"""What is done once a request is answered, so that nobody waits for it."""

import logging
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from callboard.errors import CallboardError

log = logging.getLogger(__name__)

_KEY: Final = "afterwards"


def afterwards(connection: HTTPConnection, work: Callable[[], Any]) -> None:
    """Let something be done after the answer, such as noting when a credential was last used."""
    connection.scope["state"].setdefault(_KEY, []).append(work)


def has_work(scope: Scope) -> bool:
    """Say whether there is anything to do."""
    return bool(scope["state"].get(_KEY))


def do_work(scope: Scope) -> None:
    """Do all of it; what cannot be done now, such as while the database is busy, is left out."""
    for work in scope["state"].pop(_KEY, ()):
        try:
            work()
        except CallboardError as error:
            log.warning("What follows a request was not done: %s", error)
