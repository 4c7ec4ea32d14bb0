"""Sends a request that a person made on the page of an operation, where that is allowed.

The setting `try_out` names the hosts. The request goes out from the server, by the guarded client:
no cookie or credential of the portal goes with it, no redirect is followed, and what comes back is
bounded and shown as text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from callboard.contributions import FormContext, Fragment, PageContext
from callboard.entities import EntityRef
from callboard.errors import CallboardError
from callboard.i18n import Text, Translator
from callboard_apis import queries
from callboard_apis.texts import name_of, plain
from callboard_apis.views import STYLES

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("apis")

LONGEST_ANSWER: Final = 100_000
MOST_HEADERS: Final = 30
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# RFC 9110, section 7.6.1, and what the client sets itself.
_REFUSED: Final = frozenset((
    "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te",
    "trailer", "expect", "proxy-authorization", "proxy-connection", "accept-encoding",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be tried, with the servers that are allowed."""

    ref: EntityRef
    title: str
    key: str
    verb: str
    path: str
    fields: list[list[Any]]
    content: list[str]
    servers: list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, as it is shown."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    size: int


@dataclass(slots=True)
class Request:
    """What is to be sent; `faults` says what of it cannot be, by the field's name."""

    url: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""
    faults: dict[str, Text] = field(default_factory=dict)


def draw_try(context: PageContext) -> Fragment | None:
    """The form for one operation; there is no such page where no host is allowed."""
    operation = _operation(
        context.host, context.query.get("api", ""), context.query.get("operation", "")
    )
    if operation is None:
        return None
    given = {f"p-{number}": one[2] for number, one in enumerate(operation.fields) if one[3]}
    given |= {"body": operation.content[1], "headers": "", "server": ""}
    if operation.content[0]:
        given["headers"] = f"Content-Type: {operation.content[0]}"
    return _page(operation, given, {}, None, "")


def submit_try(context: FormContext) -> Fragment | None:
    """Send what was typed and show the answer above the form.

    The form is rejected, with the reasons, where nothing can be sent or no answer comes.
    """
    given = {name: values[0] for name, values in context.form.items() if values}
    operation = _operation(context.host, given.get("api", ""), given.get("operation", ""))
    if operation is None:
        return None
    request = build_request(operation, given)
    if request.faults:
        return _page(operation, given, request.faults, None, "")
    host = context.host
    with host.write() as connection:
        # The path as the definition has it: what was typed into it is nobody else's.
        after = {
            "method": operation.verb,
            "host": urlsplit(request.url).netloc,
            "path": operation.path,
        }
        host.audit(
            connection,
            "apis.request.send",
            str(operation.ref),
            actor=context.principal,
            after=after,
        )
    try:
        answer = _send(host, operation.verb, request)
    except CallboardError as error:
        return _page(operation, given, {"": error.message}, None, request.url)
    return _page(operation, given, {}, answer, request.url)


def _page(
    operation: Operation,
    given: Mapping[str, str],
    faults: Mapping[str, Text],
    answer: Answer | None,
    url: str,
) -> Fragment:
    return Fragment(
        template="apis/try.html",
        context={
            "operation": operation, "given": given, "faults": faults, "answer": answer, "url": url,
            "base": operation.ref.path("apis"),
        },
        styles=STYLES,
        title=f"{operation.verb} {operation.title}",
        rejected=bool(faults),
    )  # fmt: skip


def _operation(host: "Host", api: str, key: str) -> Operation | None:
    allowed = host.settings.try_out
    if not allowed:
        return None
    try:
        ref = EntityRef.parse(api, default_kind="api")
    except CallboardError:
        return None
    if ref not in host.catalog.visible([ref]):
        return None
    with host.read() as connection:
        shown = queries.load_api(connection, str(ref))
        if shown is None or shown.definition is None:
            return None
        loaded = queries.load_item(connection, shown.definition.id, "operation", key)
    if loaded is None or "path" not in loaded[1]:
        return None
    row, body = loaded
    servers = body["servers"] or [server["url"] for server in shown.head["servers"]]
    return Operation(
        ref, row.title, row.key, row.verb, body["path"], body["fields"], body["content"],
        [url for url in servers if is_allowed(url, allowed)],
    )  # fmt: skip


def is_allowed(url: str, allowed: list[str]) -> bool:
    """Whether a request may be sent to an address: its host, with its port, must be listed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or parts.username is not None or not parts.hostname:
        return False
    usual = {"http": 80, "https": 443}[parts.scheme]
    names = {f"{parts.hostname}:{port or usual}"}
    if port in (None, usual):
        names.add(parts.hostname)
    return bool(names & set(allowed))


def build_request(operation: Operation, given: Mapping[str, str]) -> Request:
    """Put together what was typed."""
    made = Request(body=given.get("body", "") if operation.verb not in ("GET", "HEAD") else "")
    server = given.get("server", "")
    if server not in operation.servers:
        made.faults["server"] = _("Choose one of the servers.")
        return made
    path, query = operation.path, []
    for number, (where, name, _example, required) in enumerate(operation.fields):
        value = given.get(f"p-{number}", "")
        if not value:
            if required:
                made.faults[f"p-{number}"] = _("%(name)s is needed.", name=name)
        elif where == "path" and value in (".", ".."):  # RFC 3986, section 5.2.4: another path
            made.faults[f"p-{number}"] = _("%(name)s cannot consist of dots.", name=name)
        elif where == "path":
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        elif where == "query":
            query.append((name, value))
        elif where == "header":
            _add_header(made, name, value, f"p-{number}")
    for line in filter(str.strip, given.get("headers", "").splitlines()):
        name, _colon, value = line.partition(":")
        _add_header(made, name.strip(), value.strip(), "headers")
    joined = server.rstrip("/") + path
    made.url = joined + (f"?{urlencode(query)}" if query else "")
    if urlsplit(made.url).netloc != urlsplit(server).netloc:
        made.faults["server"] = _("Choose one of the servers.")
    return made


def _add_header(made: Request, name: str, value: str, place: str) -> None:
    refused = name.lower() in _REFUSED or not _NAME.fullmatch(name)
    if refused or not value.isprintable() or len(made.headers) >= MOST_HEADERS:
        made.faults[place] = _("The header %(name)s cannot be sent.", name=name_of(name, 60) or "–")
    else:
        made.headers.append((name, value))


def _send(host: "Host", method: str, request: Request) -> Answer:
    response = host.http.request(
        method,
        request.url,
        headers=dict(request.headers),
        content=request.body.encode() or None,
        idempotent=False,
        redirects=False,
    )
    return Answer(
        response.status,
        [(name_of(name, 100), name_of(value, 500)) for name, value in response.headers.items()][
            :60
        ],
        plain(response.text, LONGEST_ANSWER),
        len(response.body),
    )
