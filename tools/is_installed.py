"""Exit with 0 where this Python runs the Callboard of this checkout."""

import sys
from importlib.util import find_spec
from pathlib import Path

OURS = Path(__file__).parents[1] / "core/callboard/__init__.py"

found = find_spec("callboard")
sys.exit(not (found and found.origin and OURS.samefile(found.origin)))
