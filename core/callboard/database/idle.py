"""Connections that rested are asked whether their server is still there, before they are used."""

import time
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

IDLE_SECONDS: Final = 1.0
"""A connection that was used within this time is given as it is: asking each time costs every
transaction a trip to the server, and a page has many of them."""

_RESTED: Final = "callboard_rested"


def ask_when_idle(engine: Engine) -> None:
    """Ask each connection of an engine that rested for longer than `IDLE_SECONDS`.

    One that does not answer is replaced, with all others that were opened before it: their server
    was started anew, or a firewall forgot them.
    """

    def on_return(_connection: object, record: Any) -> None:
        record.info[_RESTED] = time.monotonic()

    def on_use(connection: Any, record: Any, _proxy: object) -> None:
        rested = record.info.get(_RESTED)
        if rested is None or time.monotonic() - rested < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("The connection is closed.") from error

    event.listen(engine, "checkin", on_return)
    event.listen(engine, "checkout", on_use)
