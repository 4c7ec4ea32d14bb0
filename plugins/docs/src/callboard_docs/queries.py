"""Reads for the pages: a fixed number of queries, however much is shown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, case, exists, func, or_, select

from callboard.entities import EntityRef
from callboard_docs.models import blob, entity, file, page, problem, rendition, section, site, tree

LIST: Final = 50
RESULTS: Final = 30
LONGEST_QUERY: Final = 200

Seen = Callable[[ColumnElement[Any]], ColumnElement[bool]]
"""Says that a column names an entity that the reader may see: `host.catalog.seen`."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What an entity shows: its row, the site it leads to, and the version that is read now."""

    entity: Row[Any]
    site: Row[Any] | None
    version: Row[Any] | None = None


def load_shown(connection: Connection, ref: EntityRef, version: str, seen: Seen) -> Shown | None:
    """Give the site of an entity, or that of the one it borrows from; None for one not known.

    From one that the reader may not see nothing is borrowed.
    """
    own = connection.execute(select(entity).where(entity.c.ref == str(ref))).first()
    if own is None:
        return None
    holder = own
    if own.target:
        query = select(entity).where(entity.c.ref == own.target, seen(entity.c.ref))
        holder = connection.execute(query).first() or own
    main = connection.execute(select(site).where(site.c.id == holder.site_id)).first()
    if main is None or not version:
        return Shown(own, main)
    versions = select(site).where(
        site.c.url == main.url,
        site.c.folder == main.folder,
        site.c.reference == main.reference,
        site.c.version == version,
    )
    return Shown(own, main, connection.execute(versions).first())


def load_page(connection: Connection, number: int, address: str) -> Any | None:
    """Give a page with its rendition; also by its file's name, or as MkDocs would name it."""
    bare = address.strip("/")
    names = {bare, bare.removesuffix(".md"), bare.removesuffix("/index.html").removesuffix(".html")}
    if bare in ("index.html", "index.md", "README.md"):
        names.add("")
    for suffix in ("/index.md", "/README.md", "/index"):
        if bare.endswith(suffix):
            names.add(bare.removesuffix(suffix))
    query = (
        select(page, rendition.c.html, rendition.c.headings, rendition.c.diagrams)
        .join(rendition, rendition.c.digest == page.c.digest, isouter=True)
        .where(page.c.site_id == number, page.c.address.in_(names))
        .order_by(case((page.c.address == bare, 0), else_=1), page.c.address)
        .limit(1)
    )
    return connection.execute(query).first()


def load_first(connection: Connection, number: int) -> Any | None:
    """Give the first page of a site that has none at its beginning."""
    query = (
        select(page.c.address).where(page.c.site_id == number).order_by(page.c.position).limit(1)
    )
    found = connection.execute(query).first()
    return None if found is None else load_page(connection, number, found.address)


def load_neighbours(connection: Connection, number: int, position: int) -> tuple[Any, Any]:
    """Give the pages before and after a page that is in the tree, in its order."""
    query = select(page.c.position, page.c.address, page.c.title).where(
        page.c.site_id == number,
        page.c.listed,
        page.c.position.in_((position - 1, position + 1)),
    )
    found = {row.position: row for row in connection.execute(query)}
    return found.get(position - 1), found.get(position + 1)


def load_tree(connection: Connection, number: int) -> Any | None:
    """Give the tree and the notes of a site."""
    return connection.execute(select(tree).where(tree.c.site_id == number)).first()


def load_problems(connection: Connection, number: int) -> Sequence[Any]:
    """Give what is wrong in a site, with the pages it is in."""
    query = (
        select(problem, page.c.address, page.c.title)
        .join(
            page,
            and_(page.c.site_id == problem.c.site_id, page.c.path == problem.c.path),
            isouter=True,
        )
        .where(problem.c.site_id == number)
        .order_by(problem.c.position)
    )
    return connection.execute(query).all()


def load_list(connection: Connection, number: int, after: int) -> Sequence[Any]:
    """Give the pages of a site in order, those after a position, one more than are shown."""
    query = (
        select(page.c.position, page.c.address, page.c.title, page.c.listed, page.c.changed_at,
               page.c.author, page.c.path)
        .where(page.c.site_id == number, page.c.position > after)
        .order_by(page.c.position)
        .limit(2 * LIST + 1)
    )  # fmt: skip
    return connection.execute(query).all()


