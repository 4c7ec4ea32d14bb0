"""A whole portal within one test; `callboard.testing` has the fixture `portal` that gives it."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from callboard.entities import EntityRef
from callboard.host import Host
from callboard_web.rendering import Renderer
from callboard_web.runtime import Runtime

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from callboard.kubernetes import Resource
    from callboard_web.portal import Portal

SOURCE: Final = "test"
LISTED: Final = 20


class CompiledTemplates(BytecodeCache):
    """Keeps what templates are compiled to in memory, by their names and texts."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


class PortalUnderTest:
    """A portal on a database of its own. `runtime` has all its parts; nothing runs beside it."""

    def __init__(self, runtime: Runtime, catalog: Path) -> None:
        self.runtime = runtime
        self._catalog = catalog
        self._added = 0

    @cached_property
    def client(self) -> "TestClient":
        """A browser without JavaScript: `portal.client.get("/catalog").text`."""
        from starlette.testclient import TestClient

        from callboard_web.app import create_app

        return TestClient(create_app(self.runtime))

    def host(self, plugin: str) -> Host:
        """Give the host as the plugin sees it."""
        return self.runtime.host(plugin)

    def catalog_add(self, text: str) -> None:
        """Take entities into the catalog, from descriptors as they are in `catalog-info.yaml`.

        Raises `ValueError` with the reasons where a document is rejected.
        """
        self._added += 1
        (self._catalog / f"{self._added:04}.yaml").write_text(text, encoding="utf-8")
        result = self.runtime.engine.read(SOURCE)
        if result.error:
            raise ValueError(result.error)
        problems = self.runtime.catalog.problems(source=SOURCE, limit=LISTED)
        rejected = [item for item in problems if item.kind == "rejected"]
        if rejected:
            raise ValueError("\n".join(f"line {item.line}: {item.message}" for item in rejected))

    def observe(
        self,
        cluster: str,
        resource: "Resource",
        *objects: Mapping[str, Any],
        gone: bool = False,
    ) -> None:
        """Let objects of a cluster be seen, or be `gone`, and tell the plugins that watch them.

        All is done when it returns, without a cluster: what a plugin raises is raised here.
        """
        from callboard.kubernetes.testing import observe

        runtime = self.runtime
        watches = runtime.plugins.contributions.cluster_watches
        observe(
            runtime.database, watches, runtime.host, runtime.clock, cluster, resource, objects,
            gone=gone,
        )  # fmt: skip

    def run_jobs(self) -> int:
        """Run every job that is due by the clock, here and now, and give how many ran.

        A job without a schedule is asked for by `portal.host(plugin).submit(job)` first.
        """
        return self.runtime.jobs.run_once()


@contextmanager
def portal_under_test(
    folder: Path,
    *,
    plugins: Sequence[str] | None,
    settings: Mapping[str, Any],
    clock: Callable[[], datetime],
    templates: dict[str, Path],
) -> Iterator[PortalUnderTest]:
    """Start a portal in a folder; `templates` keeps migrated databases for the next ones."""
    Renderer.shared = Renderer.shared or CompiledTemplates()
    catalog = folder / "catalog"
    catalog.mkdir(parents=True)
    config = folder / "callboard.yaml"
    config.write_text(yaml.safe_dump(_with_source(settings), allow_unicode=True), encoding="utf-8")
    environ = {} if plugins is None else {"CALLBOARD_PLUGINS": " ".join(plugins)}
    runtime = Runtime.open(config, environ, clock=clock, strict=True)
    try:
        _upgrade(runtime, folder, templates)
        runtime.start(worker=False, serve=False)
        yield PortalUnderTest(runtime, catalog)
    finally:
        runtime.stop()


def sign_in_as(client: "TestClient", user: str, *, roles: Sequence[str] = ()) -> int:
    """Sign a browser in as a User, as a provider would, and give the number of the session.

    `roles` are held beside what bindings give. The client's address must be one where sessions
    are given out: `TestClient(app, base_url="https://testserver")`, or a loopback name.
    """
    from starlette.requests import Request
    from starlette.responses import Response

    from callboard_web.sessions import SignedIn

    portal: Portal = client.app.state.portal  # type: ignore[attr-defined]
    url = client.base_url
    host = url.netloc
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
    scope = {
        "type": "http", "method": "POST", "path": "/sign-in", "query_string": b"",
        "scheme": url.scheme, "server": ("testserver", 80), "client": ("127.0.0.1", 50000),
        "headers": [(b"host", host), (b"cookie", cookies.encode())],
    }  # fmt: skip
    ref = EntityRef.parse(user, default_kind="user")
    signed_in = SignedIn(
        method="test", subject=str(ref), title=ref.name, user=ref, roles=tuple(roles)
    )
    response = Response()
    number = portal.sessions.sign_in(Request(scope), response, signed_in)
    name, _, value = response.headers["set-cookie"].partition(";")[0].partition("=")
    client.cookies.set(f"__Host-{name}" if url.scheme == "https" else name, value)
    return number


def _with_source(settings: Mapping[str, Any]) -> dict[str, Any]:
    source = {"name": SOURCE, "type": "folder", "path": "catalog", "paths": ["*.yaml"]}
    given = dict(settings.get("catalog") or {})
    given["sources"] = [*(given.get("sources") or ()), source]
    access = {"anonymous": "administrator", **(settings.get("access") or {})}
    # A busy machine draws slowly; what is tested here is what is drawn.
    plugins = {"time_limit": "20s", **(settings.get("plugins") or {})}
    return {**settings, "access": access, "catalog": given, "plugins": plugins}


def _upgrade(runtime: Runtime, folder: Path, templates: dict[str, Path]) -> None:
    path = runtime.database.path
    key = " ".join(record.name for record in runtime.plugins.loaded())
    if path is not None and key in templates:
        shutil.copyfile(templates[key], path)
        return
    runtime.upgrade()
    if path is not None:
        # Closing the last connection writes the journal into the file.
        runtime.database.close()
        templates[key] = folder.with_name(f"{folder.name}.template.sqlite3")
        shutil.copyfile(path, templates[key])
