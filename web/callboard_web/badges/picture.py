"""A badge as SVG: two texts on two grounds, with no script, style or foreign address in it."""

import unicodedata
from typing import Final

from markupsafe import Markup

HEIGHT: Final = 20
PADDING: Final = 6
LONGEST: Final = 40
"""Characters of a text; the whole is in the picture's title."""

_DARK: Final = "#48515b"
GROUNDS: Final = {
    "ok": "#15803f", "warn": "#8a5400", "bad": "#b3212e", "none": "#2466d6", "idle": "#5f6974",
}  # fmt: skip
"""Grounds on which white text has a contrast of 4.5 to 1 or more."""

# Widths of the printable ASCII characters in tenths of a pixel, of DejaVu Sans and Verdana at
# 11 px; `textLength` makes any other face fit.
_FIRST: Final = 32
_WIDTHS: Final = (
    35, 44, 51, 92, 70, 105, 86, 30, 43, 43, 55, 92, 35, 40, 35, 37, 70, 70, 70, 70, 70, 70, 70,
    70, 70, 70, 37, 37, 92, 92, 92, 58, 110, 75, 75, 77, 85, 70, 63, 85, 83, 32, 32, 72, 61, 95,
    82, 87, 66, 87, 76, 70, 67, 81, 75, 109, 75, 67, 75, 43, 37, 43, 92, 55, 55, 67, 70, 60, 70,
    68, 39, 70, 70, 31, 31, 64, 31, 107, 70, 67, 70, 70, 45, 57, 43, 70, 65, 90, 65, 65, 58, 70,
    37, 70, 92,
)  # fmt: skip
_OTHER: Final = 75
_WIDE: Final = 110

_PICTURE: Final = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" '
    'aria-label="{name}"><title>{name}</title>'
    '<clipPath id="r"><rect width="{width}" height="{height}" rx="4"/></clipPath>'
    '<g clip-path="url(#r)"><rect width="{left}" height="{height}" fill="{dark}"/>'
    '<rect x="{left}" width="{right}" height="{height}" fill="{ground}"/></g>'
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,Noto Sans CJK SC,PingFang SC,'
    'Microsoft YaHei,sans-serif" font-size="11">'
    '<text x="{pad}" y="14" textLength="{label_length}">{label}</text>'
    '<text x="{value_x}" y="14" textLength="{value_length}">{value}</text></g></svg>'
)


def draw(label: str, value: str, ground: str) -> str:
    """Draw a badge; `ground` is a key of `GROUNDS`. The texts may be anything."""
    label, value = _clean(label), _clean(value)
    name = f"{label}: {value}"
    label, value = _short(label), _short(value)
    label_length, value_length = width(label), width(value)
    left, right = label_length + 2 * PADDING, value_length + 2 * PADDING
    return str(
        _PICTURE.format(
            width=left + right, height=HEIGHT, left=left, right=right, name=name, label=label,
            value=value, label_length=label_length, value_length=value_length, pad=PADDING,
            value_x=left + PADDING, dark=_DARK, ground=GROUNDS[ground],
        )
    )  # fmt: skip


def width(text: str) -> int:
    """Give how wide a text is at 11 px, in whole pixels, at least 1."""
    tenths = 0
    for character in text:
        index = ord(character) - _FIRST
        if 0 <= index < len(_WIDTHS):
            tenths += _WIDTHS[index]
        elif unicodedata.combining(character):
            continue
        else:
            wide = unicodedata.east_asian_width(character) in "WF"
            tenths += _WIDE if wide else _OTHER
    return max(round(tenths / 10), 1)


def _clean(text: str) -> str:
    """Leave out what XML does not allow and what turns the direction of the text."""
    kept = (
        character
        for character in text
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    return " ".join("".join(kept).split()) or "–"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
