"""Roles and bindings made in pages: on both databases, by several at once."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from callboard import audit, events
from callboard.access import Access, AccessSettings, Change, FormError, PolicyStore, models
from callboard.access.current import FRESH_SECONDS
from callboard.access.parts import CHANGE_POLICY, PERMISSIONS
from callboard.access.store import grow_generation
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.identity import Permission, Principal, Selector, Subject, acting_for
from callboard.testing import Clock

READ = "catalog.entity.read"
START = "ci.run.start"
DECLARED = [
    *PERMISSIONS,
    Permission(name=READ, title="", role="viewer", about="entity"),
    Permission(name=START, title="", role="maintainer", about="entity"),
]
Open = Callable[..., Access]


def person(name: str, *groups: str) -> Subject:
    ref = EntityRef.of("user", "default", name)
    mine = (ref, *(EntityRef.of("group", "default", group) for group in groups))
    return Subject(principal=Principal(kind="person", name=str(ref), entity=ref), mine=mine)


ADA, EVE = person("ada", "red"), person("eve", "blue")


@pytest.fixture
def make(database: Database, clock: Clock) -> Open:
    """Give the function that makes another process's view of one database."""

    def made(**given: Any) -> Access:
        given = {"administrators": ["user:ada"], **given}
        settings = AccessSettings.model_validate(given)
        return Access(settings, DECLARED, database=database, now=clock, strict=True)

    return made


@pytest.fixture
def store(make: Open) -> PolicyStore:
    return make().store


def role(**given: Any) -> Any:
    return PolicyStore.role_settings({"name": "starter", "permissions": ["ci.*"], **given})


def binding(**given: Any) -> Any:
    return PolicyStore.binding_settings({"role": "starter", "to": ["group:blue"], **given})


def test_what_is_made_is_in_force_in_every_process(make: Open) -> None:
    here, there = make(), make()
    assert not there.decide(EVE, START).allowed
    here.store.add_role(role())
    added = here.store.add_binding(binding(note="they asked"))
    assert there.decide(EVE, START).allowed
    assert there.decide(EVE, START).reasons[0].binding is not None
    assert [item.number for item in there.policy.bindings if item.origin == "pages"] == [
        added.number
    ]
    changed = here.store.change_binding(added.number, added.version, binding(effect="deny"))
    assert not there.decide(EVE, START).allowed
    assert there.store.binding(added.number).settings.effect == "deny"
    here.store.remove_binding(added.number, changed.version)
    with pytest.raises(NotFoundError):
        there.store.binding(added.number)
    assert there.generation == here.generation


def test_each_change_is_audited_and_told(
    store: PolicyStore, database: Database, clock: Clock
) -> None:
    with acting_for(ADA):
        made = store.add_role(role())
        clock.advance(timedelta(minutes=1))
        changed = store.change_role("starter", made.version, role(title="Starters"))
        given = store.add_binding(binding())
        store.remove_binding(given.number, given.version)
        store.remove_role("starter", changed.version)
    with database.read() as connection:
        entries = audit.entries(connection)
        told = events.read(connection, 0, ("access.",))
    assert [item.action for item in reversed(entries)] == [
        "access.role.add", "access.role.change", "access.binding.add",
        "access.binding.remove", "access.role.remove",
    ]  # fmt: skip
    assert {item.actor for item in entries} == {"person:user:default/ada"}
    assert entries[3].before["permissions"] == ["ci.*"]
    assert entries[3].after["title"] == "Starters"
    assert [item.kind for item in told] == [
        "access.role.added", "access.role.changed", "access.binding.added",
        "access.binding.removed", "access.role.removed",
    ]  # fmt: skip
    assert changed.changed_at - made.changed_at == timedelta(minutes=1)
    assert changed.changed_by == "person:user:default/ada"


def test_a_change_of_what_somebody_else_changed_is_refused(store: PolicyStore) -> None:
    made = store.add_role(role())
    store.change_role("starter", made.version, role(title="First"))
    with pytest.raises(ConflictError):
        store.change_role("starter", made.version, role(title="Second"))
    with pytest.raises(ConflictError):
        store.remove_role("starter", made.version)
    given = store.add_binding(binding())
    store.change_binding(given.number, given.version, binding(note="x"))
    with pytest.raises(ConflictError):
        store.change_binding(given.number, given.version, binding(note="y"))
    assert store.role("starter").settings.title == "First"
    assert store.binding(given.number).settings.note == "x"


