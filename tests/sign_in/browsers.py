"""A browser without script that signs in at a portal under test."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from starlette.testclient import TestClient

from callboard_web.app import create_app


@dataclass
class Begun:
    """What the portal asked the provider for."""

    page: httpx2.Response
    target: str

    @property
    def parameters(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


class Browser:
    """One browser, with cookies of its own."""

    def __init__(self, portal: Any, app: Any = None) -> None:
        self.app = app or create_app(portal.runtime)
        self.client = TestClient(
            self.app, base_url="http://127.0.0.1", follow_redirects=False,
            raise_server_exceptions=False,
        )  # fmt: skip

    def another(self) -> "Browser":
        """Give another browser at the same portal."""
        return Browser(None, self.app)

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.client.get(path, **options)

    def token(self) -> str:
        page = self.client.get("/sign-in").text
        return page.partition('name="csrf_token" value="')[2].partition('"')[0]

    def post(self, path: str, **fields: str) -> httpx2.Response:
        return self.client.post(path, data={"csrf_token": self.token(), **fields})

    def begin(self, provider: str = "company", wanted: str = "/") -> Begun:
        page = self.post(f"/sign-in/with/{provider}", next=wanted)
        return Begun(page, page.headers.get("refresh", "").partition("url=")[2])

    def answer(self, provider: str = "company", **parameters: str) -> httpx2.Response:
        return self.client.get(f"/sign-in/callback/{provider}", params=parameters)

    def sign_in(self, server: Any, provider: str = "company", wanted: str = "/") -> httpx2.Response:
        """Go the whole way, as the provider of a test answers it."""
        begun = self.begin(provider, wanted)
        assert begun.page.status_code == 200, begun.page.text
        server.nonce = begun.parameters["nonce"]
        return self.answer(provider, code="code-1", state=begun.parameters["state"])

    @property
    def signed_in(self) -> bool:
        return bool(self.client.get("/me/session").json()["left"] > 0)


def number_on(page: httpx2.Response) -> int:
    """Give the number of the sign-in on the page of one that failed."""
    found = re.search(r'<dd class="mono">(\d+)</dd>', page.text)
    assert found is not None, page.text
    return int(found[1])
