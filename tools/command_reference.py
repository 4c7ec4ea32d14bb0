"""Makes docs/reference/commands.md from the commands of the host."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

PAGE = Path(__file__).parents[1] / "docs/reference/commands.md"

HEAD = """# Commands

<!-- Made from the commands by tools/command_reference.py: change those, then run `make fmt`. -->

`callboard --config FILE COMMAND` names the settings file; without it `CALLBOARD_CONFIG` does, or
`callboard.yaml` in the working directory is taken. Errors are told on standard error, with exit
code 1. Wrong usage ends with exit code 2. Plugins add commands of their own: `callboard --help`
lists them.
"""


def page() -> str:
    # Plugins and settings of this machine have no part in it.
    before = dict(os.environ)
    with tempfile.NamedTemporaryFile(suffix=".yaml") as empty:
        os.environ |= {"CALLBOARD_PLUGINS": "", "CALLBOARD_CONFIG": empty.name}
        try:
            from callboard_web.cli import app

            root: Any = typer.main.get_command(app)
            context = root.context_class(root, info_name="callboard")
            return "\n".join([HEAD, *_sections(root, context)])
        finally:
            os.environ.clear()
            os.environ.update(before)


def _sections(group: Any, context: Any) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.context_class(command, info_name=name, parent=context)
        if hasattr(command, "list_commands"):
            yield from _sections(command, inner)
        else:
            yield from _section(command, inner)


def _section(command: Any, context: Any) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## `{context.command_path}`\n"
    yield f"`{context.command_path} {usage}`\n"
    yield f"{command.help.strip()}\n"
    rows = [record for item in command.params if (record := item.get_help_record(context))]
    rows = [(name, " ".join(text.split())) for name, text in rows if "--help" not in name]
    if rows:
        yield "| argument | |\n|---|---|"
        for name, text in rows:
            cell = text.replace("|", "\\|")
            yield f"| `{name}` | {cell} |"
        yield ""
