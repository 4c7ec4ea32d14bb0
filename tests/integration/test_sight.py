"""What one may see: as a set of rows, as SQL and by the facts of each entity, always the same."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from callboard.access import EntityFilter
from callboard.access.filters import entity_filter
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.identity import (
    ANONYMOUS,
    EVERYTHING,
    EntityFacts,
    Selector,
    Subject,
    acting_for,
)
from callboard.testing import Clock
from callboard_catalog import models, sight
from callboard_catalog.testing import CatalogSite, descriptor

ASKER = Subject(principal=ANONYMOUS)
KINDS = ("Component", "Resource", "API")
SYSTEMS = ("shop", "bank", "other/shop", "nowhere")
VALUES: dict[str, tuple[str, ...]] = {
    "kinds": ("component", "resource", "system", "group", "nothing"),
    "namespaces": ("default", "other", "third", "nothing"),
    "types": ("service", "größe", "library", "nothing"),
    "owners": ("group:default/red", "group:other/red", "user:default/blue", "group:default/no"),
    "systems": ("system:default/shop", "system:default/bank", "system:other/shop"),
    "domains": ("domain:default/trade", "domain:default/money", "domain:other/trade"),
    "tags": ("java", "tier-1", "nothing"),
    "environments": ("production", "staging", "nothing"),
    "refs": ("component:default/n0", "api:other/n1", "system:default/shop", "group:default/red"),
}
MINE = frozenset({"group:default/red", "user:default/blue"})


def _one(dice: random.Random, number: int) -> str:
    """Give a descriptor of which nearly everything is left to chance."""
    kind = dice.choice(KINDS)
    spec: dict[str, Any] = {
        "type": dice.choice(["service", "Service", "GRÖßE", "Größe", "library", "-"]),
        "lifecycle": "production",
        "owner": dice.choice(["red", "other/red", "user:default/blue", "Group:Default/Red"]),
    }
    if kind == "API":
        spec["definition"] = "x"
    if dice.random() < 0.6:
        spec["system"] = dice.choice(SYSTEMS)
    named: dict[str, Any] = {"namespace": dice.choice(["default", "default", "other", "third"])}
    if dice.random() < 0.5:
        named["tags"] = dice.sample(["java", "tier-1", "go"], dice.randrange(3))
    if dice.random() < 0.5:
        named["labels"] = {"environment": dice.choice(["production", "Production", "staging"])}
    return descriptor(f"n{number}", kind, spec=spec, **named)


def _organisation(dice: random.Random) -> str:
    parts = [
        descriptor("red", "Group", title="Red"),
        descriptor("red", "Group", namespace="other"),
        descriptor("blue", "User", spec={"memberOf": ["red"]}),
        descriptor("trade", "Domain", spec={"owner": "red"}),
        descriptor("money", "Domain", spec={"owner": "red"}),
    ]
    for name in SYSTEMS[:3]:
        namespace, _, short = name.rpartition("/")
        domain = dice.choice([{}, {"domain": "trade"}, {"domain": "money"}])
        parts.append(
            descriptor(
                short, "System", spec={"owner": "red", **domain}, namespace=namespace or "default"
            )
        )
    return "---\n".join(parts)


def _fill(site: CatalogSite, seed: int, files: int = 6) -> None:
    dice = random.Random(seed)
    (site.base / "main" / "organisation.yaml").write_text(_organisation(dice))
    for file in range(files):
        text = "---\n".join(_one(dice, file * 10 + at) for at in range(10))
        (site.base / "main" / f"{file}.yaml").write_text(text)
    site.read()


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    made = CatalogSite(database, tmp_path, sources=[source], now=clock)
    _fill(made, 1)
    return made


def _selectors() -> st.SearchStrategy[Selector]:
    fields = {
        name: st.frozensets(st.sampled_from(values), max_size=2) for name, values in VALUES.items()
    }

    def made(chosen: dict[str, frozenset[str]], names: list[str], owned: bool) -> Selector:
        kept: dict[str, Any] = {name: chosen[name] for name in names}
        return Selector(**kept, owned=owned)

    names = st.lists(st.sampled_from(sorted(VALUES)), max_size=3, unique=True)
    return st.builds(made, st.fixed_dictionaries(fields), names, st.booleans())


def _filters() -> st.SearchStrategy[EntityFilter]:
    some = st.lists(_selectors(), max_size=4)
    made = st.builds(entity_filter, some, some, st.none() | some, st.just(MINE))
    plain = st.builds(
        EntityFilter,
        allow=st.frozensets(_selectors(), max_size=4),
        deny=st.frozensets(_selectors(), max_size=2),
        within=st.none() | st.frozensets(_selectors(), max_size=3),
        mine=st.sampled_from([MINE, frozenset()]),
    )
    return made | plain


def _facts(site: CatalogSite) -> dict[str, EntityFacts]:
    refs = [item.ref for item in site.service.find(limit=1000)]
    return {str(ref): facts for ref, facts in site.service.facts(refs).items()}


def _rows_where(connection: Connection, condition: Any) -> set[str]:
    return set(connection.scalars(select(models.entity.c.ref).where(condition)))


def _check(site: CatalogSite, facts: dict[str, EntityFacts], chosen: EntityFilter) -> None:
    """Ask for a filter in all ways there are."""
    expected = {ref for ref, item in facts.items() if chosen.fits(item)}
    service = site.service
    service.readable = lambda subject: chosen
    refs = models.entity.c.ref
    with acting_for(ASKER):
        found = service.sight()
        assert {str(item.ref) for item in service.find(limit=1000)} == expected
        assert set(map(str, service.visible(map(EntityRef.parse, facts)))) == expected
        seen = service.seen(refs)
    with site.database.read() as connection:
        assert _rows_where(connection, seen) == expected
        if found is None:
            assert chosen.everything
            return
        assert _rows_where(connection, found.condition(connection)) == expected
        assert _rows_where(connection, found.of_ref(connection, refs)) == expected
        assert _rows_where(connection, found.of_id(connection, models.entity.c.id)) == expected
        assert _rows_where(connection, found.not_hidden(connection, refs)) == expected
        assert len(found.rows) == len(expected)
        assert len(found.rows) + len(found.hidden) == len(facts)


FORMS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "numbers": lambda patch: None,
    "selectors": lambda patch: patch.setattr(sight, "FEW", 0),
    "hidden numbers": lambda patch: (
        patch.setattr(sight, "FEW", 0),
        patch.setattr(sight, "MOST_TERMS", 0),
    )[0],
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_sql_and_facts_agree(
    site: CatalogSite, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    FORMS[form](monkeypatch)
    facts = _facts(site)
    assert len(facts) > 60

    for name, values in VALUES.items():
        for value in values:
            one = frozenset({Selector(**{name: frozenset({value})})})  # type: ignore[arg-type]
            _check(site, facts, EntityFilter(allow=one))
            _check(site, facts, EntityFilter(allow=frozenset({EVERYTHING}), deny=one))

    @settings(max_examples=60, deadline=None, database=None)
    @given(_filters())
    def agree(chosen: EntityFilter) -> None:
        _check(site, facts, chosen)

    agree()


def test_they_agree_whatever_changes(site: CatalogSite, clock: Clock) -> None:
    """The index of facets follows by what has changed: what decisions look at follows with it."""
    chosen = [
        EntityFilter(allow=frozenset({Selector(**{name: frozenset({value})})}))  # type: ignore[arg-type]
        for name, values in VALUES.items()
        for value in values
    ]
    dice = random.Random(3)
    for step in range(4):
        clock.advance(60)
        folder = site.base / "main"
        (folder / "0.yaml").write_text(
            "---\n".join(_one(dice, at) for at in range(dice.choice([5, 10])))
        )
        if step == 1:
            (folder / "organisation.yaml").write_text(_organisation(random.Random(step)))
        site.read()
        facts = _facts(site)
        for one in chosen:
            _check(site, facts, one)


def test_environments_and_types_in_any_case(site: CatalogSite) -> None:
    facts = _facts(site)
    for name, value in (("environments", "production"), ("types", "größe"), ("types", "service")):
        one: dict[str, Any] = {name: frozenset({value})}
        allowed = EntityFilter(allow=frozenset({Selector(**one)}))
        assert any(allowed.fits(item) for item in facts.values())
        _check(site, facts, allowed)


def test_a_later_state_is_not_mixed_with_an_earlier_one(site: CatalogSite, clock: Clock) -> None:
    """A reader that began before a change gets a sight from the newer index, told by numbers."""
    service = site.service
    shop = Selector(systems=frozenset({"system:default/shop"}))
    service.readable = lambda subject: EntityFilter(allow=frozenset({shop}))
    with acting_for(ASKER), service.snapshot():
        service.generation()
        before = {item.ref for item in service.find(limit=1000)}
        clock.advance(60)
        with acting_for(None):
            _in_thread(lambda: _fill(site, 2))
            _in_thread(service.facet_index)
        found = service.sight()
        assert found is not None
        assert not found.exact
        with site.database.read() as connection:
            told = str(found.condition(connection))
        assert "system" not in told
        assert {item.ref for item in service.find(limit=1000)} <= {
            *before, *map(EntityRef.parse, _facts_in_thread(site))
        }  # fmt: skip


def _in_thread(call: Callable[[], object]) -> None:
    from callboard.threads import DaemonPool

    pool = DaemonPool(1, "reader")
    pool.submit(call).result(30)
    pool.close()


def _facts_in_thread(site: CatalogSite) -> dict[str, EntityFacts]:
    found: dict[str, EntityFacts] = {}

    def read() -> None:
        with acting_for(None):
            found.update(_facts(site))

    _in_thread(read)
    return found


def test_many_selectors_are_told_by_numbers(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "FEW", 0)
    parts = frozenset(
        Selector(kinds=frozenset({"component"}), refs=frozenset({f"component:default/n{at}"}))
        for at in range(sight.MOST_TERMS + 1)
    )
    _check(site, _facts(site), EntityFilter(allow=parts))
