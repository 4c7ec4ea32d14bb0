"""A small local Kubernetes API server with Tekton, for trying things out and for tests.

It does nothing unless `plugins.settings.sandbox.serve` is set, listens on loopback only, and says
on every page that what is shown is no real cluster. For the rest of the portal it is a cluster of
the settings like any other.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from callboard import hookimpl
from callboard.contributions import DemoContext, DemoPart, PageNote
from callboard.i18n import Translator

if TYPE_CHECKING:
    from pydantic import BaseModel

    from callboard.host import Host
    from callboard_sandbox.running import Keeper

CALLBOARD_CONTRACT: Final = 1

_ = Translator("sandbox")
_HERE: Final = Path(__file__).parent
_keepers: dict[Path, "Keeper"] = {}


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_sandbox.settings import SandboxSettings

    return SandboxSettings


@hookimpl
def callboard_translations() -> Path:
    return _HERE / "locales"


@hookimpl
def callboard_startup(host: "Host") -> None:
    if not _is_served(host):
        return
    from callboard_sandbox.running import Keeper

    folder = _folder(host)
    keeper = Keeper(folder, host.settings, clock=host.now)
    keeper.start()
    _keepers[folder] = keeper


@hookimpl
def callboard_shutdown(host: "Host") -> None:
    keeper = _keepers.pop(_folder(host), None) if _is_served(host) else None
    if keeper is not None:
        keeper.stop()


@hookimpl
def callboard_page_notes() -> Iterable[PageNote]:
    return [
        PageNote(
            name="sandbox",
            title=_("This is a sandbox cluster."),
            text=_("Its pipelines, pods and logs are made up; nothing is built or delivered."),
            applies=_is_served,
        )
    ]


@hookimpl
def callboard_demo_parts() -> Iterable[DemoPart]:
    return [DemoPart(name="cluster", prepare=_prepare_demo)]


def _prepare_demo(context: DemoContext) -> Mapping[str, Any]:
    from callboard_sandbox.demo import prepare

    return prepare(context)


def _is_served(host: "Host") -> bool:
    return bool(host.settings.serve)


def _folder(host: "Host") -> Path:
    folder: Any = host.settings.folder
    return Path(folder) if folder is not None else host.data
