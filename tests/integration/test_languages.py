"""No text is left out of translation, on any page; a further language needs a catalog alone."""

import json
import platform
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from browsing import demo_portal, paths_of
from starlette.testclient import TestClient

import callboard_web.demo
from callboard_catalog import models
from callboard_web import settings, translations
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.settings import PortalSettings
from callboard_web.shell import language_name
from callboard_web.translations import HOST_DIRECTORY, TranslationStore

pytestmark = pytest.mark.slow  # walks every page of the demo

PSEUDO: Final = "eo"
BEGIN, END = "⟦", "⟧"
PLACE = re.compile(r"(%\(\w+\)[sd]|%%|<[^>]+>)")
LETTERS = re.compile(r"[^\W\d_]{2,}")
# No source text is Chinese, so what is Chinese is data. Dates are formatted, not translated;
# versions, names of jobs and what was searched for are as they are.
NOT_OURS = re.compile(
    r"[\u3400-\u9fff]|\b\d{1,2} \w+ \d{4}\b|\b\d{4}-\w{3}-\d\d\b|\d\.\d"
    r"|^v?\d[\w.]*$|^[a-z_]+\.[a-z_]+\b|zzz-nothing|^(?:htmx|Protocol Buffers)$"
)
SKIPPED = {"script", "style", "code", "pre", "time", "text", "kbd"}
DATA = {"mono", "kbd", "dig", "av", "sample"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source",
        "track", "use", "wbr", "path", "rect", "circle", "line"}  # fmt: skip
ATTRIBUTES = ("aria-label", "title", "placeholder", "alt")


def accented(text: str) -> str:
    """Give a text that can be told from its source, with its places for values as they are."""
    parts = PLACE.split(text)
    changed = [
        part if PLACE.fullmatch(part)
        else unicodedata.normalize("NFC", re.sub(r"([aeiouAEIOU])", "\\1\u0301", part))
        for part in parts
    ]  # fmt: skip
    return f"{BEGIN}{''.join(changed)}{END}"


