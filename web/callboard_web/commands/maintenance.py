"""`callboard maintenance`."""

from datetime import timedelta
from typing import Annotated

import typer

from callboard.errors import SettingsError
from callboard.identity import SYSTEM
from callboard_web.commands.common import opened
from callboard_web.maintenance import ANY, read, switch

app = typer.Typer(no_args_is_help=True, help="Maintenance: close the portal, and open it again.")


@app.command("on")
def close(
    text: Annotated[str, typer.Argument(help="Why, for those who come meanwhile.")] = "",
    also: Annotated[
        list[str] | None, typer.Option("--in", help="The same in a language: zh-CN=…; repeatable.")
    ] = None,
    minutes: Annotated[
        int, typer.Option(min=0, max=10080, help="How long it will take, if that is known.")
    ] = 0,
) -> None:
    """Answer every page with 503 and the text, on every replica within seconds."""
    with opened() as runtime:
        texts = {ANY: text} if text else {}
        for item in also or ():
            language, equals, words = item.partition("=")
            if not equals or language not in runtime.portal.languages:
                offered = ", ".join(runtime.portal.languages)
                raise SettingsError(
                    f"--in {item!r} does not begin with a language.", hint=f"Expected {offered}."
                )
            texts[language] = words
        length = timedelta(minutes=minutes) if minutes else None
        switch(
            runtime.database, on=True, texts=texts, length=length, actor=SYSTEM, at=runtime.now()
        )
    typer.echo("The portal is closed. Open it with: callboard maintenance off")


@app.command("off")
def open_again() -> None:
    """Answer pages again."""
    with opened() as runtime:
        switch(runtime.database, on=False, actor=SYSTEM, at=runtime.now())
    typer.echo("The portal is open.")


@app.command("status")
def status() -> None:
    """Say whether the portal is closed, since when and why."""
    with opened() as runtime:
        state = read(runtime.database)
    if state is None:
        typer.echo("The portal is open.")
    else:
        typer.echo(f"The portal is closed since {state.since:%Y-%m-%d %H:%M} UTC. {state.text('')}")
