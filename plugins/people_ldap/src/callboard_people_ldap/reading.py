"""Reads a directory into people and groups."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Final

from callboard.people import FoundGroup, FoundPeople, FoundUser, clean
from callboard_people_ldap.client import Directory, Entry, connected
from callboard_people_ldap.distinguished import first_part, same_form
from callboard_people_ldap.settings import GroupSearch, ServerSettings, UserSearch

LONGEST_ID: Final = 200
LONGEST_ANNOTATION: Final = 2000


def read_people(settings: ServerSettings) -> FoundPeople:
    """Read all people and groups of a server; raises as `client.Directory.search`."""
    with connected(settings) as directory:
        people = list(_search(directory, settings.users, settings.id))
        groups = list(_search(directory, settings.groups, settings.id)) if settings.groups else []
    by_dn = {same_form(entry.dn): id_of(entry, settings.id) for entry in people}
    users = [_user(entry, settings) for entry in people]
    if settings.groups is None:
        return FoundPeople(users)
    names = {user.name.casefold(): user.id for user in users}
    also = _member_of(people, settings)
    group_ids = {same_form(entry.dn): id_of(entry, settings.id) for entry in groups}
    return FoundPeople(
        users,
        [_group(entry, settings, settings.groups, by_dn, names, group_ids, also)
         for entry in groups],
    )  # fmt: skip


def _search(
    directory: Directory, search: UserSearch | GroupSearch, identity: str
) -> Iterable[Entry]:
    asked = {identity, *search.map.model_dump().values()}
    if isinstance(search, UserSearch):
        asked |= {search.member_of, "cn"}
        written = search.written
    else:
        asked |= {search.members}
        written = search.filter
    return directory.search(search.base, written, search.scope, sorted(asked - {""}))


def id_of(entry: Entry, attribute: str) -> str:
    """Give what stays the same of an entry: its unique id, or where it has none its DN."""
    values = entry.values.get(attribute.lower(), ())
    if attribute.lower() == "objectguid" and values and len(values[0]) == 16:
        return str(uuid.UUID(bytes_le=values[0]))
    found = clean(entry.text(attribute).lower(), LONGEST_ID) or same_form(entry.dn)
    return found if len(found) <= LONGEST_ID else hashlib.sha256(found.encode()).hexdigest()


def _annotations(entry: Entry, settings: ServerSettings) -> Mapping[str, str]:
    """Give where an entity comes from, by the annotations Backstage knows."""
    found = {
        "backstage.io/ldap-dn": clean(entry.dn, LONGEST_ANNOTATION),
        "backstage.io/ldap-rdn": clean(first_part(entry.dn), LONGEST_ANNOTATION),
    }
    if entry.values.get(settings.id.lower()):
        found["backstage.io/ldap-uuid"] = id_of(entry, settings.id)
    return found


def _user(entry: Entry, settings: ServerSettings) -> FoundUser:
    used = settings.users.map
    return FoundUser(
        id=id_of(entry, settings.id),
        name=entry.text(used.name),
        title=clean(entry.text(used.title) or entry.text("cn")),
        email=entry.text(used.email),
        picture=entry.text(used.picture),
        annotations=_annotations(entry, settings),
    )


def _member_of(people: Iterable[Entry], settings: ServerSettings) -> Mapping[str, set[str]]:
    """Give the people of each group, by its DN, as their own entries say."""
    found: dict[str, set[str]] = {}
    for entry in people:
        for group in entry.texts(settings.users.member_of):
            found.setdefault(same_form(group), set()).add(id_of(entry, settings.id))
    return found


def _group(
    entry: Entry, settings: ServerSettings, search: GroupSearch, by_dn: Mapping[str, str],
    names: Mapping[str, str], group_ids: Mapping[str, str], also: Mapping[str, set[str]],
) -> FoundGroup:  # fmt: skip
    used = search.map
    listed = entry.texts(search.members)
    if search.members_are == "dn":
        forms = [same_form(member) for member in listed]
        members = {by_dn[form] for form in forms if form in by_dn}
    else:
        forms = []
        members = {names[name] for member in listed if (name := member.casefold()) in names}
    children = {group_ids[form] for form in forms if form in group_ids}
    return FoundGroup(
        id=id_of(entry, settings.id),
        name=entry.text(used.name),
        title=clean(entry.text(used.title) or entry.text(used.name)),
        description=clean(entry.text(used.description), LONGEST_ANNOTATION),
        email=entry.text(used.email),
        type=clean(entry.text(used.type), 60) or "team",
        annotations=_annotations(entry, settings),
        members=frozenset(members | also.get(same_form(entry.dn), set())),
        children=frozenset(children),
    )
