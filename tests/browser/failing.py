"""A portal in which plugins fail at every place: what readers see then is looked at as well."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from browsing import demo_portal

from callboard_web.runtime import Runtime

ENTITY = "/catalog/default/component/order-service"
PATHS = (
    "/",
    ENTITY,
    f"{ENTITY}/failing",
    "/catalog?columns=owner,failing.column",
    "/activity",
    "/failing/",
    "/plugins",
    "/plugins/failing",
    "/plugins/absent",
    "/health",
    "/jobs",
)

FAILING = '''
"""Raises wherever it is called."""

from callboard import contributions as c
from callboard import hookimpl


def fail(*_):
    raise RuntimeError("The measuring station does not answer.")


@hookimpl
def callboard_home_cards():
    return [c.HomeCard(name="card", title="Measurements", render=fail)]


@hookimpl
def callboard_entity_cards():
    return [c.EntityCard(name="card", title="Measurements", render=fail)]


@hookimpl
def callboard_entity_tabs():
    return [c.EntityTab(name="failing", title="Measurements", render=fail)]


@hookimpl
def callboard_entity_badges():
    return [c.EntityBadge(name="badge", render=fail)]


@hookimpl
def callboard_catalog_columns():
    return [c.CatalogColumn(name="column", title="Measurements", values=fail)]


@hookimpl
def callboard_waiting():
    return [c.Waiting(name="waiting", title="Measurements", read=fail)]


@hookimpl
def callboard_pages():
    return [c.Page(name="page", path="", title="Measurements", render=fail)]


@hookimpl
def callboard_jobs():
    return [c.Job(name="measure", title="Measure", run=fail, attempts=1)]
'''
ABSENT = '''
"""Cannot be loaded."""

import a_library_that_is_not_installed
'''


@contextmanager
def failing_portal(folder: Path) -> Iterator[Runtime]:
    """Give the demo's portal with two more plugins: one raises everywhere, one does not load.

    They are installed as any plugin is, into a folder of their own.
    """
    place = folder / "installed"
    for name, code in (("failing", FAILING), ("absent", ABSENT)):
        _install(place, name, code)
    sys.path.insert(0, str(place))
    try:
        with demo_portal(folder) as runtime:
            runtime.jobs.submit(None, "failing", "measure")
            runtime.jobs.run_once()
            yield runtime
    finally:
        sys.path.remove(str(place))
        sys.modules.pop("callboard_failing", None)


def _install(place: Path, name: str, code: str) -> None:
    information = place / f"callboard_{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (place / f"callboard_{name}.py").write_text(dedent(code), "utf-8")
    text = f"Metadata-Version: 2.1\nName: callboard-{name}\nVersion: 1.0\n"
    (information / "METADATA").write_text(text, "utf-8")
    points = f"[callboard.plugins]\n{name} = callboard_{name}\n"
    (information / "entry_points.txt").write_text(points, "utf-8")
