"""Makes docs/reference/permissions.md from what host and plugins of this repository declare."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/permissions.md"

HEAD = """# Permissions and default roles

<!-- Made by tools/permission_reference.py from host and plugins: run `make fmt`. -->

What the host and the plugins of this repository ask for. Names are `<area>.<object>.<verb>`; those
of a plugin begin with its name. One about an *entity* may be given on some entities only, one about
the *portal* is given as a whole. [Roles and bindings](../operator/access.md) give them.
"""


def page() -> str:
    from callboard_web.runtime import Runtime

    plugins = ",".join(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "callboard.yaml"
        config.write_text("portal: {}\n", "utf-8")
        runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": plugins})
        try:
            return "\n".join([HEAD, *_roles(runtime), *_permissions(runtime)])
        finally:
            runtime.stop()


def _roles(runtime: "Runtime") -> Iterator[str]:
    from callboard.access.defaults import default_roles

    yield "## Default roles\n"
    yield "| role | what it is for | permissions |"
    yield "|---|---|---|"
    access = runtime.services.access
    for role in default_roles(access.permissions.values()).values():
        count = "all" if role.permissions == ("*",) else str(len(role.permissions))
        yield f"| `{role.name}` | {role.description} | {count} |"
    yield ""


def _permissions(runtime: "Runtime") -> Iterator[str]:
    from callboard.access.defaults import ABOVE
    from callboard.identity import DefaultRole

    yield "## Permissions\n"
    yield "| name | from | about | allows to | default roles that have it |"
    yield "|---|---|---|---|---|"
    declared = runtime.plugins.contributions.permissions
    for item in sorted(declared, key=lambda item: item.value.name):
        value = item.value
        holders = [
            role for role in get_args(DefaultRole) if value.role in ABOVE.get(role, (value.role,))
        ]
        text = f"{value.title}. {value.description}" if value.description else str(value.title)
        yield f"| `{value.name}` | {item.plugin} | {value.about} | {text} | {', '.join(holders)} |"
    yield ""
