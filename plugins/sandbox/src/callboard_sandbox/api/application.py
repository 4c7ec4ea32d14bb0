"""What the API server answers: an ASGI application on a store."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from callboard_sandbox.api import discovery, logs, reading, writing
from callboard_sandbox.api.access import Access
from callboard_sandbox.api.answers import (
    TEXT,
    Answer,
    Receive,
    Scope,
    Send,
    add_headers,
    break_off,
    in_json,
    once,
    send_answer,
)
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.faults import Faults, Plan, plan_of
from callboard_sandbox.api.requests import MAXIMUM_BODY, Asked, Target, target_of
from callboard_sandbox.api.stamps import stamp
from callboard_sandbox.api.store import Store
from callboard_sandbox.api.watching import BOOKMARK_SECONDS, Watch, expired

Json = dict[str, Any]

log = logging.getLogger(__name__)

_ADMIN: Final = "/sandbox/faults"
_NO_PAGE: Final = (404, b"404 page not found\n", TEXT)


class Application:
    """Speaks the wire of the Kubernetes API for a store. An ASGI application."""

    def __init__(
        self,
        store: Store,
        access: Access,
        faults: Faults | None = None,
        *,
        bookmark_seconds: float = BOOKMARK_SECONDS,
    ) -> None:
        self.store: Final = store
        self.access: Final = access
        self.faults: Final = faults or Faults()
        self._bookmarks = bookmark_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        broken: Plan | None = None
        asked: Asked | None = None
        try:
            asked = await self._asked(scope, receive)
            broken = None if asked.path == _ADMIN else self._fault(asked)
            if broken is not None and broken.fault == "slow":
                await asyncio.sleep(broken.seconds)
                broken = None
            if broken is not None and broken.fault == "gone":
                answer, broken = Answer(200, once(expired(asked, self.store))), None
            else:
                answer = self._answer(asked, scope)
        except ApiError as error:
            answer = in_json(error.code, error.status(), error.headers)
        except Exception:
            log.exception("The sandbox failed at %s %s", scope["method"], scope["path"])
            failed = ApiError(500, "Internal error occurred", reason="InternalError")
            answer = in_json(500, failed.status())
        if broken is not None:
            await break_off(answer, broken, scope, send)
            return
        add_headers(answer, asked)
        await send_answer(answer, receive, send)

    async def _asked(self, scope: Scope, receive: Receive) -> Asked:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MAXIMUM_BODY:
                raise ApiError(413, "Request entity too large: limit is 3145728",
                               reason="RequestEntityTooLarge")  # fmt: skip
            if not message.get("more_body"):
                break
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        path = unquote(scope["path"])
        if path == _ADMIN:
            return Asked(scope["method"], path, query, headers, self.access.users["nobody"], body)
        return Asked(scope["method"], path, query, headers, self.access.who(headers), body)

    def _fault(self, asked: Asked) -> Plan | None:
        """Give the fault that befalls a request; raise it where it is a plain refusal."""
        target = target_of(self.store.kinds, asked.path)
        plan = self.faults.meet(asked.verb(target) if target else "get", asked.path)
        if plan is None:
            return None
        if plan.fault == "failed":
            raise ApiError(500, "etcdserver: request timed out", reason="")
        if plan.fault == "busy":
            seconds = max(1, round(plan.seconds))
            raise ApiError(
                429,
                "the server has received too many requests and has asked us to try again later",
                details={"retryAfterSeconds": seconds},
                headers={"Retry-After": str(seconds)},
            )
        if plan.fault == "gone":
            if target is not None and asked.verb(target) == "watch":
                return plan
            raise ApiError(410, "The resourceVersion for the provided list is too old.")
        return plan

    def _answer(self, asked: Asked, scope: Scope) -> Answer:
        if asked.path == _ADMIN:
            return self._plans(asked)
        target = target_of(self.store.kinds, asked.path)
        if target is None:
            self.access.require_address(asked)
            return self._address(asked, scope)
        return self._objects(target, asked)

    # Addresses beside those of objects

    def _address(self, asked: Asked, scope: Scope) -> Answer:
        if asked.method not in ("GET", "HEAD"):
            return Answer(*_NO_PAGE)
        accepted = asked.headers.get("accept", "").replace(" ", "").split(",")
        if asked.path in ("/api", "/apis") and discovery.AGGREGATED in accepted:
            return self._aggregated(asked)
        if asked.path in ("/livez", "/readyz", "/healthz"):
            return Answer(200, _health(asked), TEXT)
        server = ":".join(map(str, scope.get("server") or ()))
        if asked.path == "/.well-known/openid-configuration":
            headers = {"Cache-Control": "public, max-age=3600"}
            return in_json(200, discovery.openid(server), headers)
        body = self._described(asked.path.strip("/").split("/"), server)
        return in_json(200, body) if body else Answer(*_NO_PAGE)

    def _described(self, parts: Sequence[str], server: str) -> Json | None:
        """Give what is said of the whole, a group or a version, None where there is none."""
        kinds = self.store.kinds
        match parts:
            case [""]:
                return discovery.paths(kinds)
            case ["version"]:
                return dict(discovery.VERSION)
            case ["api"]:
                return discovery.versions(server)
            case ["apis"]:
                return discovery.groups(kinds)
            case ["api", version]:
                return discovery.resources(kinds, "", version)
            case ["apis", group]:
                return discovery.group(kinds, group)
            case ["apis", group, version]:
                return discovery.resources(kinds, group, version)
        return None

    def _aggregated(self, asked: Asked) -> Answer:
        body, tag = discovery.aggregated(self.store.kinds, core=asked.path == "/api")
        headers = {"Cache-Control": "public", "ETag": tag, "Vary": "Accept"}
        if asked.headers.get("if-none-match") == tag:
            return Answer(304, b"", "", headers)
        return Answer(200, body, discovery.AGGREGATED, headers)

    # Objects

    def _objects(self, target: Target, asked: Asked) -> Answer:
        _is_allowed_method(target, asked)
        self.access.require(asked, target)
        if target.kind.reviewed:
            answer = self.access.review(target.kind.kind, asked, stamp(self.store.clock()))
            return in_json(201, answer)
        if target.subresource == "log":
            return self._log(target, asked)
        store = self.store
        if target.subresource == "scale":
            return in_json(200, writing.scale(store, target, asked))
        if target.subresource == "eviction":
            return in_json(201, writing.evict(store, target, asked))
        match asked.method:
            case "GET" if asked.is_on("watch"):
                watch = Watch(store, target, asked, bookmarks=self._bookmarks)
                return Answer(200, self._followed(watch.events))
            case "GET" if target.name:
                return in_json(200, reading.read_one(store, target, asked))
            case "GET":
                return in_json(200, reading.read_list(store, target, asked))
            case "POST":
                return in_json(201, writing.create(store, target, asked))
            case "PUT":
                return in_json(200, writing.replace(store, target, asked))
            case "PATCH":
                body, is_new = writing.patch(store, target, asked)
                return in_json(201 if is_new else 200, body)
            case _:
                return in_json(200, self._deleted(target, asked))

    def _deleted(self, target: Target, asked: Asked) -> Json:
        if target.name:
            return writing.delete(self.store, target, asked)
        listed = reading.read_list(self.store, target, asked)
        for item in listed["items"]:
            metadata = item["metadata"]
            one = Target(
                target.kind, target.version, metadata.get("namespace", ""), metadata["name"]
            )
            writing.delete(self.store, one, asked)
        return listed

    def _log(self, target: Target, asked: Asked) -> Answer:
        found = logs.log(self.store, target, asked)
        if found is None:
            return Answer(204, b"", "")
        return Answer(200, self._followed(found.pieces), "text/plain")

    async def _followed(
        self, stream: Callable[[asyncio.Event], AsyncGenerator[bytes]]
    ) -> AsyncGenerator[bytes]:
        """Give a stream that is woken by each write."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            # The server may have ended since the write began.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(woken.set)

        leave = self.store.subscribe(wake)
        try:
            async for piece in stream(woken):
                yield piece
        finally:
            leave()

    # Faults

    def _plans(self, asked: Asked) -> Answer:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        known = self.access.admin
        if not known or token != known:
            raise ApiError(401, "Unauthorized")
        if asked.method == "PUT":
            try:
                self.faults.plan(plan_of(asked.document()))
            except ValueError as error:
                raise ApiError(400, str(error)) from error
        elif asked.method == "DELETE":
            self.faults.end()
        return in_json(200, self.faults.listed())


def _is_allowed_method(target: Target, asked: Asked) -> None:
    """Raise `ApiError` 405 for a method that is none of the resource's."""
    if target.subresource == "log":
        allowed: tuple[str, ...] = ("GET",)
    elif target.subresource == "eviction" or target.kind.reviewed:
        allowed = ("POST",)
    elif target.subresource in ("status", "scale"):
        allowed = ("GET", "PUT", "PATCH")
    elif target.subresource:
        raise ApiError(404, "the server could not find the requested resource", details={})
    elif target.name:
        allowed = ("GET", "PUT", "PATCH", "DELETE")
    elif target.namespace or not target.kind.namespaced:
        allowed = ("GET", "POST", "DELETE")
    else:
        allowed = ("GET",)
    if asked.method not in allowed:
        said = "the server does not allow this method on the requested resource"
        raise ApiError(405, said, details={})


def _health(asked: Asked) -> bytes:
    if "verbose" not in asked.query:
        return b"ok"
    checks = "".join(f"[+]{each} ok\n" for each in ("ping", "log", "storage-readiness"))
    return f"{checks}{asked.path.strip('/')} check passed\n".encode()
