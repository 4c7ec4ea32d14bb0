"""Markdown as it comes out: what is understood, and what never passes."""

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard_docs.rendering.anchors import anchor_of
from callboard_docs.rendering.code import parse_fence
from callboard_docs.rendering.maths import ELEMENTS
from callboard_docs.rendering.page import render_page
from callboard_docs.rendering.processes import Renderers


def html(text: str) -> str:
    return render_page(text).html


def test_admonitions_of_three_kinds() -> None:
    made = html('!!! warning "Mind <this>"\n    A **b**\n\n    - c\n\nafter\n')
    assert '<div class="adm warn"><p class="adm-t">Mind &lt;this&gt;</p>' in made
    assert "<strong>b</strong>" in made
    assert made.index("</div>") < made.index("<p>after</p>")
    assert '<details class="adm run"><summary data-word="note">' in html("??? note\n    x\n")
    assert '<details class="adm run" open=""><summary>T' in html('???+ note "T"\n    x\n')
    assert '<div class="adm ok"><p class="adm-t" data-word="tip">' in html("> [!TIP]\n> x\n")
    assert "adm-t" not in html('!!! note ""\n    x\n')
    assert "<blockquote>" in html("> [!OTHER]\n> x\n")


def test_tabs_are_stacked_parts_of_one_set() -> None:
    made = html('=== "A"\n\n    one\n\n=== "B"\n\n    ```python\n    x = 1\n    ```\n\nafter\n')
    assert made.count('<div class="tab-set">') == 1
    assert re.findall(r"<summary>(\w)</summary>", made) == ["A", "B"]
    assert "open" in made
    assert made.index("after") > made.rindex("</details>")
    assert html('=== "A"\n    x\n\ntext\n\n=== "B"\n    y\n').count("tab-set") == 2


def test_containers_within_lists_and_one_another() -> None:
    made = html('- item\n\n    !!! note\n        inner\n\n        === "A"\n            x\n')
    assert made.index("<li>") < made.index("adm run") < made.index("tab-set") < made.index("</li>")


def test_code_is_highlighted_by_classes_with_title_numbers_and_marks() -> None:
    made = html(
        '```python title="a<b.py" linenums="3" hl_lines="2"\ndef f():\n    return "<b>"\n```\n'
    )
    assert "<figcaption>a&lt;b.py</figcaption>" in made
    assert '<i aria-hidden="true">3</i><span class="hk">def</span>' in made
    assert '<span class="hl"><i aria-hidden="true">4</i>' in made
    assert "&lt;b&gt;" in made
    assert "style" not in made
    assert "<code>x &lt; y</code>" in html("```nolanguage\nx < y\n```\n")


@pytest.mark.parametrize(
    ("info", "language", "marked"),
    [
        ("python", "python", set()),
        ("{.python .annotate hl_lines='1'}", "python", set()),
        ('c++ hl_lines="1 3-4"', "c++", {1, 3, 4}),
        ('title="x"', "", set()),
        ('hl_lines="9-1 99999999"', "", set(range(9, 10)) - {9}),
        ("", "", set()),
    ],
)
def test_info_strings(info: str, language: str, marked: set[int]) -> None:
    fence = parse_fence(info)
    assert fence.language == language
    assert marked <= fence.marked


def test_formulas_become_mathml_or_stay_text() -> None:
    assert "<mfrac>" in html(r"$\frac{1}{2}$")
    assert '<div class="math" tabindex="0"><math display="block">' in html("$$\nx^2\n$$\n")
    assert "<math" in html("```math\nx^2\n```\n")
    assert "<math" not in html("It costs $5 and then $6.")
    assert "<code" in html("$" + "x" * 5000 + "$")


@pytest.mark.parametrize(
    "formula",
    [
        r"\text{<img src=x onerror=alert(1)>}",
        r"\text{<script>alert(1)</script>}",
        r"\href{javascript:alert(1)}{x}",
        r"\text{a<b}",
    ],
)
def test_formulas_bring_nothing_else_along(formula: str) -> None:
    made = html(f"${formula}$")
    assert Elements(made).names <= {"p", "math", "mrow", "mi", "mo", "mtext", "code"}
    assert not Elements(made).attributes & {"href", "onerror", "src"}


def test_small_things() -> None:
    page = render_page(
        "---\ntitle: 标题\n---\n# 安装 Install {#setup}\n\n## 安装 Install\n\n## 安装 Install\n\n"
        "*[API]: Interface\nThe API. Note[^1].\n\n[^1]: Foot.\n\n- [x] done\n- [ ] open\n\n"
        "Term\n:   Meaning\n\n:smile: ~~gone~~\n"
    )
    assert page.title == "标题"
    assert page.heading == "安装 Install"
    assert [anchor for _level, anchor, _title in page.headings] == [
        "doc-setup", "doc-安装-install", "doc-安装-install-1",
    ]  # fmt: skip
    for part in (
        '<abbr title="Interface">API</abbr>',
        *("☑", "☐", "<dt>Term</dt>", ":smile:", "<s>gone</s>"),
        *('href="#doc-fn1"', 'id="doc-fn1"', '<h2 id="doc-setup">'),
    ):
        assert part in page.html
    assert "<h1" not in page.html


