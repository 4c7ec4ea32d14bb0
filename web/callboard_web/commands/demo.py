"""`callboard demo`: a sample organisation, read like any user's."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from callboard.contributions import DemoContext
from callboard.errors import SettingsError
from callboard_web.commands.common import opened
from callboard_web.commands.serve import run_portal


def demo(
    directory: Annotated[
        Path, typer.Option(help="Where the sample repositories and the database are kept.")
    ] = Path("var/demo"),
    listen: Annotated[str, typer.Option(help="Address and port.")] = "127.0.0.1:8000",
) -> None:
    """Start the portal on a sample organisation: local Git repositories with a history."""
    from callboard_web.demo import build_organisation, demo_configuration, fill_parts, with_parts

    port = listen.rpartition(":")[2]
    if not port.isdigit():
        raise SettingsError(f"{listen!r} is not an address.", hint="Expected 127.0.0.1:8000.")
    root = directory.resolve()
    repositories = root / "repositories"
    config = root / "callboard.yaml"
    root.mkdir(parents=True, exist_ok=True)
    made_at = _beginning(root)
    built = build_organisation(repositories, now=made_at)
    text = demo_configuration(repositories, "sqlite:///callboard.sqlite3", int(port))
    config.write_text(text, encoding="utf-8")
    context = DemoContext(
        folder=root,
        repositories={repository.name: repository.path for repository in built},
        made_at=made_at,
        now=datetime.now(UTC),
    )
    with opened(config) as runtime:
        parts = runtime.plugins.contributions.demo_parts
        text = with_parts(text, parts, root / "parts", context)
    config.write_text(text, encoding="utf-8")
    with opened(config, serving=True) as runtime:
        runtime.upgrade()
        parts = runtime.plugins.contributions.demo_parts
        fill = partial(fill_parts, parts, root / "parts", context, runtime.host)
        run_portal(runtime, listen=listen, banner=f"The demo is on http://{listen}", begun=fill)


def _beginning(root: Path) -> datetime:
    """Give the time the demo was first made, so that making it again changes nothing."""
    stamp = root / "made-at"
    try:
        return datetime.fromisoformat(stamp.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        now = datetime.now(UTC).replace(microsecond=0)
        stamp.write_text(now.isoformat(), encoding="ascii")
        return now
