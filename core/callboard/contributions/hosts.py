"""Hosts of repositories that a plugin can speak to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard.repositories.hosts import CodeHost


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeHosts:
    """Gives the hosts of repositories that the settings name, for `host.code_host`.

    `hosts` is called once in a process, when one is first asked for; making them asks nobody.
    """

    hosts: Callable[["Host"], Iterable["CodeHost"]]
