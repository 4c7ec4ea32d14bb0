"""Users of the catalog, looked up by what claims say, and those made from claims."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from callboard import events
from callboard.audit import record
from callboard.contributions import EntitySource, SourceContext, SourceDocument
from callboard.database import Database
from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard.i18n import Translator
from callboard.people.names import entity_name
from callboard_catalog import models as catalog
from callboard_catalog.service import CatalogService
from callboard_web.formats import safe_url
from callboard_web.sign_in.claimed_groups import group_documents, groups_version
from callboard_web.sign_in.claims import proven_email, text_at, title_of
from callboard_web.sign_in.models import claimed_user
from callboard_web.sign_in.settings import ProviderSettings

_: Final = Translator("callboard")

PLUGIN: Final = "portal"
SOURCE: Final = "people"
MADE: Final = f"{PLUGIN}.{SOURCE}"
"""The name of the source in the catalog."""

MOST: Final = 10
"""Users looked at for one value: two who are described are too many already."""

INDEXED: Final = 200
"""Characters of a value that the catalog's index keeps."""


class CatalogPeople:
    """`resolver.People` over the tables of the catalog."""

    def __init__(self, database: Database, service: CatalogService, provider: str) -> None:
        self.database = database
        self.service = service
        self.provider = provider

    def having(self, field: str, value: str) -> Sequence[EntityRef]:
        entity, key, values = catalog.entity, catalog.field_key, catalog.entity_field
        if len(value) > INDEXED:
            return []
        statement = (
            select(entity.c.ref, catalog.source.c.name)
            .join(catalog.source, catalog.source.c.id == entity.c.source_id)
            .join(values, values.c.entity_id == entity.c.id)
            .join(key, key.c.id == values.c.key_id)
            .where(
                entity.c.kind == "user",
                key.c.name == field.lower(),
                values.c.value == value.lower(),
            )
            .order_by(entity.c.ref)
            .limit(MOST)
        )
        with self.database.read() as connection:
            rows = connection.execute(statement).all()
        # Who is described somewhere comes before those who are there because they signed in.
        described = [row for row in rows if row.name != MADE]
        return [EntityRef.parse(row.ref) for row in described or rows]

    def named(self, name: str, subject: str) -> Sequence[EntityRef]:
        # Only a name that can be one as it is: another would be someone else's.
        if entity_name(name) != name.lower():
            return []
        ref = EntityRef.of("user", DEFAULT_NAMESPACE, name)
        if self.service.get(ref) is None:
            return []
        statement = select(claimed_user.c.provider, claimed_user.c.subject)
        with self.database.read() as connection:
            made = connection.execute(
                statement.where(claimed_user.c.name == ref.name)
            ).one_or_none()
        strangers = made and (made.provider, made.subject) != (self.provider, subject)
        return [] if strangers and is_made(self.service, ref) else [ref]

    def groups(self, refs: Collection[EntityRef]) -> Collection[EntityRef]:
        return set(self.service.titles(refs))


def is_made(service: CatalogService, ref: EntityRef) -> bool:
    """Say whether a User of the catalog is there only because they signed in."""
    place = service.provenance(ref)
    return place is not None and place.source == MADE


