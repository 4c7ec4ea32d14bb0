"""The hosts of the repositories that were pushed to."""

from typing import TYPE_CHECKING

from callboard.errors import InputError
from callboard.i18n import Text, Translator

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard.repositories.hosts import CodeHost

_ = Translator("ci_tekton")


def host_of(host: "Host", address: str, lacking: Text) -> "CodeHost":
    """Give the host of a repository; raises `InputError` with what it says is `lacking`."""
    found = host.code_host(address)
    if found is None:
        raise InputError(lacking, hint=_("Add the host to plugins.settings.scm_hosts.hosts."))
    return found
