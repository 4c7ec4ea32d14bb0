"""Users and groups from LDAP directories: OpenLDAP, Active Directory, FreeIPA and others.

Each server of the settings is one source of entities. Modules are imported by the hooks that need
them, so that importing the plugin costs nothing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard import hookimpl
from callboard.contributions import Checks, Sources

if TYPE_CHECKING:
    from pydantic import BaseModel

CALLBOARD_CONTRACT: Final = 1

_HERE: Final = Path(__file__).parent


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_people_ldap.settings import PeopleLdapSettings

    return PeopleLdapSettings


@hookimpl
def callboard_migrations() -> Path:
    return _HERE / "migrations"


@hookimpl
def callboard_translations() -> Path:
    return _HERE / "locales"


@hookimpl
def callboard_entity_sources() -> Iterable[Sources]:
    from callboard_people_ldap.source import make_sources

    return [Sources(sources=make_sources)]


@hookimpl
def callboard_checks() -> Iterable[Checks]:
    from callboard_people_ldap.checks import make_checks

    return [Checks(checks=make_checks)]