def search_site(connection: Connection, number: int, words: Sequence[str]) -> Sequence[Any]:
    """Give the sections of a site that hold every word; those with one in their title first."""
    folded = [word.casefold() for word in words]
    in_title = case(
        (
            and_(*(func.lower(section.c.title).contains(word, autoescape=True) for word in folded)),
            0,
        ),
        else_=1,
    )
    query = (
        select(page.c.address, page.c.title.label("page"), section.c.anchor, section.c.title,
               section.c.text)
        .join(section, section.c.digest == page.c.digest)
        .where(
            page.c.site_id == number,
            *(or_(section.c.folded.contains(word, autoescape=True),
                  func.lower(page.c.title).contains(word, autoescape=True)) for word in folded),
        )
        .order_by(in_title, page.c.position, section.c.position)
        .limit(RESULTS + 1)
    )  # fmt: skip
    return connection.execute(query).all()


def load_index(
    connection: Connection, words: Sequence[str], after: tuple[str, str] | None, seen: Seen
) -> Sequence[Any]:
    """Give entities that show documentation and are seen, by title, one more than are shown."""
    holder = entity.alias()
    query = (
        select(
            entity.c.ref, entity.c.title, entity.c.owner, entity.c.fault,
            site.c.pages, site.c.problems, site.c.changed_at, site.c.read_at,
            site.c.failing_since, site.c.title.label("name"),
        )
        .select_from(entity)
        .join(
            holder, and_(holder.c.ref == entity.c.target, seen(holder.c.ref)), isouter=True
        )
        .join(site, site.c.id == func.coalesce(entity.c.site_id, holder.c.site_id), isouter=True)
        .where(
            seen(entity.c.ref),
            *(entity.c.folded.contains(word.casefold(), autoescape=True) for word in words),
        )
        .order_by(entity.c.title, entity.c.ref)
        .limit(LIST + 1)
    )  # fmt: skip
    if after is not None:
        query = query.where(
            or_(
                entity.c.title > after[0],
                and_(entity.c.title == after[0], entity.c.ref > after[1]),
            )
        )
    return connection.execute(query).all()


def load_sections(connection: Connection, after: int, limit: int) -> Sequence[Any]:
    """Give the pages of the sites that everybody sees with their sections, by page number."""
    pages = (
        select(page.c.id)
        .join(site, site.c.id == page.c.site_id)
        .where(site.c.version == "", page.c.id > after)
        .order_by(page.c.id)
        .limit(limit)
        .subquery()
    )
    query = (
        select(page.c.id, page.c.site_id, page.c.address, page.c.title.label("page"),
               section.c.anchor, section.c.title, section.c.text)
        .join(pages, pages.c.id == page.c.id)
        .join(section, section.c.digest == page.c.digest)
        .order_by(page.c.id, section.c.position)
    )  # fmt: skip
    return connection.execute(query).all()


def load_holders(connection: Connection) -> dict[int, str]:
    """Give the entity under whose address each site is found: the first that shows it itself."""
    query = (
        select(entity.c.site_id, func.min(entity.c.ref))
        .where(entity.c.site_id.is_not(None))
        .group_by(entity.c.site_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def load_file(connection: Connection, number: int, name: str, seen: Seen) -> bytes | None:
    """Give the content of a file that a site serves, of which the reader sees an entity."""
    main = site.alias()
    query = (
        select(blob.c.content)
        .join(file, file.c.hash == blob.c.hash)
        .where(
            file.c.site_id == number,
            file.c.name == name,
            exists()
            .where(site.c.id == number)
            .where(
                # A version of the site that an entity names has no entity itself.
                main.c.url == site.c.url,
                main.c.folder == site.c.folder,
                main.c.reference == site.c.reference,
                entity.c.site_id == main.c.id,
                seen(entity.c.ref),
            ),
        )
    )
    content: bytes | None = connection.execute(query).scalar()
    return content


def count_states(connection: Connection) -> dict[str, int]:
    """Give how many sites were read, fail and wait."""
    waits = and_(site.c.read_at.is_(None), site.c.failing_since.is_(None))
    query = select(
        func.count(),
        func.count(site.c.failing_since),
        func.count(case((waits, 1))),
    ).where(site.c.version == "")
    total, failing, waiting = connection.execute(query).one()
    return {"read": total - failing - waiting, "failing": failing, "waiting": waiting}
