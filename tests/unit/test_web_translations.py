"""Both languages are complete, and texts are found in the right catalog."""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from starlette.testclient import TestClient

from callboard.i18n import Translator
from callboard_web.translations import HOST_DIRECTORY, TranslationStore

TOOL = Path(__file__).parents[2] / "tools" / "extract_messages.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    if not TOOL.is_file():
        pytest.skip("tools/ is not part of the distribution.")
    specification = importlib.util.spec_from_file_location("extract_messages", TOOL)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    import sys

    sys.modules["extract_messages"] = module
    specification.loader.exec_module(module)
    return module


def test_no_text_is_missing_unfinished_or_stale(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    ("catalog", "fault"),
    [
        ("", "missing"),
        ('msgid "Hello %(name)s"\nmsgstr ""\n', "not translated"),
        ('#, fuzzy\nmsgid "Hello %(name)s"\nmsgstr "你好 %(name)s"\n', "fuzzy"),
        ('msgid "Hello %(name)s"\nmsgstr "你好 %(nome)s"\n', "names a place"),
        (
            'msgid "Hello %(name)s"\nmsgstr "你好 %(name)s"\n\nmsgid "Gone"\nmsgstr "没了"\n',
            "no longer used",
        ),
    ],
)
def test_tool_finds_what_is_wrong(
    tool: ModuleType, tmp_path: Path, catalog: str, fault: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "texts.py").write_text('_("Hello %(name)s", name=name)\n')
    domain = tool.Domain("x", (source,), tmp_path)
    path = tmp_path / "zh_CN.po"
    path.write_text(f'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n{catalog}')
    faults = tool.faults_of(path, tool.template_of(domain), "zh_CN")
    assert len(faults) == 1
    assert fault in faults[0]


def test_tool_reads_code_and_templates(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text(
        '{{ _("One") }} {{ pgettext("where", "Two") }}'
        "{% trans count=n %}{{ count }} egg{% pluralize %}{{ count }} eggs{% endtrans %}"
    )
    (tmp_path / "code.py").write_text(
        '_("Three")\n_.context("where", "Four")\n_.plural("%(number)s a", "%(number)s as", 2)\n'
    )
    template = tool.template_of(tool.Domain("x", (tmp_path,), tmp_path))
    ids = [message.id for message in template if message.id]
    eggs = ("%(count)s egg", "%(count)s eggs")
    assert set(ids) == {"One", "Two", "Three", "Four", eggs, ("%(number)s a", "%(number)s as")}
    assert template.get("Four", "where") is not None


def test_store_finds_the_domain(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "zh_CN.po").write_text(f'{header}msgid "Home"\nmsgstr "家"\n', encoding="utf-8")
    store = TranslationStore({"hello": tmp_path})
    for domain, expected in [("hello", "家"), ("callboard_hello", "家"), ("callboard", "首页")]:
        assert store.text("zh_CN", Translator(domain)("Home")) == expected
        assert store.text("en", Translator(domain)("Home")) == "Home"
    assert store.text("zh_CN", "Home") == "Home"
    assert store.text("de", Translator("hello")("Home")) == "Home"


def test_store_fills_places_and_plurals() -> None:
    store = TranslationStore({})
    _ = Translator("callboard")
    found = _.plural("%(number)s result", "%(number)s results", 3)
    assert store.text("en", found) == "3 results"
    assert store.text("zh_CN", found) == "3 条结果"
    nested = _("The plugin %(plugin)s failed.", plugin=_("Catalog"))
    assert store.text("zh_CN", nested) == "插件 服务目录 失败。"
    assert store.text("zh_CN", _.context("plugin", "Off")) == "停用"


def _texts() -> Sequence[str]:
    text = (HOST_DIRECTORY / "zh_CN.po").read_text(encoding="utf-8")
    return re.findall(r'^msgstr(?:\[\d\])? "(.+)"$', text, re.MULTILINE)


def test_chinese_keeps_its_typography() -> None:
    for text in _texts():
        assert not re.search(r"[\u4e00-\u9fff][,;:!?]", text), text
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", text), text


def test_pages_in_chinese_have_no_english_left(client: TestClient) -> None:
    catalog = (HOST_DIRECTORY / "zh_CN.po").read_text(encoding="utf-8")
    known = set(re.findall(r'^msgid "(.{4,})"$', catalog, re.MULTILINE))
    for path in ("/", "/sources", "/jobs", "/plugins", "/problems", "/navigation", "/search"):
        page = client.get(path, headers={"accept-language": "zh"}).text
        shown = {text.strip() for text in re.findall(r">([^<>]+)<", page)}
        assert shown & known <= {"catalog"}  # the name of a plugin, too
