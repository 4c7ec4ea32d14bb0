"""Groups that are made of claims because nobody described them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, delete, func, insert, select

from callboard import events
from callboard.audit import record
from callboard.contributions import SourceDocument
from callboard.database import Database
from callboard.entities import EntityRef
from callboard_web.sign_in.groups import GroupMatch
from callboard_web.sign_in.models import claimed_member

if TYPE_CHECKING:
    from callboard.host import Host

MOST: Final = 200
"""Groups of one person that are made."""


class ClaimedGroups:
    """Who is in which of the Groups that claims made."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def wanted(self, matches: Sequence[GroupMatch]) -> dict[EntityRef, str]:
        """Give the made Groups of a person with the provider's names of them.

        They are those no rule found in the catalog, under the first name that a rule gave, and
        those found there because they were made before.
        """
        found = {str(match.group) for match in matches if match.group}
        table = claimed_member
        query = select(table.c.group).where(table.c.group.in_(found)).distinct()
        with self.database.read() as connection:
            made = set(connection.scalars(query)) if found else set()
        given: dict[EntityRef, str] = {}
        for match in matches:
            if match.group is None and match.missing:
                given.setdefault(match.missing[0], match.name)
            elif match.group is not None and str(match.group) in made:
                given.setdefault(match.group, match.name)
        return dict(list(given.items())[:MOST])

    def settle(
        self,
        provider: str,
        subject: str,
        wanted: Mapping[EntityRef, str],
        user: EntityRef | None,
        now: datetime,
    ) -> bool:
        """Put a person into these Groups and no other; say whether the catalog must read anew.

        A Group that is left by the last one goes.
        """
        table = claimed_member
        mine = (table.c.provider == provider) & (table.c.subject == subject)
        rows = {
            str(ref): {"group": str(ref), "provider": provider, "subject": subject,
                       "title": title, "user": str(user or "")}
            for ref, title in wanted.items()
        }  # fmt: skip
        with self.database.read() as connection:
            if self._rows(connection, mine) == rows:
                return False
        with self.database.write() as connection:
            before = self._rows(connection, mine)
            touched = sorted({*before, *rows})
            there = self._there(connection, touched)
            connection.execute(delete(table).where(mine))
            if rows:
                values = [{**row, "updated_at": now} for row in rows.values()]
                connection.execute(insert(table), values)
            after = self._there(connection, touched)
            for what, refs in (("made", after - there), ("removed", there - after)):
                for ref in sorted(refs):
                    record(connection, f"portal.group.{what}", ref, after={"by": "sign-in"}, at=now)
                    events.publish(connection, f"portal.group.{what}", ref, {}, at=now)
        return True

    def _rows(self, connection: Connection, mine: Any) -> dict[str, dict[str, Any]]:
        found = connection.execute(select(claimed_member).where(mine)).mappings()
        return {
            row["group"]: {key: row[key] for key in row if key != "updated_at"} for row in found
        }

    def _there(self, connection: Connection, refs: Sequence[str]) -> set[str]:
        group = claimed_member.c.group
        query = select(group).where(group.in_(refs)).distinct()
        return set(connection.scalars(query))


def groups_version(host: "Host") -> str:
    """Name the state of the made Groups."""
    query = select(func.count(), func.max(claimed_member.c.updated_at))
    with host.read() as connection:
        count, latest = connection.execute(query).one()
    return f"{count} {latest}"


def group_documents(host: "Host") -> list[SourceDocument]:
    """Give the made Groups with the members known."""
    table = claimed_member
    query = select(table).order_by(table.c.group, table.c.provider, table.c.subject)
    with host.read() as connection:
        rows = connection.execute(query).all()
    return [
        _document(EntityRef.parse(ref), list(members))
        for ref, members in groupby(rows, key=lambda row: str(row.group))
    ]


def _document(ref: EntityRef, rows: Sequence[Any]) -> SourceDocument:
    first = rows[0]
    content = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Group",
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "annotations": {"callboard.dev/sign-in-provider": first.provider},
        },
        "spec": {
            "type": "team",
            "profile": {"displayName": first.title},
            "children": [],
            "members": sorted({row.user for row in rows if row.user}),
        },
    }
    return SourceDocument(path=f"groups/{ref.namespace}/{ref.name}.json", content=content)
