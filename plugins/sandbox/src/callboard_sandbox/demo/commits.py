"""Who changed what: the commits of a repository, for the runs that they started."""

import os
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

_TIME_LIMIT_SECONDS: Final = 20
_FORMAT: Final = "%H%x1f%an%x1f%s"


@dataclass(frozen=True, slots=True)
class Commit:
    """Who changed what."""

    id: str
    author: str
    subject: str


def last_commit(repository: Path, branch: str, before: datetime, directory: str) -> Commit | None:
    """Give a branch's last commit before a time that touches a directory; None without one."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "LC_ALL": "C.UTF-8",
    }
    command = [
        *("git", f"--git-dir={repository}", "log", "-1", f"--format={_FORMAT}"),
        *(f"--before={before.isoformat()}", branch, "--", directory),
    ]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=True,
            timeout=_TIME_LIMIT_SECONDS,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    parts = done.stdout.decode("utf-8", "replace").strip().split("\x1f")
    return Commit(*parts) if len(parts) == 3 else None
