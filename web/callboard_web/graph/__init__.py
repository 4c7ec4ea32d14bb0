"""Pictures of what is related, laid out on the server as plain SVG."""

from callboard_web.graph.drawing import draw
from callboard_web.graph.model import CARD, PAGE, Link, Node, Picture, Sizes, Thing
from callboard_web.graph.star import Star, lay_out
from callboard_web.graph.text import shorten

__all__ = [
    "CARD",
    "PAGE",
    "Link",
    "Node",
    "Picture",
    "Sizes",
    "Star",
    "Thing",
    "draw",
    "lay_out",
    "shorten",
]
