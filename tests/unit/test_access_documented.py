"""Every permission is documented and in two languages; the examples of the guide are settings."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from callboard.access import Access, AccessSettings
from callboard.contributions import Permission
from callboard.entities import EntityRef
from callboard.i18n import Message
from callboard.identity import EntityFacts, Principal, Subject
from callboard.settings.document import read_document
from callboard_web.runtime import Runtime

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operator/access.md").read_text("utf-8")
NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Permission]:
    """Give all permissions that host and plugins of this repository declare."""
    config = tmp_path_factory.mktemp("portal") / "callboard.yaml"
    config.write_text("portal: {}\n")
    runtime = Runtime.open(config, {})
    try:
        return dict(runtime.services.access.permissions)
    finally:
        runtime.stop()


def test_every_permission_is_documented(declared: dict[str, Permission]) -> None:
    page = (ROOT / "docs/reference/permissions.md").read_text("utf-8")
    assert [name for name in declared if f"| `{name}` |" not in page] == []


def test_every_permission_has_a_name_of_three_parts_and_a_title(
    declared: dict[str, Permission],
) -> None:
    assert [name for name in declared if not NAME.fullmatch(name)] == []
    assert [item.name for item in declared.values() if not isinstance(item.title, Message)] == []


def test_every_permission_is_told_in_chinese(declared: dict[str, Permission]) -> None:
    catalogs = {
        path.parents[1].name: path for path in ROOT.glob("plugins/*/src/*/locales/zh_CN.po")
    } | {"callboard_web": ROOT / "web/callboard_web/locales/zh_CN.po"}
    known = set()
    for path in catalogs.values():
        with path.open("rb") as file:
            known |= {str(item.id) for item in read_po(file) if item.string and not item.fuzzy}
    texts = {
        str(text) for item in declared.values() for text in (item.title, item.description) if text
    }
    assert sorted(texts - known) == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_guide_are_settings(example: str) -> None:
    given = read_document(example.encode(), "x").value["access"]
    access = Access(AccessSettings.model_validate(given), [])
    assert [item for item in access.faults if item.severity == "error"] == []


def test_nobody_releases_what_their_own_team_owns() -> None:
    (example,) = [text for text in EXAMPLES if "Four eyes" in text]
    settings = AccessSettings.model_validate(read_document(example.encode(), "x").value["access"])
    declared = [
        Permission(name="cd.release.start", title="", about="entity"),
        Permission(name="catalog.entity.read", title="", role="viewer", about="entity"),
    ]
    access = Access(settings, declared)
    names = {"release-managers", "developers"}
    groups = {name: EntityRef.of("group", "default", name) for name in names}
    manager, developer = (
        Subject(principal=Principal(kind="person", name=name), mine=(groups[name],))
        for name in ("release-managers", "developers")
    )
    theirs = EntityFacts(
        ref="component:default/a", kind="component", namespace="default",
        owner=str(groups["developers"]),
    )  # fmt: skip
    own = EntityFacts(
        ref="component:default/b", kind="component", namespace="default",
        owner=str(groups["release-managers"]),
    )  # fmt: skip
    start = "cd.release.start"
    assert access.decide(manager, start, theirs, environment="production").allowed
    assert not access.decide(manager, start, theirs, environment="test").allowed
    assert not access.decide(manager, start, own, environment="production").allowed
    assert not access.decide(developer, start, theirs, environment="production").allowed
    assert access.decide(developer, "catalog.entity.read", theirs).allowed
