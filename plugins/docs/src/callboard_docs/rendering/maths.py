"""Formulas as MathML, made on the server; as text where one cannot be read.

The library puts text into its result as it stands, so nothing of the result is trusted: it is
read as XML and written again from lists of known elements and attributes.
"""

from typing import Final
from xml.etree import ElementTree

from latex2mathml.converter import convert
from markupsafe import Markup

LONGEST_FORMULA: Final = 4000
_NAMESPACE: Final = "{http://www.w3.org/1998/Math/MathML}"
ELEMENTS: Final = frozenset({
    "math", "maction", "menclose", "merror", "mfenced", "mfrac", "mi", "mmultiscripts", "mn",
    "mo", "mover", "mpadded", "mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace",
    "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder",
    "munderover", "none", "semantics",
})  # fmt: skip
"""The elements of MathML that are kept."""

_ATTRIBUTES: Final = frozenset({
    "accent", "accentunder", "columnalign", "columnlines", "columnspacing", "columnspan",
    "depth", "dir", "display", "displaystyle", "fence", "form", "height", "largeop",
    "linethickness", "lspace", "mathvariant", "maxsize", "minsize", "movablelimits", "notation",
    "rowalign", "rowlines", "rowspacing", "rowspan", "rspace", "scriptlevel", "separator",
    "stretchy", "symmetric", "voffset", "width",
})  # fmt: skip


def render_formula(latex: str, *, block: bool) -> Markup:
    """Give a formula, in a line of its own for `block`."""
    name = "block" if block else "inline"
    written = _mathml(latex, name) if len(latex) <= LONGEST_FORMULA else None
    if written is None:
        shell = '<pre class="math">{}</pre>' if block else '<code class="math">{}</code>'
        return Markup(shell).format(latex.strip())  # noqa: S704  one of two constants
    if block:
        return Markup('<div class="math" tabindex="0">{}</div>').format(written)
    return written


def _mathml(latex: str, display: str) -> Markup | None:
    try:
        root = ElementTree.fromstring(convert(latex, display=display))  # noqa: S314
        return Markup(_written(root))  # noqa: S704
    except Exception:  # whatever a library says of what people wrote: it is shown as text
        return None


def _written(element: ElementTree.Element) -> str:
    tag = element.tag.removeprefix(_NAMESPACE)
    if tag not in ELEMENTS:
        raise ValueError(f"{tag!r} is no element of formulas.")
    attributes = "".join(
        Markup(' {}="{}"').format(name, value)
        for name, value in element.items()
        if name in _ATTRIBUTES
    )
    inner = Markup("{}").format(element.text or "") + Markup("").join(
        Markup(_written(child)) + (child.tail or "")  # noqa: S704
        for child in element
    )
    return f"<{tag}{attributes}>{inner}</{tag}>"
