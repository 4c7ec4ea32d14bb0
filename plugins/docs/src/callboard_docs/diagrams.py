"""The frame that diagrams are drawn in: a page without an origin, with Mermaid and nothing else."""

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_FILES: Final = {"mermaid": _HERE / "vendor/mermaid.min.js", "frame": _HERE / "frame.js"}
FRAME: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Diagrams</title></head>
<body><div id="place"></div>
<script src="mermaid.js"></script><script src="frame.js"></script></body></html>
"""


def diagram_frame() -> str:
    """Give the address of the frame; it changes with what is in it."""
    return f"/api/plugins/docs/diagrams/{_digest()}/frame"


@lru_cache(maxsize=1)
def _digest() -> str:
    size = _FILES["mermaid"].stat().st_size
    content = FRAME.encode() + _FILES["frame"].read_bytes() + str(size).encode()
    return hashlib.sha256(content).hexdigest()[:12]


@lru_cache(maxsize=1)
def scripts() -> dict[str, tuple[bytes, bytes]]:
    """Give each script as it is and compressed; read when the first diagram is drawn."""
    contents = {name: path.read_bytes() for name, path in _FILES.items()}
    return {name: (text, gzip.compress(text, mtime=0)) for name, text in contents.items()}
