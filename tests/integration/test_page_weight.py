"""No page fails, and each weighs 100 KB at most as it is sent, with all that it needs."""

import re

import httpx2
import pytest
from browsing import served, walked

from callboard_web.app import create_app
from callboard_web.runtime import Runtime

pytestmark = pytest.mark.slow  # walks every page of the demo

MOST_BYTES = 100_000
NEEDED = re.compile(
    r"<(?:script|link|img|use)\b[^>]*?\s(?:src|href)=\"(/[^\"#]+)[^\"]*\"", re.IGNORECASE
)
NOT_NEEDED = re.compile(r"<link\b[^>]*rel=\"(?:next|prev|canonical|alternate)\"[^>]*>")


def _weight(client: httpx2.Client, path: str, known: dict[str, int]) -> int:
    """Give the bytes of an answer as they come over the wire."""
    if path not in known:
        with client.stream("GET", path) as response:
            known[path] = sum(len(piece) for piece in response.iter_raw())
    return known[path]


def test_every_link_leads_to_a_page(demo: Runtime) -> None:
    app = create_app(demo)
    found = dict(walked(app))
    assert len(found) > 40
    # What is reached without a link may ask for more than an address.
    bare = {getattr(route, "path", "") for route in app.routes}
    wrong = {path: status for path, status in found.items()
             if status >= (500 if path in bare else 400)}  # fmt: skip
    assert wrong == {}


def test_no_page_is_heavy(demo: Runtime, demo_paths: list[str]) -> None:
    known: dict[str, int] = {}
    heavy = []
    with (
        served(demo) as address,
        httpx2.Client(
            base_url=address, headers={"accept-encoding": "br"}, trust_env=False, timeout=30
        ) as client,
    ):
        for path in demo_paths:
            page = NOT_NEEDED.sub("", client.get(path).text)
            needed = {_weight(client, found, known): found for found in set(NEEDED.findall(page))}
            total = _weight(client, path, known) + sum(needed)
            if total > MOST_BYTES:
                most = sorted(needed.items(), reverse=True)[:4]
                heavy.append(f"{path}: {total:,} bytes, {known[path]:,} of them the page; {most}")
    assert known, "something was weighed"
    assert heavy == [], "\n".join(heavy)