class ClaimedUsers:
    """The Users that are made of claims because nobody described them."""

    def __init__(self, database: Database, service: CatalogService) -> None:
        self.database = database
        self.service = service

    def settle(
        self,
        provider: ProviderSettings,
        subject: str,
        claims: Mapping[str, Any],
        groups: Iterable[EntityRef],
        found: EntityRef | None,
        *,
        trusted: bool,
        now: datetime,
    ) -> tuple[EntityRef | None, bool]:
        """Give the User for a person and whether the catalog must read them anew.

        Where the chain has `found` one that somebody described, a User made earlier goes. Else one
        is made, or kept up to date: always the same for the same subject of a provider. `trusted`
        says whether the person's user name may be its name.
        """
        with self.database.write() as connection:
            table = claimed_user
            mine = (table.c.provider == provider.name) & (table.c.subject == subject)
            old = connection.execute(select(table).where(mine)).one_or_none()
            if found is not None and not (old and found.name == old.name and self._made(found)):
                if old is not None:
                    connection.execute(delete(table).where(mine))
                    self._tell(connection, "removed", old.name, now)
                return found, old is not None
            row = self._row(provider, subject, claims, groups)
            if old is not None:
                same = all(getattr(old, key) == value for key, value in row.items())
                if not same:
                    values = {**row, "updated_at": now}
                    connection.execute(table.update().where(mine).values(**values))
                return EntityRef("user", DEFAULT_NAMESPACE, old.name), not same
            name = self._insert(connection, row, claims, provider, trusted, now)
            return EntityRef("user", DEFAULT_NAMESPACE, name), True

    def _made(self, ref: EntityRef) -> bool:
        return is_made(self.service, ref)

    def _row(
        self,
        provider: ProviderSettings,
        subject: str,
        claims: Mapping[str, Any],
        groups: Iterable[EntityRef],
    ) -> dict[str, Any]:
        picture = text_at(claims, "picture")
        kept = len(picture) <= 1000 and safe_url(picture).startswith("https:")
        return {
            "provider": provider.name,
            "subject": subject,
            "title": title_of(claims, provider.username_claim),
            "email": proven_email(claims, trusted=provider.trust_email),
            "picture": picture if kept else "",
            "groups": sorted(map(str, groups)),
        }

    def _insert(
        self,
        connection: Connection,
        row: Mapping[str, Any],
        claims: Mapping[str, Any],
        provider: ProviderSettings,
        trusted: bool,
        now: datetime,
    ) -> str:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        for name in self._names(provider, str(row["subject"]), claims, trusted):
            if self.service.get(EntityRef("user", DEFAULT_NAMESPACE, name)) is not None:
                continue
            statement = (
                dialect.insert(claimed_user)
                .values({**row, "name": name, "updated_at": now})
                .on_conflict_do_nothing()
                .returning(claimed_user.c.name)
            )
            if connection.execute(statement).one_or_none() is not None:
                self._tell(connection, "made", name, now)
                return name
        raise RuntimeError("No name is left for a person.")

    def _names(
        self, provider: ProviderSettings, subject: str, claims: Mapping[str, Any], trusted: bool
    ) -> list[str]:
        """Give names a User may have: the user name if it is trusted, else with a mark of its own.

        Roles may be bound to the name of a User before there is one, so that a name somebody can
        choose must not become it.
        """
        username = text_at(claims, provider.username_claim)
        said = username or text_at(claims, "email").partition("@")[0]
        base = entity_name(said)
        mark = hashlib.sha256(f"{provider.name}|{subject}".encode()).hexdigest()
        marked = [
            f"{(base or 'person')[:40].strip('-._')}-{mark[:8]}",
            f"person-{mark[:40]}",
        ]
        plain = trusted and username and base == username.lower()
        return [base, *marked] if plain else marked

    def _tell(self, connection: Connection, what: str, name: str, now: datetime) -> None:
        ref = str(EntityRef("user", DEFAULT_NAMESPACE, name))
        record(connection, f"portal.user.{what}", ref, after={"by": "sign-in"}, at=now)
        events.publish(connection, f"portal.user.{what}", ref, {}, at=now)


def people_source(*, users: bool = True, groups: bool = False) -> EntitySource:
    """Give the source of what was made from claims."""

    def read(context: SourceContext) -> Iterable[SourceDocument]:
        yield from _read(context) if users else ()
        yield from group_documents(context.host) if groups else ()

    def version(context: SourceContext) -> str:
        parts = [_version(context) if users else "", ""]
        if groups:
            parts[1] = groups_version(context.host)
        return " / ".join(parts) if groups else parts[0]

    return EntitySource(name=SOURCE, title=_("People who signed in"), read=read, version=version)


def _version(context: SourceContext) -> str:
    statement = select(func.count(), func.max(claimed_user.c.updated_at))
    with context.host.read() as connection:
        count, latest = connection.execute(statement).one()
    return f"{count} {latest}"


def _read(context: SourceContext) -> Iterable[SourceDocument]:
    with context.host.read() as connection:
        rows = connection.execute(select(claimed_user).order_by(claimed_user.c.name)).all()
    return [SourceDocument(path=f"{row.name}.json", content=_document(row)) for row in rows]


def _document(row: Any) -> Mapping[str, Any]:
    profile = {"displayName": row.title, "email": row.email, "picture": row.picture}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "User",
        "metadata": {
            "name": row.name,
            "annotations": {"callboard.dev/sign-in-provider": row.provider},
        },
        "spec": {
            "profile": {key: value for key, value in profile.items() if value},
            "memberOf": list(row.groups),
        },
    }
