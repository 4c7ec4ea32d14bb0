"""One page of Markdown as HTML, headings, text and links."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final

import yaml
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from callboard_docs.rendering.abbreviations import abbreviations_plugin
from callboard_docs.rendering.alerts import alerts_plugin
from callboard_docs.rendering.attributes import attributes_plugin
from callboard_docs.rendering.code import parse_fence, render_code
from callboard_docs.rendering.containers import TONES, containers_plugin
from callboard_docs.rendering.maths import render_formula
from callboard_docs.rendering.sanitise import LinkFinisher, sanitise
from callboard_docs.rendering.sections import collect_sections

LONGEST_TITLE: Final = 300
DEEPEST: Final = 30
_TAGS: Final = re.compile(r"(<[^>\"]*(?:\"[^\"]*\"[^>\"]*)*>)")


@dataclass(frozen=True, slots=True)
class Rendition:
    """A page as it is kept.

    `headings` are level, anchor and title; `sections` anchor, title and text; `links` what
    `docs:<n>` in the HTML stands for, as it was written.
    """

    html: str
    title: str
    heading: str
    headings: list[tuple[int, str, str]]
    sections: list[tuple[str, str, str]]
    links: list[str]
    diagrams: int

    def to_data(self) -> dict[str, Any]:
        return asdict(self)


def render_page(text: str) -> Rendition:
    """Render a page: `title` is that of its front matter, `heading` its first main heading."""
    env: dict[str, Any] = {"held": [], "mark": secrets.token_hex(8)}
    markdown = _markdown()
    tokens = markdown.parse(text, env)
    sections = collect_sections(tokens)
    html = sanitise(markdown.renderer.render(tokens, markdown.options, env))
    finisher = LinkFinisher()
    html = _put_back(finisher.finish(html), env)
    return Rendition(
        html=html,
        title=_front_title(tokens),
        heading=next((item.title for item in sections if item.level == 1), ""),
        headings=[(item.level, item.anchor, item.title) for item in sections if item.level],
        sections=[(item.anchor, item.title, item.text) for item in sections],
        links=finisher.links,
        diagrams=sum(1 for token in tokens if _is_diagram(token)),
    )


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": True, "maxNesting": DEEPEST}, renderer_cls=_Renderer)
    made.enable(["table", "strikethrough"])
    made.use(front_matter_plugin).use(footnote_plugin).use(deflist_plugin)
    made.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    renderer = made.renderer
    assert isinstance(renderer, _Renderer)
    for name in ("math_inline", "math_inline_double", "math_block", "math_block_label"):
        # The plugin brings its own rules for output, which take the place of the renderer's.
        renderer.rules[name] = getattr(renderer, name)
    made.use(alerts_plugin).use(attributes_plugin).use(abbreviations_plugin).use(containers_plugin)
    return made


def _front_title(tokens: list[Token]) -> str:
    if not tokens or tokens[0].type != "front_matter" or len(tokens[0].content) > 20_000:
        return ""
    try:
        loaded = yaml.load(tokens[0].content, Loader=yaml.BaseLoader)  # noqa: S506  plain texts only
    except (yaml.YAMLError, RecursionError, ValueError):
        return ""
    title = loaded.get("title") if isinstance(loaded, dict) else None
    return title[:LONGEST_TITLE] if isinstance(title, str) else ""


def _is_diagram(token: Token) -> bool:
    return token.type == "fence" and parse_fence(token.info).language == "mermaid"


def _put_back(html: str, env: dict[str, Any]) -> str:
    """Put what was held back from sanitising in place of its marks, in text only, not in tags."""
    held: list[str] = env["held"]
    mark = re.compile(rf"⟦{env['mark']}:(\d+)⟧")
    return "".join(
        mark.sub("", piece) if piece.startswith("<") else mark.sub(lambda m: held[int(m[1])], piece)
        for piece in _TAGS.split(html)
    )


class _Renderer(RendererHTML):
    """Writes tokens as HTML. Code and formulas, which are made here, are not sanitised again."""

    def _hold(self, made: Markup, env: EnvType) -> str:
        env["held"].append(str(made))
        return f"⟦{env['mark']}:{len(env['held']) - 1}⟧"

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        fence = parse_fence(tokens[idx].info)
        code = tokens[idx].content
        if fence.language == "mermaid":
            return f'<pre class="diagram" tabindex="0">{escape(code)}</pre>\n'
        if fence.language == "math":
            return f"<div>{self._hold(render_formula(code, block=True), env)}</div>\n"
        return f"<div>{self._hold(render_code(code, fence), env)}</div>\n"

    def code_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        made = render_code(tokens[idx].content, parse_fence(""))
        return f"<div>{self._hold(made, env)}</div>\n"

    def math_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return self._hold(render_formula(tokens[idx].content, block=False), env)

    def math_inline_double(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        return self._hold(render_formula(tokens[idx].content, block=False), env)

    def math_block(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        made = render_formula(tokens[idx].content, block=True)
        return f"<div>{self._hold(made, env)}</div>\n"

    math_block_label = math_block

    def front_matter(self, *_: Any) -> str:
        return ""

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        token = tokens[idx]
        return f'<h{_shifted(token)} id="{escape(str(token.attrGet("id") or ""))}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return f"</h{_shifted(tokens[idx])}>\n"

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll" tabindex="0"><table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return f'<th scope="col"{_aligned(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return f"<td{_aligned(tokens[idx])}>"

    def list_item_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        token = tokens[idx]
        if "task" not in token.meta:
            name = token.attrGet("class")
            return f'<li class="{escape(str(name))}">' if name else "<li>"
        return f'<li class="task"><span class="task-m">{"☑" if token.meta["task"] else "☐"}</span> '

    def admonition_open(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        meta = tokens[idx].meta
        tone = TONES.get(meta["kind"], "idle")
        title = meta["title"]
        said = meta["kind"].capitalize() if title is None else title
        word = f' data-word="{escape(meta["kind"])}"' if title is None else ""
        if meta["folds"]:
            is_open = ' open=""' if meta["open"] else ""
            return f'<details class="adm {tone}"{is_open}><summary{word}>{escape(said)}</summary>\n'
        head = f'<p class="adm-t"{word}>{escape(said)}</p>' if said else ""
        return f'<div class="adm {tone}">{head}\n'

    def admonition_close(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        return "</details>\n" if tokens[idx].meta["folds"] else "</div>\n"

    def tab_set_open(self, *_: Any) -> str:
        return '<div class="tab-set">\n'

    def tab_set_close(self, *_: Any) -> str:
        return "</div>\n"

    def tab_open(self, tokens: Sequence[Token], idx: int, *_: Any) -> str:
        title = escape(tokens[idx].meta["title"])
        return f'<details class="tab" open=""><summary>{title}</summary>\n'

    def tab_close(self, *_: Any) -> str:
        return "</details>\n"


def _shifted(token: Token) -> int:
    """Give the level a heading has on the portal's page, whose own title is the first."""
    return min(int(token.tag[1]) + 1, 6)


def _aligned(token: Token) -> str:
    style = str(token.attrGet("style") or "")
    name = {"text-align:right": "r", "text-align:center": "c"}.get(style, "")
    return f' class="{name}"' if name else ""
