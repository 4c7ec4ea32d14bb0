"""Which repositories a host lists: page by page, each asked for only if it changed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_scm_hosts import store
from callboard_scm_hosts.client import HostClient, check_paging, with_page
from callboard_scm_hosts.hosts import APIS, HostApi
from callboard_scm_hosts.settings import DiscoverSettings
from callboard_scm_hosts.values import Found

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """What a host lists now, by its ids; `note` says what of it is left out."""

    found: Mapping[str, Found]
    note: Text = ""


@dataclass(frozen=True, slots=True)
class _Page:
    address: str
    etag: str
    following: str
    items: list[list[Any]]
    faults: int


def list_repositories(host: "Host", client: HostClient, discovery: DiscoverSettings) -> Listing:
    """Ask for the whole list. Each page is kept when it came, so that a scan goes on where it was
    ended."""
    api = APIS[client.settings.type]
    path, query = api.listing(discovery)
    full = int(query.get("per_page", query.get("limit", 0)))
    with host.read() as connection:
        kept = store.load_pages(connection, discovery.name)
    address = f"{client.settings.api}{path}?{urlencode(query)}"
    asked: set[str] = set()
    found: dict[str, Found] = {}
    faults = number = 0
    while address:
        check_paging(address, asked)
        asked.add(address)
        number += 1
        page = _ask(client, api, discovery, address, kept.get(number), full)
        _keep(host, discovery.name, number, page, kept.get(number))
        faults += page.faults
        for data in page.items:
            item = Found.of_data(data)
            found.setdefault(item.id, item)
        address = page.following
    if max(kept, default=0) > number:
        with host.write() as connection:
            store.drop_pages(connection, discovery.name, number)
    note: Text = ""
    if faults:
        note = _.plural(
            "%(number)d entry of the list is left out: it is no repository of this place.",
            "%(number)d entries of the list are left out: they are no repositories of this place.",
            faults,
        )
    return Listing(found, note)


def _ask(
    client: HostClient, api: HostApi, discovery: DiscoverSettings, address: str, kept: Any,
    full: int,
) -> _Page:  # fmt: skip
    same = kept is not None and kept.address == address
    # A full last page says nothing of the one that may have come after it.
    whole = same and (kept.following or len(kept.items[0]) + kept.items[1] < full)
    answer = client.get(address, etag=kept.etag if whole else "")
    if answer.not_modified:
        return _Page(address, kept.etag, kept.following, kept.items[0], kept.items[1])
    try:
        listed = api.items(answer.data)
    except ValueError as error:
        raise InputError(
            _("%(host)s answered with something that is no list of repositories.",
              host=client.settings.name),
            hint=_("Check the type and the address of this host in the settings."),
        ) from error  # fmt: skip
    items = [item for entry in listed if (item := _found(api, discovery, entry))]
    following = answer.following
    if not following and api.page_size and len(listed) >= api.page_size:
        following = with_page(address, number_of_page(address) + 1)
    faults = len(listed) - len(items)
    return _Page(address, answer.etag, following, [item.to_data() for item in items], faults)


def _found(api: HostApi, discovery: DiscoverSettings, entry: Any) -> Found | None:
    try:
        item = api.found(entry) if isinstance(entry, dict) else None
    except ValueError as error:
        log.warning("Discovery %s: an entry of the list is left out: %s.", discovery.name, error)
        return None
    scope = discovery.scope.lower()
    if item and scope and not item.path.lower().startswith(f"{scope}/"):
        log.warning("Discovery %s: %s is not below %s.", discovery.name, item.path, scope)
        return None
    return item


def _keep(host: "Host", name: str, number: int, page: _Page, kept: Any) -> None:
    values = {
        "address": page.address,
        "etag": page.etag,
        "following": page.following,
        "items": [page.items, page.faults],
    }
    if kept is None or any(getattr(kept, key) != value for key, value in values.items()):
        with host.write() as connection:
            store.write_page(connection, name, number, values)


def number_of_page(address: str) -> int:
    """Give the number of a page by its address."""
    from urllib.parse import parse_qs, urlsplit

    values = parse_qs(urlsplit(address).query).get("page", ["1"])
    return int(values[0]) if values[0].isdigit() else 1
