"""Settings, order, includes and links of a site."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard_docs.addresses import Address, address_of, borrowed_from
from callboard_docs.reading.configuration import read_configuration
from callboard_docs.reading.includes import expand
from callboard_docs.reading.links import Files, folders_of
from callboard_docs.reading.navigation import addresses_of, folder_nodes, read_navigation

SHOP = "file:///srv/git/shop.git"


def entity(**annotations: str) -> Entity:
    keys = {
        "ref": "backstage.io/techdocs-ref",
        "entity": "backstage.io/techdocs-entity",
        "path": "backstage.io/techdocs-entity-path",
        "source": "backstage.io/source-location",
        "managed": "backstage.io/managed-by-location",
    }
    named = {keys[name]: value for name, value in annotations.items()}
    document = {"kind": "Component", "metadata": {"name": "order", "annotations": named}}
    return Entity(EntityRef.of("component", "default", "order"), document)


@pytest.mark.parametrize(
    ("item", "address"),
    [
        (entity(ref="dir:.", source=f"url:{SHOP}"), Address(SHOP, "", "")),
        (entity(ref="dir:./manual/", source=f"url:{SHOP}#pay/"), Address(SHOP, "pay/manual", "")),
        (entity(ref="dir:../shared", source=f"url:{SHOP}#pay/"), Address(SHOP, "shared", "")),
        (
            entity(ref="dir:.", source=f"url:{SHOP}", managed=f"url:{SHOP}#pay/catalog-info.yaml"),
            Address(SHOP, "pay", ""),
        ),
        (
            entity(ref="url:https://github.com/o/r/tree/next/handbook"),
            Address("https://github.com/o/r.git", "handbook", "next"),
        ),
        (
            entity(ref="url:https://gitlab.corp/g/r/-/blob/main/a/mkdocs.yml"),
            Address("https://gitlab.corp/g/r.git", "a", "main"),
        ),
    ],
)
def test_where_documentation_is(item: Entity, address: Address) -> None:
    assert address_of(item) == address


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (entity(ref="dir:."), "no Git repository"),
        (entity(ref="dir:.", managed="file:/srv/catalog/a.yaml"), "no Git repository"),
        (entity(ref="dir:../../etc", source=f"url:{SHOP}#pay/"), "Expected dir:"),
        (entity(ref="docs", source=f"url:{SHOP}"), "Expected dir:"),
        (entity(ref="url:ftp", source=f"url:{SHOP}"), "Expected dir:"),
    ],
)
def test_what_is_no_place_says_why(item: Entity, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        address_of(item)


def test_documentation_of_another_entity() -> None:
    item = entity(entity="system:trade/shop", path="/guide/")
    assert borrowed_from(item) == (EntityRef.of("system", "trade", "shop"), "guide")
    assert borrowed_from(entity(ref="dir:.")) is None


def test_settings_with_tags_of_python_are_read_and_not_run() -> None:
    found = read_configuration(
        b"site_name: !ENV [NAME, x]\nINHERIT: ../base.yml\ndocs_dir: manual/\n"
        b"nav: [index.md]\nmarkdown_extensions:\n  - x: !!python/object/apply:os.system ['false']\n"
        b"  - pymdownx.emoji: {a: !!python/name:os.system }\ntheme: &t {a: 1}\nextra: {<<: *t}\n"
    )
    assert found.site_name == ""
    assert found.docs_dir == "manual"
    assert found.nav == ["index.md"]
    assert ["INHERIT" in str(note) for note in found.notes] == [True]


@pytest.mark.parametrize(
    "content",
    [
        b"nav: [a: b: c",
        b"- just a list",
        b"nav: " + b"[" * 3000,
        b"\xff\xfe\x00",
        b"docs_dir: ../../etc",
        b"docs_dir: /etc",
        b"nav: {a: b}",
        b"x" * (600 * 1024),
        b"a: &a [*a]\nnav: *a",
    ],
)
def test_settings_that_are_wrong_are_told_of(content: bytes) -> None:
    found = read_configuration(content)
    assert found.notes or found.nav is not None
    assert ".." not in found.docs_dir
    read_navigation(found.nav or [], [])


def test_settings_that_multiply_stay_small() -> None:
    lines = ["a0: &a0 [x.md]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"s: *a{n - 1}"] * 10) + "]" for n in range(1, 9)]
    merges = ["m0: &m0 {k: 1}"]
    merges += [f"m{n}: &m{n} {{<<: [" + ", ".join([f"*m{n - 1}"] * 10) + "]}" for n in range(1, 9)]
    found = read_configuration("\n".join([*lines, *merges, "nav: *a8"]).encode())
    tree = read_navigation(found.nav or [], ["x.md"])
    assert [str(note) for note in tree.notes] == [
        "nav has more than 30000 entries; the rest is left out."
    ]


def test_the_order_that_nav_gives() -> None:
    tree = read_navigation(
        ["index.md", {"Guides": [{"Set up": "guide/a.md"}, "guide/b.md", {"Away": "https://x.y"}]},
         {"Lost": "no.md"}, {"Empty": []}, 7],
        ["index.md", "guide/a.md", "guide/b.md", "z.md"],
    )  # fmt: skip
    assert list(tree.paths()) == ["index.md", "guide/a.md", "guide/b.md"]
    assert tree.problems == [("nav", "no.md")]
    assert [node.title for node in tree.nodes] == ["", "Guides"]
    assert tree.nodes[1].children[2].url == "https://x.y"


def test_without_nav_the_folders_give_the_order() -> None:
    nodes = folder_nodes(["b.md", "10-x.md", "2-y.md", "index.md", "g/a.md", "g/README.md"], {})
    assert [node.path or node.title for node in nodes] == [
        "index.md", "2-y.md", "10-x.md", "b.md", "G",
    ]  # fmt: skip
    assert [node.path for node in nodes[4].children] == ["g/README.md", "g/a.md"]


def test_addresses_are_one_for_each_page() -> None:
    found = addresses_of(["index.md", "README.md", "g.md", "g/index.md", "g/x.md"])
    assert found == {
        "index.md": "", "README.md": "README.md", "g/index.md": "g", "g.md": "g.md",
        "g/x.md": "g/x",
    }  # fmt: skip


@given(st.lists(st.from_regex(r"([a-c]/){0,2}(index|README|a|b)\.md", fullmatch=True), unique=True))
def test_addresses_never_collide(paths: list[str]) -> None:
    found = addresses_of(paths)
    assert set(found) == set(paths)
    assert len(set(found.values())) == len(paths)


TEXTS = {
    "docs/part.md": 'part\n--8<-- "deep.txt"\n',
    "deep.txt": "deep",
    "code.py": "a\n# --8<-- [start:x]\nb\n# --8<-- [end:x]\nc\nd\n",
    "docs/loop.md": '--8<-- "docs/loop.md"\n',
}


def included(text: str) -> tuple[str, list[str], set[str]]:
    done = expand(text, ["", "docs"], TEXTS.get)
    return done.text, done.missing, done.used


def test_includes_by_file_lines_and_section() -> None:
    assert included('x\n  --8<-- "part.md"\ny')[0] == "x\n  part\n  deep\ny"
    assert included('--8<-- "code.py:5:6"')[0] == "c\nd"
    assert included('--8<-- "code.py:x"')[0] == "b"
    assert included('--8<-- "code.py"')[0] == "a\nb\nc\nd"
    assert included("{!docs/part.md!}") == ("part\ndeep", [], {"docs/part.md", "deep.txt"})
    assert included("--8<--\ndeep.txt\n--8<--")[0] == "deep"
    assert included(';--8<-- "deep.txt"')[0] == '--8<-- "deep.txt"'
    assert included("; not one") == ("; not one", [], set())


def test_includes_end_and_stay_inside() -> None:
    assert included('--8<-- "docs/loop.md"')[1] == ["docs/loop.md"]
    for name in ("../../etc/passwd", "/etc/passwd", "https://e.x/a.md", "no.md", "code.py:none"):
        assert included(f'a\n--8<-- "{name}"\nb') == ("a\nb", [name], set() if ":none" not in name
                                                      else {"code.py"})  # fmt: skip


def test_lines_that_are_almost_marks_are_passed_over() -> None:
    # Each would be gone through once for each of its characters, which takes hours.
    for line in ("-" * 500_000, "-8<" * 200_000, "--8<-- " + " " * 500_000 + "x"):
        assert included(f"{line}\na") == (f"{line}\na", [], set())
    assert included("a\n# --8<-- [start:x]\nb") == ("a\nb", [], set())


FILES = Files(
    docs="docs",
    pages={"docs/index.md": "", "docs/guide/a.md": "guide/a", "docs/guide/README.md": "guide"},
    blobs={"docs/img/p.png": ("b1", 10), "docs/big.pdf": ("b2", 99), "src/a.py": ("b3", 1),
           "docs/index.md": ("b4", 1)},
    folders=folders_of({"src/a.py": 1, "docs/img/p.png": 1}),
    largest=50,
)  # fmt: skip


@pytest.mark.parametrize(
    ("page", "link", "target"),
    [
        ("docs/guide/a.md", "../index.md#x", ("page", "", "#doc-x")),
        ("docs/index.md", "guide/a.md?y=1", ("page", "guide/a", "")),
        ("docs/index.md", "guide/", ("page", "guide", "")),
        ("docs/index.md", "guide/a/", ("page", "guide/a", "")),
        ("docs/index.md", "guide/a.html#s", ("page", "guide/a", "#doc-s")),
        ("docs/index.md", "/guide/a.md", ("page", "guide/a", "")),
        ("docs/guide/a.md", "../img/p.png", ("file", "b1", "b1.png")),
        ("docs/index.md", "big.pdf", ("large", "docs/big.pdf", "")),
        ("docs/index.md", "../src/a.py", ("source", "src/a.py", "")),
        ("docs/index.md", "../src/", ("source", "src", "")),
        ("docs/index.md", "nowhere.md", ("broken", "", "")),
        ("docs/index.md", "../../../etc/passwd", ("broken", "", "")),
        ("docs/index.md", "%2e%2e/%2e%2e/etc/passwd", ("broken", "", "")),
        ("docs/index.md", "a\x00b", ("broken", "", "")),
    ],
)
def test_what_links_lead_to(page: str, link: str, target: tuple[str, str, str]) -> None:
    assert FILES.resolve(page, link) == target
