"""Small servers that speak the APIs of GitLab, GitHub, Gitea and Gitee, as far as they are asked.

Shapes, paging and headers are those the products document and were seen to give. Each serves the
same repositories of this process's memory; faults are put in the way of single requests.
"""

import base64
import hashlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

TOKEN = "t0ken-of-the-test-0123456789"


@dataclass
class Answer:
    """What the server says; `body` is made JSON unless it is bytes."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Repository:
    """A repository on a host. `pushed` is what its listing tells of the last push."""

    id: int
    path: str
    files: dict[str, bytes] = field(default_factory=dict)
    branch: str = "main"
    pushed: str = "2026-03-01T08:00:00Z"
    topics: list[str] = field(default_factory=list)
    archived: bool = False
    fork: bool = False
    links: list[str] = field(default_factory=list)
    truncated: bool = False
    heads: dict[str, str] = field(default_factory=dict)

    def blob(self, path: str) -> str:
        content = self.files[path]
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def head(self) -> str:
        listed = [(path, self.blob(path)) for path in sorted(self.files)]
        return hashlib.sha1(repr(listed).encode()).hexdigest()

    def entries(self, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for path in sorted(self.files):
            mode = "120000" if path in self.links else "100644"
            found.append({"path": path, "name": path.rpartition("/")[2], "mode": mode,
                          "type": "blob", key: self.blob(path)})  # fmt: skip
            if key == "sha":
                found[-1]["size"] = len(self.files[path])
        folders = {path.rpartition("/")[0] for path in self.files if "/" in path}
        made = {"mode": "040000", "type": "tree", key: "0" * 40}
        return found + [{"path": path, "name": path, **made} for path in sorted(folders)]

    def content(self, blob: str) -> bytes | None:
        return next((self.files[path] for path in self.files if self.blob(path) == blob), None)


Fault = Callable[[str], Answer | None]


class FakeHost:
    """A host of one type. `requests` has every request's path with its query, `sent` the method,
    path and content of those that bring something."""

    prefix = ""
    etags = True

    def __init__(self) -> None:
        self.repositories: list[Repository] = []
        self.requests: list[str] = []
        self.statuses: list[int] = []
        self.tokens: set[str] = set()
        self.faults: list[Fault] = []
        self.per_page = 100
        self.limits: dict[str, str] = {}
        self.base = ""
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def add(self, path: str, number: int = 0, **more: Any) -> Repository:
        made = Repository(number or len(self.repositories) + 1, path, **more)
        self.repositories.append(made)
        return made

    def get(self, path: str) -> Repository | None:
        return next((item for item in self.repositories if item.path == path), None)

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        raise NotImplementedError

    def page(self, items: list[Any], path: str, query: dict[str, str], size: str) -> Answer:
        """Give one page of a list with its `Link` header."""
        number, length = int(query.get("page", 1)), min(int(query.get(size, 20)), self.per_page)
        headers = {}
        if number * length < len(items):
            following = urlencode({**query, "page": number + 1})
            url = f"{self.base}{self.prefix}{path}?{following}"
            first = url.replace(f"page={number + 1}", "page=1")
            headers["Link"] = f'<{first}>; rel="first", <{url}>; rel="next"'
        return Answer(items[(number - 1) * length : number * length], headers=headers)

    def handle(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        self.requests.append(handler.path)
        # Read in any case: what is left of a request would be taken for the next one.
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        authorization = handler.headers.get("Authorization", "")
        self.tokens.add(authorization)
        answer = next((found for fault in self.faults if (found := fault(handler.path))), None)
        if answer is None:
            if not authorization.endswith(f" {TOKEN}"):
                answer = Answer({"message": "401 Unauthorized"}, 401)
            elif not parts.path.startswith(self.prefix):
                answer = Answer({"message": "404 Not Found"}, 404)
            else:
                query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                path = parts.path.removeprefix(self.prefix)
                if handler.command == "GET":
                    answer = self.answer(path, query)
                else:
                    content = json.loads(body)
                    answer = self.take(handler.command, path, content)
                    if answer.status < 300:
                        self.sent.append((handler.command, path, content))
        self._send(handler, answer)

    def take(self, method: str, path: str, content: dict[str, Any]) -> Answer:
        """Answer to what is brought: the status of a commit."""
        if method == "POST" and re.fullmatch(r"/.+/statuses/[0-9a-f]{40}", path):
            return Answer({"id": len(self.sent) + 1, **content}, 201)
        return Answer({"message": "404 Not Found"}, 404)

    def head(self, found: Repository, name: str) -> str | None:
        """Give where a branch, a tag or a merge request is; `heads` has those beside the default
        branch."""
        return found.head if name == found.branch and found.files else found.heads.get(name)

    def _send(self, handler: http.server.BaseHTTPRequestHandler, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        headers = {"Content-Type": "application/json", **self.limits, **answer.headers}
        status = answer.status
        if self.etags and status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
            if handler.headers.get("If-None-Match") == headers["ETag"]:
                status, body = 304, b""
        self.statuses.append(status)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def clear(self) -> None:
        self.requests.clear()
        self.statuses.clear()


class FakeGitLab(FakeHost):
    prefix = "/api/v4"

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if match := re.fullmatch(r"/groups/([^/]+)/projects", path):
            group = unquote(match[1])
            listed = [item for item in self.repositories if item.path.startswith(f"{group}/")]
            return self.page([self.shape(item) for item in listed], path, query, "per_page")
        if path == "/projects":
            items = [self.shape(item) for item in self.repositories]
            return self.page(items, path, query, "per_page")
        match = re.fullmatch(r"/projects/([^/]+)/(?:repository/(.+)|merge_requests/(.+))", path)
        name = unquote(match[1]) if match else ""
        named = (item for item in self.repositories if name in (str(item.id), item.path))
        found = next(named, None)
        if match is None or found is None:
            return Answer({"message": "404 Project Not Found"}, 404)
        if match[3]:
            head = self.head(found, match[3])
            return Answer({"sha": head} if head else {}, 200 if head else 404)
        return self.repository(found, path, match[2], query)

    def take(self, method: str, path: str, content: dict[str, Any]) -> Answer:
        before = [said["state"] for _method, place, said in self.sent if place == path]
        if before and before[-1] == content["state"]:
            return Answer({"message": "Cannot transition status via :run from :running"}, 400)
        return super().take(method, path, content)

    def repository(self, found: Repository, path: str, rest: str, query: dict[str, str]) -> Answer:
        kind, _slash, name = rest.partition("/")
        if kind in ("branches", "tags") and (head := self.head(found, unquote(name))):
            return Answer({"name": unquote(name), "commit": {"id": head}})
        if kind == "tree":
            if query["ref"] != found.head:
                return Answer({"message": "404 Tree Not Found"}, 404)
            return self.page(found.entries("id"), path, query, "per_page")
        if kind == "files" and unquote(name) in found.files:
            return Answer(self.file(found, unquote(name)))
        if kind == "blobs" and (content := found.content(name)) is not None:
            return Answer({"size": len(content), "encoding": "base64", "sha": name,
                           "content": base64.b64encode(content).decode()})  # fmt: skip
        return Answer({"message": "404 File Not Found"}, 404)

    def file(self, found: Repository, name: str) -> dict[str, Any]:
        content = found.files[name]
        return {"file_name": name, "file_path": name, "size": len(content), "encoding": "base64",
                "content": base64.b64encode(content).decode(), "ref": found.head,
                "blob_id": found.blob(name), "commit_id": found.head}  # fmt: skip

    def shape(self, item: Repository) -> dict[str, Any]:
        return {
            "id": item.id, "path_with_namespace": item.path, "archived": item.archived,
            "default_branch": item.branch if item.files else None, "topics": item.topics,
            "tag_list": item.topics, "last_activity_at": item.pushed,
            "empty_repo": not item.files, "http_url_to_repo": "http://169.254.169.254/x.git",
            "web_url": "http://169.254.169.254/x", "visibility": "private",
            **({"forked_from_project": {"id": 1}} if item.fork else {}),
        }  # fmt: skip


class FakeGitHub(FakeHost):
    prefix = "/api/v3"
    moved_key = "pushed_at"
    page_key = "per_page"

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if match := re.fullmatch(r"/orgs/([^/]+)/repos", path):
            listed = [item for item in self.repositories
                      if item.path.lower().startswith(f"{match[1].lower()}/")]  # fmt: skip
            return self.page([self.shape(item) for item in listed], path, query, self.page_key)
        if path == "/user/repos":
            items = [self.shape(item) for item in self.repositories]
            return self.page(items, path, query, self.page_key)
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)/branches/(.+)", path):
            found = self.get(match[1])
            head = self.head(found, unquote(match[2])) if found else None
            if head:
                return Answer({"name": unquote(match[2]), "commit": {"id": head, "sha": head}})
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)/(commits|tags|pulls)/([^/]+)", path):
            found = self.get(match[1])
            head = self.head(found, unquote(match[3])) if found else None
            if head:
                return Answer({"sha": head, "commit": {"sha": head}, "head": {"sha": head}})
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)/contents/(.+)", path):
            found = self.get(match[1])
            if found and unquote(match[2]) in found.files:
                return Answer(self.content(found, unquote(match[2])))
            return self.no_content()
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)/git/(trees|blobs)/([^/]+)", path)
        found = self.get(match[1]) if match else None
        if match is None or found is None:
            return Answer({"message": "Not Found"}, 404)
        if match[2] == "trees":
            return self.tree(found, unquote(match[3]), query)
        content = found.content(match[3])
        if content is None:
            return Answer({"message": "Not Found"}, 404)
        return Answer({"sha": match[3], "size": len(content), "encoding": "base64",
                       "content": base64.encodebytes(content).decode()})  # fmt: skip

    def content(self, found: Repository, name: str) -> dict[str, Any]:
        content = found.files[name]
        encoded = base64.encodebytes(content).decode()
        return {"type": "file", "encoding": "base64", "size": len(content), "path": name,
                "content": encoded, "sha": found.blob(name)}  # fmt: skip

    def no_content(self) -> Answer:
        return Answer({"message": "Not Found"}, 404)

    def tree(self, found: Repository, reference: str, query: dict[str, str]) -> Answer:
        if not found.files:
            return Answer({"message": "Git Repository is empty."}, 409)
        if reference not in (found.branch, found.head):
            return Answer({"message": "Not Found"}, 404)
        entries = found.entries("sha")
        return Answer({"sha": found.head, "tree": entries, "truncated": found.truncated})

    def shape(self, item: Repository) -> dict[str, Any]:
        owner = item.path.partition("/")[0]
        return {
            "id": item.id, "full_name": item.path, "archived": item.archived, "fork": item.fork,
            "owner": {"login": owner}, "default_branch": item.branch, "topics": item.topics,
            self.moved_key: item.pushed, "clone_url": "http://169.254.169.254/x.git",
        }  # fmt: skip


class FakeGitea(FakeGitHub):
    prefix = "/api/v1"
    moved_key = "updated_at"
    page_key = "limit"
    etags = False
    tree_page = 1000

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/repos/search":
            items = [self.shape(item) for item in self.repositories]
            answer = self.page(items, path, query, "limit")
            return Answer({"ok": True, "data": answer.body}, headers=answer.headers)
        return super().answer(path, query)

    def tree(self, found: Repository, reference: str, query: dict[str, str]) -> Answer:
        if reference not in (found.branch, found.head) or not found.files:
            return Answer({"message": "not found"}, 404)
        entries = found.entries("sha")
        number = int(query.get("page", 1))
        part = entries[(number - 1) * self.tree_page : number * self.tree_page]
        return Answer({"sha": found.head, "tree": part, "page": number,
                       "total_count": len(entries),
                       "truncated": number * self.tree_page < len(entries)})  # fmt: skip

    def shape(self, item: Repository) -> dict[str, Any]:
        return {**super().shape(item), "empty": not item.files}


class FakeGitee(FakeGitHub):
    """It has check runs in place of statuses, and an empty list in place of a missing file."""

    prefix = "/api/v5"

    def __init__(self) -> None:
        super().__init__()
        self.checks: list[dict[str, Any]] = []

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        if match := re.fullmatch(r"/repos/[^/]+/[^/]+/commits/([0-9a-f]+)/check-runs", path):
            found = [one for one in self.checks if one["head_sha"] == match[1]]
            return Answer({"total_count": len(found), "check_runs": found})
        return super().answer(path, query)

    def take(self, method: str, path: str, content: dict[str, Any]) -> Answer:
        if method == "POST" and re.fullmatch(r"/repos/[^/]+/[^/]+/check-runs", path):
            self.checks.append({"id": len(self.checks) + 1, **content})
            return Answer(self.checks[-1], 201)
        if method == "PATCH" and (match := re.fullmatch(r"/repos/.+/check-runs/(\d+)", path)):
            self.checks[int(match[1]) - 1].update(content)
            return Answer(self.checks[int(match[1]) - 1])
        return Answer({"message": "404 Not Found"}, 404)

    def no_content(self) -> Answer:
        return Answer([])

    def page(self, items: list[Any], path: str, query: dict[str, str], size: str) -> Answer:
        number, length = int(query.get("page", 1)), int(query.get(size, 20))
        part = items[(number - 1) * length : number * length]
        return Answer(part, headers={"total_count": str(len(items))})

    def shape(self, item: Repository) -> dict[str, Any]:
        shape = super().shape(item)
        labels = [{"name": topic, "ident": topic} for topic in shape.pop("topics")]
        status = "关闭" if shape.pop("archived") else "开始"
        return {**shape, "status": status, "project_labels": labels}


HOSTS: dict[str, type[FakeHost]] = {
    "gitlab": FakeGitLab,
    "github": FakeGitHub,
    "gitea": FakeGitea,
    "gitee": FakeGitee,
}


@contextmanager
def serving(made: FakeHost) -> Iterator[FakeHost]:
    """Let a host answer on a free port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.handle(self)

        def do_POST(self) -> None:
            made.handle(self)

        def do_PATCH(self) -> None:
            made.handle(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.base = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
