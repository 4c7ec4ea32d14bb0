"""A connection that one thread reads with for a while, such as for one page."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")


class Held:
    """Opens a connection when it is first needed and gives it to all who read after that.

    `connect` opens one. Only the thread that made this may use it.
    """

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._connect = connect
        self._stack = ExitStack()
        self._connection: Connection | None = None
        self._known: dict[Hashable, Any] = {}
        self._users = 0
        self._stale = False

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """Give the connection. One that somebody failed with is not given again."""
        if self._stale:
            with self._connect() as connection:
                yield connection
            return
        if self._connection is None:
            self._connection = self._stack.enter_context(self._connect())
        self._users += 1
        try:
            yield self._connection
        except BaseException:
            self._stale = True
            raise
        finally:
            self._users -= 1
            if self._stale:
                self.release()

    def release(self) -> None:
        """Let the connection go as soon as nobody reads with it; who comes then gets a new one."""
        self._stale = self._users > 0
        if not self._stale:
            self._connection = None
            self._known = {}
            self._stack.close()

    def hand_over(self) -> tuple[Connection, ExitStack] | None:
        """Give the connection away, with what closes it; None where somebody still reads with it.

        Who reads next is given a new one.
        """
        if self._connection is None or self._users or self._stale:
            return None
        connection, stack = self._connection, self._stack.pop_all()
        self._connection, self._known = None, {}
        return connection, stack

    def once(self, connection: Connection, key: Hashable, make: Callable[[], T]) -> T:
        """Give what `make` reads, one time only while this connection is held."""
        if connection is not self._connection:
            return make()
        if key not in self._known:
            self._known[key] = make()
        found: T = self._known[key]
        return found
