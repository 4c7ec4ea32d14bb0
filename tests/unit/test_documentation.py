"""The documentation: links lead somewhere, samples work, made pages are fresh."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from callboard.settings import CORE_SECTIONS, load_settings
from callboard_catalog.descriptors import KindRegistry, read_documents, validate
from callboard_catalog.settings import CatalogSettings
from callboard_web.settings import PortalSettings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
SECTIONS: dict[str, type[BaseModel]] = {
    **CORE_SECTIONS,
    "catalog": CatalogSettings,
    "portal": PortalSettings,
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _samples(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for link in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", ["docs/user/catalog-files.md", "docs/user/catalog-files.zh-CN.md"])
def test_the_sample_descriptors_are_valid(page: str) -> None:
    documents = [
        document for text in _samples(page, "yaml") for document in read_documents(text.encode())
    ]
    assert documents
    assert [document.fault for document in documents if document.fault] == []
    registry = KindRegistry()
    assert [fault for item in documents for fault in validate(item.value, registry)] == []


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/operator/README.md"])
def test_the_sample_settings_are_valid(page: str, tmp_path: Path) -> None:
    samples = _samples(page, "yaml")
    assert samples
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for text in samples:
        for name in re.findall(r"\$\{file:/run/secrets/([a-z-]+)\}", text):
            (secrets / name).write_text("s" * 40, "utf-8")
        file = tmp_path / "callboard.yaml"
        file.write_text(text.replace("/run/secrets", str(secrets)), "utf-8")
        load_settings(file, {}, SECTIONS)


def test_the_users_guide_is_there_in_both_languages() -> None:
    pages = {path.name for path in (ROOT / "docs/user").glob("*.md")}
    english = {name for name in pages if not name.endswith(".zh-CN.md")}
    assert english
    assert pages - english == {name.replace(".md", ".zh-CN.md") for name in english}


@pytest.mark.parametrize("tool", sorted(ROOT.glob("tools/write_*.py")), ids=_name)
def test_pages_made_from_the_code_are_fresh(tool: Path) -> None:
    result = subprocess.run(
        [sys.executable, tool, "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
