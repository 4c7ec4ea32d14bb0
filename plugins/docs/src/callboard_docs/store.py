"""Writes into the plugin's tables."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Connection,
    RowMapping,
    String,
    Table,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from callboard.entities import Entity
from callboard.errors import CallboardError
from callboard.i18n import Text, Translator
from callboard_docs.addresses import Address, address_of, borrowed_from
from callboard_docs.models import blob, entity, file, page, problem, rendition, section, site, tree

_ = Translator("docs")

AT_ONCE: Final = 500
_Before = RowMapping
"""A row of an entity as it was, with the address of its site."""
UNUSED_FOR: Final = timedelta(days=1)
"""Renditions that no page shows are kept so long: another reading may be about to use them."""


def said(error: CallboardError) -> Text:
    """Give an error with its hint, as it is kept for readers of any language."""
    if not error.hint:
        return error.message
    return _("%(problem)s %(hint)s", problem=error.message, hint=error.hint)


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that another process may just have inserted as well."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for start in range(0, len(rows), AT_ONCE):
        statement = dialect.insert(table).on_conflict_do_nothing()
        connection.execute(statement, rows[start : start + AT_ONCE])


def register_site(
    connection: Connection, address: Address, now: datetime, version: str = ""
) -> int:
    """Give the number of a site, which is added where it is not there yet."""
    own = and_(
        site.c.url == address.url,
        site.c.folder == address.folder,
        site.c.reference == address.reference,
        site.c.version == version,
    )
    found = connection.execute(select(site.c.id).where(own)).scalar()
    if found is None:
        row = {
            "url": address.url, "folder": address.folder, "reference": address.reference,
            "version": version, "state": "", "head": "", "branch": "", "title": "", "docs": "",
            "pages": 0, "problems": 0, "versions": [], "used_at": now, "error": "",
        }  # fmt: skip
        insert_new(connection, site, [row])
        found = connection.execute(select(site.c.id).where(own)).scalar_one()
    return int(found)


def write_entities(connection: Connection, entities: Iterable[Entity], now: datetime) -> set[int]:
    """Keep which documentation entities show; give the sites they need."""
    sites: set[int] = set()
    rest = iter(entities)
    while some := list(itertools.islice(rest, AT_ONCE)):
        known = _known_entities(connection, some)
        new = []
        for item in some:
            before = known.get(str(item.ref))
            row = _entity_row(connection, item, now, before)
            if before is None:
                new.append(row)
            elif any(before[name] != value for name, value in row.items()):
                connection.execute(update(entity).where(entity.c.ref == row["ref"]).values(row))
            if row["site_id"] is not None:
                sites.add(row["site_id"])
        insert_new(connection, entity, new)
    return sites


def _known_entities(connection: Connection, items: Sequence[Entity]) -> dict[str, _Before]:
    """Give the rows of entities, each with the address of its site."""
    query = (
        select(entity, site.c.url, site.c.folder, site.c.reference)
        .join(site, site.c.id == entity.c.site_id, isouter=True)
        .where(entity.c.ref.in_([str(item.ref) for item in items]))
    )
    return {row["ref"]: row for row in connection.execute(query).mappings()}


def _entity_row(
    connection: Connection, item: Entity, now: datetime, before: _Before | None
) -> dict[str, Any]:
    number: int | None = None
    target, path = "", ""
    fault: Text = ""
    try:
        borrowed = borrowed_from(item)
        if borrowed is not None:
            target, path = str(borrowed[0]), borrowed[1]
        else:
            number = _site_of(connection, address_of(item), now, before)
    except CallboardError as error:
        fault = said(error)
    title = item.title[:250]
    return {
        "ref": str(item.ref),
        "site_id": number,
        "target": target,
        "path": path,
        "fault": fault,
        "title": title,
        "folded": f"{title} {item.ref.name}".casefold()[:600],
        "owner": str(item.owner or ""),
    }


def _site_of(
    connection: Connection, address: Address, now: datetime, before: _Before | None
) -> int:
    if before is None or before["site_id"] is None:
        return register_site(connection, address, now)
    is_same = address == Address(before["url"], before["folder"], before["reference"])
    return int(before["site_id"]) if is_same else register_site(connection, address, now)


def forget_entities(connection: Connection, refs: Collection[str]) -> None:
    """Remove entities that are gone or have no documentation any more."""
    for start in range(0, len(refs), AT_ONCE):
        some = list(refs)[start : start + AT_ONCE]
        connection.execute(delete(entity).where(entity.c.ref.in_(some)))


def forget_unused(connection: Connection, now: datetime, kept_versions: int) -> None:
    """Remove sites no entity shows, versions beyond the limit, and what no page needs."""
    shown = select(entity.c.site_id).where(entity.c.site_id.is_not(None))
    connection.execute(delete(site).where(site.c.version == "", site.c.id.not_in(shown)))
    main = site.alias()
    has_main = select(main.c.id).where(
        main.c.url == site.c.url,
        main.c.folder == site.c.folder,
        main.c.reference == site.c.reference,
        main.c.version == "",
    )
    newest = (
        select(site.c.id)
        .where(site.c.version != "")
        .order_by(site.c.used_at.desc(), site.c.id)
        .limit(kept_versions)
    )
    keep = connection.scalars(newest).all()
    connection.execute(
        delete(site).where(site.c.version != "", or_(~has_main.exists(), site.c.id.not_in(keep)))
    )
    old = now - UNUSED_FOR
    connection.execute(
        delete(rendition).where(
            rendition.c.made_at < old, rendition.c.digest.not_in(select(page.c.digest))
        )
    )
    connection.execute(
        delete(blob).where(blob.c.made_at < old, blob.c.hash.not_in(select(file.c.hash)))
    )


def mark_failing(connection: Connection, number: int, error: Text, now: datetime) -> None:
    """Note that a site cannot be read and since when; what was read of it is kept."""
    since = func.coalesce(site.c.failing_since, bindparam("now", now, site.c.failing_since.type))
    connection.execute(
        update(site).where(site.c.id == number).values(failing_since=since, error=error)
    )


def mark_reachable(connection: Connection, number: int, now: datetime, versions: list[str]) -> None:
    """Note that a site was looked at and nothing had changed."""
    own = site.c.id == number
    stale = or_(site.c.failing_since.is_not(None), site.c.versions != versions)
    connection.execute(
        update(site)
        .where(own, stale)
        .values(failing_since=None, error="", versions=versions, read_at=now)
    )


def write_renditions(
    connection: Connection, rendered: Mapping[str, Mapping[str, Any]], now: datetime
) -> None:
    """Keep what pages say, by digest; what is there stays."""
    insert_new(
        connection,
        rendition,
        [
            {
                "digest": digest,
                "html": item["html"],
                "title": item["title"],
                "heading": item["heading"],
                "headings": item["headings"],
                "links": item["links"],
                "diagrams": item["diagrams"],
                "made_at": now,
            }
            for digest, item in rendered.items()
        ],
    )
    insert_new(
        connection,
        section,
        [
            {
                "digest": digest,
                "position": position,
                "anchor": anchor,
                "title": title,
                "text": text,
                "folded": f"{title}\n{text}".casefold(),
            }
            for digest, item in rendered.items()
            for position, (anchor, title, text) in enumerate(item["sections"])
        ],
    )


def write_pages(
    connection: Connection, number: int, wanted: Mapping[str, Mapping[str, Any]]
) -> int:
    """Make the pages of a site equal to these, by path; give how many differ."""
    known = {
        row.path: row._mapping
        for row in connection.execute(select(page).where(page.c.site_id == number))
    }
    gone = [row["id"] for path, row in known.items() if path not in wanted]
    changed = [
        {"row": known[path]["id"], **values}
        for path, values in wanted.items()
        if path in known and any(known[path][name] != value for name, value in values.items())
    ]
    moved = [item["row"] for item in changed]
    # Two pages may exchange their addresses, which are unique: they are freed first.
    for start in range(0, len(moved), AT_ONCE):
        some = moved[start : start + AT_ONCE]
        connection.execute(
            update(page)
            .where(page.c.id.in_(some))
            .values(address=literal("?") + cast(page.c.id, String))
        )
    for start in range(0, len(gone), AT_ONCE):
        connection.execute(delete(page).where(page.c.id.in_(gone[start : start + AT_ONCE])))
    if changed:
        columns: dict[str, Any] = {
            name: bindparam(f"new_{name}") for name in changed[0] if name != "row"
        }
        connection.execute(
            update(page).where(page.c.id == bindparam("row")).values(columns),
            [
                {"row": item["row"], **{f"new_{name}": item[name] for name in columns}}
                for item in changed
            ],
        )
    added = [{"site_id": number, **values} for path, values in wanted.items() if path not in known]
    for start in range(0, len(added), AT_ONCE):
        connection.execute(insert(page), added[start : start + AT_ONCE])
    return len(gone) + len(changed) + len(added)


def write_files(
    connection: Connection,
    number: int,
    wanted: Mapping[str, str],
    contents: Mapping[str, bytes],
    now: datetime,
) -> None:
    """Make the files of a site equal to these hashes by name; `contents` are the new ones."""
    insert_new(
        connection,
        blob,
        [{"hash": key, "content": content, "made_at": now} for key, content in contents.items()],
    )
    rows = connection.execute(select(file.c.name).where(file.c.site_id == number))
    known = set(rows.scalars())
    gone = sorted(known - wanted.keys())
    for start in range(0, len(gone), AT_ONCE):
        some = gone[start : start + AT_ONCE]
        connection.execute(delete(file).where(file.c.site_id == number, file.c.name.in_(some)))
    insert_new(
        connection,
        file,
        [
            {"site_id": number, "name": name, "hash": key}
            for name, key in wanted.items()
            if name not in known
        ],
    )


def write_rest(
    connection: Connection,
    number: int,
    nodes: list[dict[str, Any]],
    notes: list[Any],
    problems: Sequence[tuple[str, str, str]],
) -> None:
    """Replace the tree and the problems of a site."""
    connection.execute(delete(tree).where(tree.c.site_id == number))
    connection.execute(insert(tree).values(site_id=number, nodes=nodes, notes=notes))
    connection.execute(delete(problem).where(problem.c.site_id == number))
    if problems:
        connection.execute(
            insert(problem),
            [
                {
                    "site_id": number,
                    "position": position,
                    "kind": kind,
                    "path": path,
                    "detail": text,
                }
                for position, (kind, path, text) in enumerate(problems)
            ],
        )
