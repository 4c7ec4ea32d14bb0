"""What of a page's HTML is kept, and where its links and images lead.

Only listed elements and attributes pass. Links lead to http, https or mailto; pictures of other
hosts become links; links within the repository are numbered and filled in when it is known what
they lead to.
"""

import re
from collections.abc import Callable
from html import unescape
from typing import Final

import nh3
from markupsafe import Markup, escape

from callboard_docs.rendering.anchors import PREFIX, fragment_of

_TAGS: Final = frozenset({
    "a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd",
    "del", "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3",
    "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s",
    "samp", "section", "small", "span", "strong", "sub", "summary", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "u", "ul", "var", "wbr",
})  # fmt: skip
_ATTRIBUTES: Final = {
    "a": {"href", "id", "name", "title", "aria-label"},
    "abbr": {"title"},
    "details": {"open"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start", "type", "reversed"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "p": {"data-word"},
    "summary": {"data-word"},
    "pre": {"tabindex"},
    "div": {"tabindex", "role", "aria-label"},
    "*": {"id", "lang", "dir"},
}
_CLASSES: Final = {
    "div": {"adm", "ok", "run", "wait", "warn", "bad", "idle", "tab-set", "scroll", "hold"},
    "details": {"adm", "ok", "run", "wait", "warn", "bad", "idle", "tab"},
    "p": {"adm-t"},
    "section": {"footnotes"},
    "span": {"task-m", "hold"},
    "li": {"task", "footnote-item"},
    "sup": {"footnote-ref"},
    "a": {"footnote-backref"},
    "pre": {"diagram"},
    "td": {"r", "c"},
    "th": {"r", "c"},
}
_TAG: Final = re.compile(r"<(?P<close>/?)(?P<name>a|img|h1)(?P<rest>(?: [\w-]+=\"[^\"]*\")*) ?/?>")
_ATTRIBUTE: Final = re.compile(r" ([\w-]+)=\"([^\"]*)\"")
_ABSOLUTE: Final = re.compile(r"(?:https?:|mailto:)", re.I)
LONGEST_TARGET: Final = 2000


def sanitise(html: str) -> str:
    """Give the HTML with nothing in it that could run, load or restyle."""
    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags={"script", "style", "iframe", "object", "template", "title", "svg"},
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
        id_prefix=PREFIX,
    )


class LinkFinisher:
    """Goes through sanitised HTML once and collects what its links and images name.

    In the result `docs:<n>` stands in place of the n-th of `links`.
    """

    def __init__(self) -> None:
        self.links: list[str] = []
        self._numbers: dict[str, int] = {}
        self._in_link = False

    def finish(self, html: str) -> str:
        return _TAG.sub(self._replace, html)

    def _replace(self, match: re.Match[str]) -> str:
        name = match["name"]
        if name == "h1":  # the page of the portal has its own
            return match[0].replace("h1", "h2", 1)
        if match["close"]:
            self._in_link = False
            return match[0]
        attributes = {key: unescape(value) for key, value in _ATTRIBUTE.findall(match["rest"])}
        handle: Callable[[dict[str, str]], str] = self._anchor if name == "a" else self._image
        return handle(attributes)

    def _anchor(self, attributes: dict[str, str]) -> str:
        self._in_link = True
        target = _plain(attributes.pop("href", ""))
        attributes.pop("name", None)
        if not target:
            attributes.pop("rel", None)
            return _tag("a", attributes)
        if _ABSOLUTE.match(target):
            return _tag("a", {"href": target, **attributes})
        attributes.pop("rel", None)
        if target.startswith("#"):
            return _tag("a", {"href": fragment_of(target), **attributes})
        return _tag("a", {"href": self._number(target), **attributes})

    def _image(self, attributes: dict[str, str]) -> str:
        target = _plain(attributes.pop("src", ""))
        alternative = attributes.get("alt", "")
        if not target:
            return str(escape(alternative))
        if _ABSOLUTE.match(target):
            said = alternative or target
            if self._in_link:
                return str(escape(said))
            return str(
                Markup('<a class="image" href="{}" rel="noopener noreferrer">{}</a>').format(
                    target, said
                )
            )
        size = {key: attributes[key] for key in ("width", "height")
                if attributes.get(key, "").isdecimal()}  # fmt: skip
        if attributes.get("title"):
            size["title"] = attributes["title"]
        return _tag(
            "img", {"src": self._number(target), "alt": alternative, **size, "loading": "lazy"}
        )

    def _number(self, target: str) -> str:
        if target not in self._numbers:
            self._numbers[target] = len(self.links)
            self.links.append(target)
        return f"docs:{self._numbers[target]}"


def _plain(target: str) -> str:
    """Give a target as browsers read it: without what they drop, `//host` with its protocol."""
    text = re.sub(r"[\x00-\x1f\x7f]", "", target.strip())[:LONGEST_TARGET].replace("\\", "/")
    return f"https:{text}" if text.startswith("//") else text


def _tag(name: str, attributes: dict[str, str]) -> str:
    written = Markup("").join(Markup(' {}="{}"').format(*item) for item in attributes.items())
    return f"<{name}{written}>"
