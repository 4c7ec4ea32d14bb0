"""Lists, page by page (Kubernetes API concepts, "Retrieving large results sets in chunks")."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.model import Page, Resource
from callboard.kubernetes.patience import patiently

_ = Translator("callboard")

PAGE: Final = 500
STARTS: Final = 3
"""How often a list is begun anew that expires each time before it ends."""

_LABEL: Final = re.compile(r"[A-Za-z0-9./_-]*")


def pages(
    connection: Connection,
    resource: Resource,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    limit: int = PAGE,
    inconsistent: bool = False,
) -> Iterator[Page]:
    """Yield the pages of a list; the objects are as the server gives them.

    Where the list expires between two pages, `ClusterError` is raised in the state `gone`; with
    `inconsistent` the rest is then read as it is now, where the server offers that: what changed
    meanwhile may be missing or come twice.
    """
    token = ""
    while True:
        query = _query(labels, fields, limit, token)
        ask = partial(connection.read, resource.path(namespace), query)
        try:
            page = _page(patiently(ask))
        except ClusterError as error:
            if error.state != "gone" or not inconsistent or error.go_on in ("", token):
                raise
            token = error.go_on
            continue
        yield page
        token = page.next
        if not token:
            return


def objects(
    read: Callable[[], Iterator[Page]],
) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list, each once, beginning anew where the list has expired."""
    seen: set[str] = set()
    for start in range(STARTS):
        try:
            for page in read():
                for item in page.items:
                    uid = str(item.get("metadata", {}).get("uid", ""))
                    if not uid or uid not in seen:
                        seen.add(uid)
                        yield item
        except ClusterError as error:
            if error.state != "gone" or start == STARTS - 1:
                raise
        else:
            return


def selector(labels: Mapping[str, str]) -> str:
    """Write labels, or fields, as a selector. Raises `InputError` for what can be none."""
    for part in (*labels, *labels.values()):
        if not _LABEL.fullmatch(part):
            raise InputError(_("%(text)s is no label of Kubernetes.", text=part[:100]))
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _query(
    labels: Mapping[str, str] | None, fields: Mapping[str, str] | None, limit: int, token: str
) -> list[tuple[str, str]]:
    query = [("limit", str(limit))]
    if labels:
        query.append(("labelSelector", selector(labels)))
    if fields:
        query.append(("fieldSelector", selector(fields)))
    if token:
        query.append(("continue", token))
    return query


def _page(body: Mapping[str, Any]) -> Page:
    metadata = body.get("metadata") or {}
    items = body.get("items") or ()
    return Page(
        tuple(item for item in items if isinstance(item, dict)),
        str(metadata.get("resourceVersion") or ""),
        str(metadata.get("continue") or ""),
    )
