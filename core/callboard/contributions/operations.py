"""What operators are given: metrics, checks, commands and parts of the demo."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typer import Typer

    from callboard.doctor import Check
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a metric; `of` is its name, where several metrics have the same `read`."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A gauge on `/metrics`, named `callboard_<plugin>_<name>`, read when it is scraped.

    Metrics of a plugin with the same `read` are read by one call, whose samples say what they are
    of: so what several are worked out from is asked for once.
    """

    name: str
    help: str
    read: Callable[["Host"], Iterable[Sample]]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What `callboard doctor` looks at for the plugin, beside its state.

    `checks` is called by that command alone and gives a `callboard.doctor.Check` for each place
    that `host.settings` name. Checks may ask what is remote, each for 20 s at most; what they find
    is redacted of the secrets of the settings.
    """

    checks: Callable[["Host"], Iterable["Check"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command group `callboard <name> …`. `load` is called only when the command is used.

    Commands find their `Host` in `typer.Context.obj`.
    """

    name: str
    help: str
    load: Callable[[], "Typer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoContext:
    """What `callboard demo` gives a part of it.

    `folder` is the part's own and stays from one start to the next; `repositories` are the bare
    Git repositories of the sample organisation by name; `made_at` is when the demo was first made
    and `now` when it is started.
    """

    folder: Path
    repositories: Mapping[str, Path]
    made_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPart:
    """What a plugin adds to `callboard demo`.

    `prepare` is called by that command alone, at each start and before the portal's. It writes
    what the demo needs and gives settings, which are laid over those of the demo: sections are
    merged, lists put together. Killed in the middle, it is called again.

    `fill` is called at each start, too, once the portal runs its jobs and before anybody is served:
    it writes what only time would bring, and nothing where that is there already.
    """

    name: str
    prepare: Callable[[DemoContext], Mapping[str, Any]]
    fill: Callable[[DemoContext, "Host"], None] | None = None
    order: int = 100