def pseudo_catalog(source: Path, target: Path) -> None:
    """Write a catalog of every text that another language has."""
    with source.open("rb") as file:
        known = read_po(file, locale="zh_CN")
    made = Catalog(locale=PSEUDO)
    for message in known:
        if message.id:
            both = message.id if isinstance(message.id, tuple | list) else (message.id,)
            texts = tuple(accented(text) for text in both)
            given = texts if len(both) > 1 else texts[0]
            made.add(message.id, given, context=message.context)
    with target.open("wb") as file:
        write_po(file, made)


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Give the demo's portal with the pseudo-language among those that may be chosen."""
    folder = tmp_path_factory.mktemp("pseudo")
    with demo_portal(folder) as made:
        directories = {"callboard": HOST_DIRECTORY}
        directories |= made.plugins.directories("callboard_translations")
        copies: dict[str, Path] = {}
        for name, directory in directories.items():
            copies[name] = folder / "locales" / name
            shutil.copytree(directory, copies[name])
            for catalog in directory.glob("zh_CN.po"):
                pseudo_catalog(catalog, copies[name] / f"{PSEUDO}.po")
        made.translations = TranslationStore(copies)
        chosen = made.portal.model_copy(update={"languages": ("en", PSEUDO)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Runtime, "portal", chosen)
            patch.setattr(translations, "HOST_DIRECTORY", copies["callboard"])
            yield made


class Words(HTMLParser):
    """Gathers what a page says to its reader, but for what is marked as data or as English."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self._open: list[tuple[str, bool]] = []

    @property
    def _silent(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = set((given.get("class") or "").split())
        foreign = "lang" in given and tag != "html"
        silent = self._silent or tag in SKIPPED or bool(classes & DATA) or foreign
        if not silent:
            self.found += [(given[name] or "", f"{tag}[{name}]") for name in ATTRIBUTES
                           if given.get(name)]  # fmt: skip
        if tag not in VOID:
            self._open.append((tag, silent))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.found.append((data, self._open[-1][0] if self._open else ""))


def outside(text: str, depth: int = 0) -> tuple[str, int]:
    """Give what of a text stands outside of our marks, and how many are open after it."""
    kept = []
    for character in text:
        depth += (character == BEGIN) - (character == END)
        kept.append(character if not depth and character != END else "\n")
    return "".join(kept), depth


def left_over(page: str, known: str) -> list[str]:
    """Give what a page says that is neither translated nor data."""
    words = Words()
    words.feed(page)
    found, depth = [], 0
    for text, place in words.found:
        if "[" in place:
            rest, _ = outside(text)
        else:  # a translated sentence may have links and marks within it
            rest, depth = outside(text, depth)
        for piece in re.split(r"[\n·,:()/|]+", rest):
            plain = " ".join(piece.split()).strip(" .…–—-+#")
            if NOT_OURS.search(plain):
                continue
            if LETTERS.search(plain) and plain.lower() not in known:
                found.append(f"{place}: {plain!r}")
    return sorted(set(found))


def data_of(runtime: Runtime) -> str:
    """Give everything that sources, people and plugins called things, in lower case."""
    texts: list[str] = []

    def gather(value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                texts.append(str(key))
                gather(item)
        elif isinstance(value, list | tuple):
            for item in value:
                gather(item)
        elif value is not None:
            texts.append(str(value))

    with runtime.database.read() as connection:
        for row in connection.execute(models.entity.select()).mappings():
            gather({name: value for name, value in row.items() if value is not None})
    gather(_own_names(runtime))
    given = sorted(Path(callboard_web.demo.__file__).parent.rglob("*"))
    for locales in runtime.plugins.directories("callboard_translations").values():
        # What plugins bring in files, which say it in other languages beside them.
        given += sorted(locales.parent.rglob("*.yaml"))
    for path in given:
        if not path.is_file() or path.suffix == ".pyc":
            continue
        try:
            gather(list(yaml.safe_load_all(path.read_text(encoding="utf-8"))))
        except yaml.YAMLError:  # not YAML, or tags of a program's own
            texts.append(path.read_text(encoding="utf-8"))
    return "\n".join(" ".join(text.split()) for text in texts).lower()


def _own_names(runtime: Runtime) -> list[object]:
    """Give what settings, plugins, jobs, packages, sources and commits are called."""
    found: list[object] = [json.loads(runtime.portal.model_dump_json())]
    for record in runtime.plugins.records.values():
        found += [str(getattr(record, name)) for name in record.__slots__]
    found += [name for job in runtime.jobs.known for name in job]
    found += [item.value.name for item in runtime.plugins.contributions.event_handlers]
    found += [platform.platform(), platform.system(), platform.release(), platform.machine()]
    for item in distributions():
        told = ("Name", "Summary", "License", "License-Expression", "Classifier")
        found += [value for name in told for value in item.metadata.get_all(name) or ()]
    for source in runtime.catalog.sources():
        found += [source.address, source.title]
    for repository in Path(runtime.base, "repositories").iterdir():
        command = ["git", "-C", str(repository), "log", "--all", "--format=%s%n%b"]
        log = subprocess.run(command, capture_output=True, text=True, check=False)
        found += log.stdout.splitlines()
    return found


def test_every_text_of_every_page_can_be_translated(runtime: Runtime) -> None:
    client = TestClient(create_app(runtime), raise_server_exceptions=False)
    client.cookies.set("callboard_language", PSEUDO)
    known = data_of(runtime)
    wrong = []
    for path in paths_of(runtime):
        response = client.get(path)
        assert f'<html lang="{PSEUDO}"' in response.text, path
        wrong += [f"{path}: {fault}" for fault in left_over(response.text, known)]
    assert wrong == [], "\n".join(wrong)


def test_the_test_finds_what_is_left_out() -> None:
    page = f'<p>{BEGIN}Réad {BEGIN}this{END}{END}</p><p title="Owner">order-service</p><b>Late</b>'
    assert left_over(page, "order-service") == ["b: 'Late'", "p[title]: 'Owner'"]
    assert accented("%(count)s of 100%% Öre") == f"{BEGIN}%(count)s óf 100%% Öré{END}"


def test_a_catalog_alone_makes_a_language(
    tmp_path: Path, demo: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    locales = tmp_path / "locales"
    shutil.copytree(HOST_DIRECTORY, locales)
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    german = f'{header}msgid "Sources"\nmsgstr "Quellen"\n'
    (locales / "de.po").write_text(german, encoding="utf-8")
    monkeypatch.setattr(settings, "LOCALES", locales)
    chosen = PortalSettings()
    assert chosen.languages == ("en", "de", "zh-CN")
    monkeypatch.setattr(Runtime, "portal", chosen)
    monkeypatch.setattr(demo, "translations", TranslationStore({"callboard": locales}))
    client = TestClient(create_app(demo), raise_server_exceptions=False)
    offered = client.get("/navigation").text
    assert '<button type="submit" name="language" value="de" lang="de"' in offered
    assert "Deutsch" in offered
    page = client.get("/sources", headers={"accept-language": "de-AT,de;q=0.9"}).text
    assert '<html lang="de"' in page
    assert "<h1>Quellen</h1>" in page
    assert "Skip to content" in page, "what is not translated is English"


def test_a_language_calls_itself_by_its_name() -> None:
    assert language_name("ja") == "日本語"
    assert language_name("zh-CN") == "中文"
    assert language_name("nobody-speaks-this") == "nobody-speaks-this"
