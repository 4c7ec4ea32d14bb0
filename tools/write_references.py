"""Writes the reference pages of settings, commands, permissions and contributions in docs/.

    python tools/write_references.py [--check]

Each is made by a module beside this: its `page()` gives the text of the file `PAGE`.
"""

import runpy
import sys
from pathlib import Path

TOOLS = Path(__file__).parent
MAKERS = (
    "command_reference.py",
    "contribution_reference.py",
    "permission_reference.py",
    "settings_reference.py",
)


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = []
    for name in MAKERS:
        made = runpy.run_path(str(TOOLS / name))
        page, text = made["PAGE"], made["page"]()
        if page.exists() and page.read_text("utf-8") == text:
            continue
        if check:
            stale.append(page)
            print(
                f"{page.relative_to(TOOLS.parent)} is not what tools/{name} makes: run `make fmt`"
            )
        else:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, "utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
