"""The pages, permissions, figures and settings of the plugin."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fake_hosts import TOKEN, Answer
from pydantic import ValidationError
from scm_site import Site, site_of

from callboard.audit import models as audit
from callboard.testing import Clock
from callboard_scm_hosts import metrics, models
from callboard_scm_hosts.settings import ScmHostsSettings

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
SCRIPT = """
import json, sys
before = set(sys.modules)
import callboard_scm_hosts as plugin
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
for name, hook in list(vars(plugin).items()):
    if getattr(hook, "callboard_impl", None):
        hook()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    clock.set(NOW)
    with site_of(tmp_path, "github", "sqlite:///callboard.sqlite3", clock) as made:
        yield made


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def token_of(page: str) -> dict[str, str]:
    """Give the field that a form on a page is sent with."""
    match = re.search(r'name="([^"]+)" value="([^"]+)"', page[page.index("<form method=") :])
    assert match
    return {match[1]: match[2]}


def test_before_the_first_scan(site: Site) -> None:
    page = site.client.get("/scm_hosts/").text
    assert "not asked yet" in page
    assert "not scanned yet" in page
    assert "The first scan has not ended yet." in site.client.get("/scm_hosts/shop").text
    assert site.client.get("/scm_hosts/absent").status_code == 404


def test_how_it_stands_with_a_host(site: Site) -> None:
    limits = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4990"}
    site.server.limits = {**limits, "X-RateLimit-Reset": str(int(NOW.timestamp()) + 900)}
    site.server.add("shop/<b>", 70)
    site.server.add("shop/old", 71, archived=True)
    site.scan()
    page = text_of(site.client.get("/scm_hosts/").text)
    assert "4 repositories found, 2 with a descriptor" in page
    assert "4,990 of 5,000" in page
    assert "answering" in page
    assert "1 entry of the list is left out" in page
    assert TOKEN not in page
    found = text_of(site.client.get("/scm_hosts/shop").text)
    assert "It is archived." in found
    skipped = site.client.get("/scm_hosts/shop?state=skipped").text
    assert "shop/old" in skipped
    assert "shop/orders" not in skipped
    assert "shop/stock" in site.client.get("/scm_hosts/shop?q=STO").text
    assert "No repository fits" in site.client.get("/scm_hosts/shop?q=%25").text


def test_errors_in_plain_words(site: Site) -> None:
    site.scan()
    site.server.faults.append(lambda path: Answer(b"<script>alert(1)</script>"))
    site.scan()
    page = site.client.get("/scm_hosts/").text
    assert "answered with no JSON" in page
    assert "<script>alert" not in page
    site.server.faults[:] = [lambda path: Answer({}, 429, {"Retry-After": "600"})]
    site.scan()
    assert "asks to be left alone" in text_of(site.client.get("/scm_hosts/").text)


def test_many_repositories_are_paged(site: Site) -> None:
    for number in range(250):
        site.server.add(f"shop/r{number:03}", 100 + number)
    site.scan()
    seen: list[str] = []
    address = "/scm_hosts/shop"
    while address:
        page = site.client.get(address).text
        seen += re.findall(r">(shop/[a-z0-9]+)</a>", page)
        match = re.search(r'rel="next" href="([^"]+)"', page)
        address = match[1].replace("&amp;", "&") if match else ""
    assert len(seen) == 253
    assert seen == sorted(set(seen))


