"""Watches: what changes from a version on, one JSON object a line."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import orjson

from callboard_sandbox.api import forms
from callboard_sandbox.api.conversion import shown, store_key
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.reading import too_large, version_asked
from callboard_sandbox.api.requests import Asked, Target
from callboard_sandbox.api.selectors import selector
from callboard_sandbox.api.store import Change, Store

Json = dict[str, Any]

BOOKMARK_SECONDS: Final = 60.0
LAST_SECONDS: Final = 2.0
"""How long before its end a stream tells once more how far it has come."""
_LONGEST: Final = (1800.0, 3600.0)


class Watch:
    """One watch. Making it checks what is asked for and raises `ApiError`."""

    def __init__(self, store: Store, target: Target, asked: Asked, *, bookmarks: float) -> None:
        self._store = store
        self._target = target
        self._key = store_key(target.kind)
        self._form = forms.form(asked.headers.get("accept", ""))
        fields = asked.query.get("fieldSelector", "")
        if target.name:
            fields = f"{fields},metadata.name={target.name}".lstrip(",")
        self._test = selector(target.kind, asked.query.get("labelSelector", ""), fields)
        self._bookmarked = asked.is_on("allowWatchBookmarks")
        self._every = bookmarks
        self._streamed = asked.is_on("sendInitialEvents")
        version = version_asked(asked)
        if version is not None and version > store.version:
            raise too_large(version, store.version)
        self._begins = version is None or self._streamed
        self._version = version or 0
        seconds = asked.query.get("timeoutSeconds", "")
        self._seconds = float(seconds) if seconds.isdigit() else 0.0
        # A stream without an end of its own ends after half an hour to one.
        self._seconds = self._seconds or random.uniform(*_LONGEST)  # noqa: S311

    async def events(self, woken: asyncio.Event) -> AsyncGenerator[bytes]:
        """Yield lines until the time is over; `woken` is set by each write."""
        end = time.monotonic() + self._seconds
        bookmark = self._next_bookmark(time.monotonic(), end)
        if self._begins:
            for line in self._initial():
                yield line
        while True:
            woken.clear()
            try:
                lines = list(self._changes())
            except ApiError as error:
                yield _line("ERROR", error.status())
                return
            for line in lines:
                yield line
            now = time.monotonic()
            if now >= bookmark and self._bookmarked:
                yield self._bookmark()
                bookmark = self._next_bookmark(now, end)
            if now >= end:
                return
            if not lines:
                await _wait(woken, min(end, bookmark if self._bookmarked else end) - now)

    def _next_bookmark(self, now: float, end: float) -> float:
        last = end - LAST_SECONDS
        return min(now + self._every, last) if now < last else end

    def _initial(self) -> Iterator[bytes]:
        version = self._store.version
        for body in self._store.scan(self._key, self._target.namespace, version=version):
            if self._test is None or self._test(body):
                yield self._event("ADDED", body)
        self._version = version
        if self._streamed and self._bookmarked:
            yield self._bookmark({"k8s.io/initial-events-end": "true"})

    def _changes(self) -> Iterator[bytes]:
        """Yield what is new. Raises `ApiError` 410 when it is forgotten already."""
        # What happened elsewhere needs no look, and counts as seen.
        seen = self._store.version
        while changes := self._store.changes(self._version, resources=[self._key]):
            for change in changes:
                self._version = change.version
                type_ = self._type(change)
                if type_:
                    yield self._event(type_, change.object)
        self._version = max(self._version, seen)

    def _type(self, change: Change) -> str:
        """Say what a change is to this watch: what leaves the selection is deleted for it."""
        namespace = change.object["metadata"].get("namespace", "")
        if self._target.namespace and namespace != self._target.namespace:
            return ""
        if self._test is None:
            return change.type
        is_in = change.type != "DELETED" and self._test(change.object)
        was_in = change.previous is not None and self._test(change.previous)
        if is_in:
            return "MODIFIED" if was_in else "ADDED"
        return "DELETED" if was_in else ""

    def _event(self, type_: str, body: Json) -> bytes:
        kind, version = self._target.kind, self._target.version
        body = shown(kind, version, body)
        return _line(type_, forms.single(self._form, kind, version, body, self._store.clock()))

    def _bookmark(self, annotations: Json | None = None) -> bytes:
        kind = self._target.kind
        metadata: Json = {"resourceVersion": str(self._version)}
        if annotations:
            metadata["annotations"] = annotations
        version = kind.api_version(self._target.version)
        return _line("BOOKMARK", {"kind": kind.kind, "apiVersion": version, "metadata": metadata})


def expired(asked: Asked, store: Store) -> bytes:
    """Give the line that says that the version a watch asks for is forgotten."""
    version = asked.query.get("resourceVersion") or "0"
    error = ApiError(410, f"too old resource version: {version} ({store.version})")
    return _line("ERROR", error.status())


def _line(type_: str, body: Json) -> bytes:
    return orjson.dumps({"type": type_, "object": body}, option=orjson.OPT_APPEND_NEWLINE)


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await woken.wait()
    except TimeoutError:
        pass