def test_links_are_numbered_and_foreign_pictures_become_links() -> None:
    page = render_page(
        "[a](../x.md#y 'T') ![b](i.png){ width=300 } ![c](https://e.x/p.png) "
        "[![d](https://e.x/b.svg)](https://ci.x) [m](mailto:a@b.c) [f](#安装) [p](//e.x/q)\n"
    )
    assert page.links == ["../x.md#y", "i.png"]
    assert '<a href="docs:0" title="T">a</a>' in page.html
    assert '<img src="docs:1" alt="b" width="300" loading="lazy">' in page.html
    assert '<a class="image" href="https://e.x/p.png" rel="noopener noreferrer">c</a>' in page.html
    assert '<a href="https://ci.x" rel="noopener noreferrer">d</a>' in page.html
    assert 'href="#doc-%E5%AE%89%E8%A3%85"' in page.html
    assert 'href="https://e.x/q"' in page.html


def test_sections_hold_the_words_of_all_their_parts() -> None:
    page = render_page(
        'intro\n\n# A\n\n!!! tip "标题"\n    in `code`\n\n```\nfenced\n```\n\n## B\n\ntext\n'
    )
    assert [(anchor, title) for anchor, title, _text in page.sections] == [
        ("", ""), ("doc-a", "A"), ("doc-b", "B"),
    ]  # fmt: skip
    assert page.sections[1][2] == "标题 in code fenced"


class Elements(HTMLParser):
    """Reads HTML as a browser would and keeps names of elements, of attributes, and addresses."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name in ("href", "src"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><script>1</script></svg>",
    "<a href='javascript:alert(1)'>x</a> [y](javascript:alert(1)) [z](<java\tscript:alert(1)>)",
    "<a href='&#106;avascript:alert(1)'>x</a> [d](data:text/html,x) [v](vbscript:x)",
    "<iframe src=https://e.x></iframe><object data=x></object><embed src=x>",
    "<style>body{display:none}</style><div style='position:fixed'>x</div>",
    "<form action=https://e.x><input name=q><button>x</button></form>",
    "<base href=https://e.x><meta http-equiv=refresh content=0><link rel=stylesheet href=x>",
    "<div id=say class='top palette' onclick=x>x</div><a name=main>x</a>",
    "# say\n\n# main {#find}\n",
    "```\"><script>alert(1)</script>\nx\n```\n",
    "```mermaid\ngraph LR\nA[<img src=x onerror=alert(1)>]\n```\n",
    "<a title=\"\n\n```x\n\"><img src=x onerror=alert(1)>\n```\n\n\">x</a>",
    "!!! \"><script> \"<script>alert(1)</script>\"\n    x",
    '=== "<img src=x onerror=alert(1)>"\n    x',
    "*[x]: \"><script>alert(1)</script>\nx",
    "[x]: javascript:alert(1) '\"><script>'\n[x]",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=1'>",
    "\u202e gnp.exe \u200b\u200d \ufeff zero",
    "&#0; \ufffe \U000e0041 ⟦abc:0⟧",
]  # fmt: skip
ALLOWED = {
    "a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em",
    "figcaption", "figure", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "math",
    "mi", "mn", "mo", "mrow", "mtext", "ol", "p", "pre", "s", "section", "span", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip


def check_harmless(made: str) -> None:
    found = Elements(made)
    assert found.names <= ALLOWED | ELEMENTS | {
        "cite",
        "mark",
        "small",
        "u",
        "var",
        "q",
        "ins",
        "samp",
        "wbr",
    }
    assert not [name for name in found.attributes if name.startswith("on") or name == "style"]
    assert all(
        re.match(r"https?://|mailto:|docs:\d+$|#doc-", address) for address in found.addresses
    )
    assert all(name.startswith("doc-") for name in found.ids)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_runs_loads_or_restyles_passes(text: str) -> None:
    check_harmless(html(text))
    check_harmless(html(f"> - {text}\n"))


PIECES = st.sampled_from([
    *HOSTILE, "\n", "\n\n", "    ", "> ", "- ", "| a | b |\n|---|---|\n| c | d |\n", "`", "```",
    "$", "$$", "!!! note\n", "??? x\n    ", '=== "T"\n', "<div>", "</div>", "<a href=\"", "\"", "'",
    ">", "[", "](", ")", "{#", "}", "{: #x }", "![", "[^1]", "[^1]: ", "*[A]: ", "# ", "===", "\\",
])  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=8), max_size=25))
@settings(max_examples=150, deadline=None)
def test_no_mixture_passes_either(pieces: list[str]) -> None:
    check_harmless(html("".join(pieces)))


@pytest.mark.parametrize(
    "text",
    [
        "> " * 5000 + "x",
        "- " * 3000 + "x",
        "[" * 50_000,
        "*" * 50_000 + "a" + "_" * 50_000,
        "`" * 40_000,
        "\n".join("!!! note\n" + "    " * depth for depth in range(200)),
        "<b>" * 3000,
        "| a " * 2000 + "|\n" + "|---" * 2000 + "|\n",
        "$" * 9999,
        "# " + "很长" * 5000,
        r"$" + r"\frac{" * 1000 + "x" + "}" * 1000 + "$",
    ],
)
def test_deep_and_long_pages_come_out(text: str) -> None:
    with Renderers(1, 30) as renderers:
        (made,) = renderers.render([text])
    assert made is not None
    check_harmless(made["html"])


def test_a_page_that_takes_too_long_costs_only_itself() -> None:
    begun = time.monotonic()
    with Renderers(1, 1) as renderers:
        made = list(renderers.render(["# One\n", "<div>" * 200_000, "# Two\n"]))
    assert [page and page["heading"] for page in made] == ["One", None, "Two"]
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("Getting started", "getting-started"),
        ("支付网关 API (v2)!", "支付网关-api-v2"),
        ("  `code` & more ", "code--more"),
        ("!!!", "section"),
    ],
)
def test_anchors_are_those_of_github(title: str, anchor: str) -> None:
    assert anchor_of(title) == anchor