def test_scanning_now(site: Site) -> None:
    client = site.client
    page = client.get("/scm_hosts/").text
    token = token_of(page)
    data = {**token, "discovery": "shop"}
    answer = client.post("/scm_hosts/", data=data, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/scm_hosts/")
    assert "shop will be scanned in a moment" in text_of(client.get("/scm_hosts/").text)
    assert "will be scanned" not in client.get("/scm_hosts/").text, "it is told once"
    with site.host.read() as connection:
        entries = connection.execute(audit.audit_entry.select()).all()
    assert [entry.subject for entry in entries if entry.action == "scm_hosts.scan.start"] == [
        "shop"
    ]
    site.runtime.jobs.run_once()
    assert site.names() == ["orders", "stock"]
    answer = client.post("/scm_hosts/shop", data=token, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/scm_hosts/shop")
    assert "shop will be scanned" in text_of(client.get("/scm_hosts/shop").text)
    assert client.post("/scm_hosts/absent", data=token).status_code == 404
    assert client.post("/scm_hosts/", data={"discovery": "shop"}).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
@pytest.mark.parametrize("name", ["x<b>", "", "shop\0"])
def test_scanning_what_is_not_looked_for_is_rejected(
    site: Site, name: str, headers: dict[str, str]
) -> None:
    client = site.client
    token = token_of(client.get("/scm_hosts/").text)
    site.writes.clear()
    answer = client.post("/scm_hosts/", data={**token, "discovery": name}, headers=headers)
    assert answer.status_code == 422
    assert f"There is no discovery named {html.escape(name)}." in answer.text
    assert 'name="discovery" value="shop"' in answer.text, "the forms are drawn again"
    assert "will be scanned" not in client.get("/scm_hosts/").text
    assert not [one for one in site.writes if "scm_hosts_" in one or "job" in one]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_what_a_scan_leads_to_is_told_in_both_languages(site: Site, language: str) -> None:
    client = site.client
    client.cookies.set("callboard_language", language)
    data = {**token_of(client.get("/scm_hosts/").text), "discovery": "shop"}
    told = {"en": "shop will be scanned in a moment.", "zh-CN": "shop 即将扫描"}
    refused = {"en": "There is no discovery named x.", "zh-CN": "没有名为 x 的"}
    assert told[language] in client.post("/scm_hosts/", data=data).text
    wrong = client.post("/scm_hosts/", data={**data, "discovery": "x"}).text
    assert refused[language] in wrong


def test_pages_in_chinese(site: Site) -> None:
    site.scan()
    client = site.client
    client.cookies.set("callboard_language", "zh-CN")
    page = client.get("/scm_hosts/").text
    assert "代码托管" in page
    assert "Own budget" not in page
    assert "Every state" not in client.get("/scm_hosts/shop").text


def test_figures(site: Site) -> None:
    site.scan()
    counts = {sample.labels["state"]: sample.value
              for sample in metrics.count_repositories(site.host)}  # fmt: skip
    assert (counts["read"], counts["none"]) == (2, 1)
    requests = {sample.labels["result"]: sample.value
                for sample in metrics.count_requests(site.host)}  # fmt: skip
    assert sum(requests.values()) == len(site.server.requests)
    assert [sample.value for sample in metrics.longest_failure(site.host)] == [0.0]
    assert list(metrics.tell_remaining(site.host)) == []
    site.server.faults.append(lambda path: Answer({}, 401))
    site.scan()
    site.clock.advance(timedelta(minutes=5))
    assert [sample.value for sample in metrics.longest_failure(site.host)] == [300.0]


def test_models_and_migrations_agree(site: Site) -> None:
    with site.host.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table"
                  or str(name).startswith("scm_hosts_")},
        )  # fmt: skip
        assert compare_metadata(context, models.metadata) == []


def test_importing_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True
    )
    imported, hooked = (set(json.loads(line)) for line in done.stdout.splitlines())
    assert not imported & {"alembic", "babel", "fastapi", "git", "jinja2", "pydantic", "sqlalchemy"}
    assert not hooked & {"fastapi", "git", "jinja2", "typer"}


GITLAB: dict[str, Any] = {"name": "a", "type": "gitlab"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hosts": [{**GITLAB, "url": "ftp://x"}]}, "expected an address"),
        ({"hosts": [{**GITLAB, "url": "https://u:p@x"}]}, "expected an address"),
        ({"hosts": [{**GITLAB, "name": "A b"}]}, "lower-case letters"),
        ({"hosts": [{"name": "a", "type": "gitea"}]}, "expected url"),
        ({"hosts": [{"name": "a", "type": "folder"}]}, "expected an absolute path"),
        ({"hosts": [{"name": "a", "type": "folder", "path": "x"}]}, "expected an absolute path"),
        ({"hosts": [{**GITLAB, "path": "/x"}]}, "expected url, not path"),
        ({"hosts": [GITLAB, GITLAB]}, "each name in hosts once"),
        ({"hosts": [GITLAB], "discover": [{"name": "d", "host": "b"}]}, "one of hosts"),
        ({"hosts": [GITLAB], "discover": [{"name": "d", "host": "a", "group": "a",
                                           "organisation": "b"}]}, "either group"),
        ({"hosts": [GITLAB], "discover": [{"name": "d", "host": "a", "group": "../x"}]},
         "path of a group"),
        ({"hosts": [{**GITLAB, "type": "github"}],
          "discover": [{"name": "d", "host": "a", "group": "a/b"}]}, "one organisation"),
        ({"hosts": [GITLAB], "discover": [{"name": "d", "host": "a", "paths": []}]}, "at least 1"),
        ({"hosts": [GITLAB], "discover": [{"name": "d", "host": "a", "include": [""]}]},
         "path pattern"),
        ({"hosts": [GITLAB], "discover": [{"name": "d", "host": "a", "every": "1s"}]},
         "seconds=10"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ScmHostsSettings.model_validate(settings)


def test_addresses_of_apis() -> None:
    listed = [
        {"name": "a", "type": "gitlab"},
        {"name": "b", "type": "github"},
        {"name": "c", "type": "github", "url": "https://git.example.com/"},
        {"name": "d", "type": "gitee"},
        {"name": "e", "type": "gitea", "url": "https://git.example.com/gitea"},
        {"name": "f", "type": "gitlab", "api_url": "https://api.example.com/v4/"},
    ]
    hosts = ScmHostsSettings.model_validate({"hosts": listed}).hosts
    assert [host.api for host in hosts] == [
        "https://gitlab.com/api/v4",
        "https://api.github.com",
        "https://git.example.com/api/v3",
        "https://gitee.com/api/v5",
        "https://git.example.com/gitea/api/v1",
        "https://api.example.com/v4",
    ]