def test_a_name_made_anew_is_not_the_one_before(store: PolicyStore) -> None:
    first = store.add_role(role())
    store.remove_role("starter", first.version)
    store.add_role(role(title="Other"))
    with pytest.raises(ConflictError):
        store.remove_role("starter", first.version)


def test_several_who_change_one_at_once_do_not_overwrite_each_other(
    make: Open, database: Database
) -> None:
    made = make().store.add_role(role())
    results: list[str] = []
    begin = threading.Barrier(4)

    def change(number: int) -> None:
        store = make().store
        begin.wait()
        try:
            store.change_role("starter", made.version, role(title=f"by {number}"))
            results.append(f"by {number}")
        except ConflictError:
            results.append("refused")

    threads = [threading.Thread(target=change, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[1:] == ["refused"] * 3
    assert make().store.role("starter").settings.title == sorted(results)[0]


def test_a_refused_change_leaves_nothing(store: PolicyStore, database: Database) -> None:
    with pytest.raises(FormError) as caught:
        store.add_binding(binding(role="no-such-role"))
    assert list(caught.value.faults) == ["role"]
    with database.read() as connection:
        assert audit.entries(connection) == []
        assert events.read(connection, 0, ("access.",)) == []
    assert store.bindings() == []


@pytest.mark.parametrize("name", ["viewer", "administrator", "mine"])
def test_a_name_that_is_taken_is_refused(make: Open, name: str) -> None:
    store = make(roles=[{"name": "mine", "permissions": ["ci.*"]}]).store
    with pytest.raises(ConflictError, match=name):
        store.add_role(role(name=name))


def test_a_role_in_use_stays(store: PolicyStore) -> None:
    made = store.add_role(role())
    given = store.add_binding(binding())
    with pytest.raises(ConflictError):
        store.remove_role("starter", made.version)
    store.remove_binding(given.number, given.version)
    other = store.add_role(role(name="more", includes=["starter"]))
    with pytest.raises(ConflictError):
        store.remove_role("starter", made.version)
    store.remove_role("more", other.version)
    store.remove_role("starter", made.version)
    with pytest.raises(InputError):
        store.change_role("starter", 1, role(name="renamed"))


def test_nothing_made_in_pages_takes_from_the_administrators_of_settings(make: Open) -> None:
    access = make()
    access.store.add_binding(binding(role="administrator", to=["everyone"], effect="deny"))
    assert access.decide(ADA, CHANGE_POLICY).allowed
    assert not access.decide(EVE, READ).allowed
    spared = access.explain(ADA, READ).bindings
    assert "set aside" in {item.outcome for item in spared}


def test_the_break_glass_account_is_stopped_by_nothing(make: Open) -> None:
    everyone = {"role": "administrator", "to": ["everyone"], "effect": "deny"}
    access = make(bindings=[everyone], administrators=[])
    glass = Subject(principal=Principal(kind="person", name="local|root"), roles=("administrator",))
    assert access.decide(glass, CHANGE_POLICY).allowed
    assert not access.decide(ADA, READ).allowed


def test_the_last_administrator_stays(make: Open) -> None:
    access = make(administrators=[])
    first = access.store.add_binding(binding(role="administrator", to=["group:red"]))
    assert access.decide(ADA, CHANGE_POLICY).allowed
    with pytest.raises(ConflictError, match="nobody"):
        access.store.remove_binding(first.number, first.version)
    narrow = binding(role="administrator", to=["group:red"], on={"owned": True})
    with pytest.raises(ConflictError, match="nobody"):
        access.store.change_binding(first.number, first.version, narrow)
    deny = binding(role="administrator", to=["signed-in"], effect="deny")
    with pytest.raises(ConflictError, match="nobody"):
        access.store.add_binding(deny)
    assert access.decide(ADA, CHANGE_POLICY).allowed
    second = access.store.add_binding(binding(role="administrator", to=["user:eve"]))
    access.store.remove_binding(first.number, first.version)
    assert not access.decide(ADA, CHANGE_POLICY).allowed
    assert access.decide(EVE, CHANGE_POLICY).allowed
    assert access.store.binding(second.number).settings.to == ["user:default/eve"]


def test_pages_make_no_policies_where_settings_say_so(make: Open) -> None:
    make().store.add_binding(binding(role="administrator", to=["user:eve"]))
    closed = make(pages=False)
    assert not closed.store.enabled
    assert not closed.decide(EVE, CHANGE_POLICY).allowed
    with pytest.raises(ConflictError):
        closed.store.add_role(role())
    assert {item.kind: item.state for item in closed.sources}["pages"] == "off"
    assert len(closed.store.bindings()) == 1


def test_a_row_that_cannot_be_read_closes_all_but_to_administrators(
    make: Open, database: Database
) -> None:
    access = make()
    access.store.add_binding(binding(role="viewer", to=["everyone"], effect="deny"))
    with database.write() as connection:
        connection.execute(update(models.binding).values(content={"role": "viewer"}))
        grow_generation(connection)
    assert not access.decide(EVE, READ).allowed
    assert access.decide(ADA, CHANGE_POLICY).allowed
    assert [item.file for item in access.faults] == ["pages"]
    assert access.sources[-1].faults


HOSTILE = [
    "'; DROP TABLE access_role; --", "<script>alert(1)</script>", "支付·管理员", "a" * 80,
    "role:x", "%(name)s", "{{ 7*7 }}", "../../etc/passwd", "\u202egnp.exe",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names(make: Open, name: str) -> None:
    access = make()
    access.store.add_role(role(name=name, title=name, description=name))
    access.store.add_binding(binding(role=name, to=[f"provider-group:{name}"], note=name))
    asker = Subject(principal=Principal(kind="person", name="x"), names=(f"provider-group:{name}",))
    assert access.decide(asker, START).allowed
    assert not access.decide(EVE, START).allowed
    assert name in str(access.decide(asker, START).reasons[0].text)


@pytest.mark.parametrize(
    "given",
    [
        {"to": ["payments"]}, {"to": []}, {"to": ["group:"]}, {"to": ["service:a\nb"]},
        {"to": ["service:\0"]}, {"effect": "maybe"}, {"on": {"owner": ["a/b/c"]}},
        {"on": {"colour": ["red"]}}, {"role": ""}, {"role": "a,b"}, {"note": "x" * 2001},
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_by_field(given: dict[str, Any]) -> None:
    with pytest.raises(FormError) as caught:
        binding(**given)
    (field,) = caught.value.faults
    assert field.partition(".")[0] == next(iter(given))


def test_a_change_can_be_tried(make: Open) -> None:
    access = make()
    access.store.add_role(role())
    added = access.store.add_binding(binding())
    draft = access.store.draft(Change(settings=None, was=added.number))
    assert added.number not in {item.number for item in draft.bindings}
    wider = access.store.draft(Change(settings=role(permissions=["*"]), was="starter"))
    assert wider.roles["starter"].permissions == ("*",)
    narrow = access.store.draft(Change(settings=binding(on={"owned": True})))
    assert Selector(owned=True) in {item.on for item in narrow.bindings if item.origin == "pages"}
    assert access.policy.roles["starter"].permissions == ("ci.*",)


CHANGE_IN_A_PROCESS = """
import sys
from datetime import UTC, datetime
from callboard.access import Access, AccessSettings
from callboard.access.parts import PERMISSIONS
from callboard.database import Database
from callboard.errors import ConflictError

url, version, title = sys.argv[1:]
database = Database(url)
access = Access(AccessSettings(), PERMISSIONS, database=database, now=lambda: datetime.now(UTC))
store = access.store
print("ready", flush=True)
sys.stdin.readline()
settings = store.role_settings({"name": "starter", "permissions": ["ci.*"], "title": title})
try:
    store.change_role("starter", int(version), settings)
    print(title)
except ConflictError:
    print("refused")
"""


def test_of_two_processes_that_change_one_at_once_one_is_refused(
    make: Open, database: Database
) -> None:
    access = make()
    made = access.store.add_role(role())
    assert not access.decide(EVE, START).allowed
    url = database.url.render_as_string(hide_password=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CHANGE_IN_A_PROCESS, url, str(made.version), title],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for title in ("first", "second")
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = [process.communicate("go\n", timeout=60)[0].strip() for process in processes]
    assert sorted(said) in (["first", "refused"], ["refused", "second"])
    assert access.store.role("starter").settings.title in said
    # What another process has changed is in force here as well.
    time.sleep(FRESH_SECONDS)
    assert access.policy.roles["starter"].title in said
