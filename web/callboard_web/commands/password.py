"""`callboard password`: the hash of a password, for the settings."""

import sys

import typer

from callboard.errors import InputError


def password() -> None:
    """Make the hash of a password for sessions.break_glass, asking for the password.

    Without a terminal it is read from the first line of standard input. It is never an argument:
    those are seen by every user of the machine.
    """
    from callboard_web.sessions.break_glass import LONGEST, SHORTEST, hash_of

    if sys.stdin.isatty():
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(given) <= LONGEST:
        raise InputError(
            f"The password has {len(given)} characters; expected {SHORTEST} to {LONGEST}.",
            hint="Let a password manager make one, and keep it in a sealed place.",
        )
    typer.echo(hash_of(given))
