"""Every form of every page can be sent as it stands, without script, and is answered in words."""

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from browsing import demo_portal, paths_of
from starlette.testclient import TestClient

from callboard_web.app import create_app
from callboard_web.runtime import Runtime

pytestmark = pytest.mark.slow  # walks every page of the demo


@pytest.fixture(scope="module")
def own_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Give a portal of this module's own: forms change things."""
    with demo_portal(tmp_path_factory.mktemp("forms")) as runtime:
        yield runtime


ANSWERS = (200, 204, 303, 400, 404, 409, 422)


class Forms(HTMLParser):
    """Gathers the forms of a page with the values that a browser would send."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, str, list[tuple[str, str]], list[tuple[str, str]]]] = []
        self._select = ""
        self._pressed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = given.get("method", "get").lower()
            self.forms.append((method, given.get("action", ""), [], []))
        if not self.forms:
            return
        fields, buttons = self.forms[-1][2:]
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or not value):
            fields.append((self._select, value))
        elif tag == "button" and given.get("type", "submit") == "submit" and name:
            buttons.append((name, value))
        elif tag in ("input", "textarea") and name and "disabled" not in given:
            if given.get("type") in ("checkbox", "radio") and "checked" not in given:
                return
            fields.append((name, value))


def test_every_form_is_answered(own_demo: Runtime) -> None:
    client = TestClient(create_app(own_demo), raise_server_exceptions=False)
    client.get("/")
    sent: set[tuple[str, str, tuple[str, ...]]] = set()
    wrong = []
    for path in paths_of(own_demo):
        parser = Forms()
        parser.feed(client.get(path).text)
        for method, action, fields, buttons in parser.forms:
            address = urlsplit(urljoin(f"http://testserver{path}", action or path))
            for pressed in buttons or [("", "")]:
                values = [*fields, *([pressed] if pressed[0] else [])]
                key = (method, address.path, tuple(sorted(name for name, _ in values)))
                if key in sent or address.netloc != "testserver":
                    continue
                sent.add(key)
                data: dict[str, list[str]] = {}
                for name, value in values:
                    data.setdefault(name, []).append(value)
                if method == "post":
                    response = client.post(address.path, data=data, follow_redirects=False)
                else:
                    response = client.get(address.path, params=data)
                if response.status_code not in ANSWERS:
                    wrong.append(f"{path}: {method} {address.path} {sorted(data)} is answered "
                                 f"{response.status_code}")  # fmt: skip
    assert {"post", "get"} <= {method for method, _, _ in sent}
    assert wrong == [], "\n".join(wrong)
