"""Get and list, with pages and versions."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callboard_sandbox.api import forms
from callboard_sandbox.api.conversion import shown, store_key
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.requests import Asked, Target
from callboard_sandbox.api.selectors import Test, selector
from callboard_sandbox.api.store import Store

Json = dict[str, Any]

_TOO_OLD: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can start"
    " a new list without the continue parameter, or use the continue token in this response to"
    " retrieve the remainder of the results. Continuing with the provided token results in an"
    " inconsistent list - objects that were created, modified, or deleted between the time the"
    " first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the version of the list, -1 for that of now, and the last object."""

    version: int
    after: tuple[str, str]

    def token(self) -> str:
        """Write it as what clients hand back; it is opaque to them."""
        namespace, name = self.after
        place = {"v": "meta.k8s.io/v1", "rv": self.version, "start": f"{namespace}/{name}\0"}
        return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(token: str) -> Place:
    """Read a token. Raises `ApiError` 400 for one that the server did not give."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if found["v"] != "meta.k8s.io/v1":
            raise ValueError(found["v"])
        namespace, _, name = found["start"].removesuffix("\0").rpartition("/")
        return Place(int(found["rv"]), (namespace, name))
    except (ValueError, KeyError, TypeError) as error:
        raise ApiError(
            400, f"invalid continue token: continue key is not valid: {error}"
        ) from error


def read_one(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a get."""
    form = forms.form(asked.headers.get("accept", ""))
    body = store.get(store_key(target.kind), target.namespace, target.name)
    body = shown(target.kind, target.version, body)
    return forms.single(form, target.kind, target.version, body, store.clock())


def read_list(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a list, or a page of it."""
    form = forms.form(asked.headers.get("accept", ""))
    test = selector(
        target.kind, asked.query.get("labelSelector", ""), asked.query.get("fieldSelector", "")
    )
    limit = _number(asked, "limit")
    token = asked.query.get("continue", "")
    if token and asked.query.get("resourceVersion", "") not in ("", "0"):
        raise ApiError(400, "specifying resource version is not allowed when using continue")
    place = _checked(store, place_of(token)) if token else Place(_version(store, asked), ("", ""))
    # The version of the answer is that of before it is read: a watch from it misses nothing.
    version = store.version if place.version < 0 else place.version
    items: list[Json] = []
    more = False
    for body in _selected(store, target, place, test):
        if limit and len(items) == limit:
            more = True
            break
        items.append(body)
    metadata: Json = {"resourceVersion": str(version)}
    if more:
        last = items[-1]["metadata"]
        after = (last.get("namespace", ""), last["name"])
        metadata["continue"] = Place(place.version, after).token()
        if test is None:
            key = store_key(target.kind)
            metadata["remainingItemCount"] = store.count(key, target.namespace, after)
    found = [shown(target.kind, target.version, body) for body in items]
    return forms.listed(form, target.kind, target.version, found, metadata, store.clock())


def _selected(store: Store, target: Target, place: Place, test: Test | None) -> Iterator[Json]:
    for body in store.scan(
        store_key(target.kind),
        target.namespace,
        after=place.after,
        version=None if place.version < 0 else place.version,
    ):
        if test is None or test(body):
            yield body


def _checked(store: Store, place: Place) -> Place:
    if 0 <= place.version < store.compacted:
        fresh = Place(-1, place.after).token()
        raise ApiError(410, _TOO_OLD, metadata={"continue": fresh})
    return place


def _version(store: Store, asked: Asked) -> int:
    """Give the version to list: of now, unless exactly one of the past is asked for."""
    version = version_asked(asked)
    current = store.version
    if version is None:
        return current
    if version > current:
        raise too_large(version, current)
    if asked.query.get("resourceVersionMatch") != "Exact":
        return current
    if version < store.compacted:
        raise ApiError(410, "The resourceVersion for the provided list is too old.")
    return version


def version_asked(asked: Asked) -> int | None:
    """Read the version asked for, None where any will do. Raises `ApiError` 500, as the API."""
    text = asked.query.get("resourceVersion", "")
    if text in ("", "0"):
        return None
    if not text.isascii() or not text.isdigit():
        raise ApiError(
            500,
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}":'
            " invalid syntax",
            reason="",
        )
    return int(text)


def too_large(version: int, current: int) -> ApiError:
    """The version asked for is still to come."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(
        504,
        f"Timeout: Too large resource version: {version}, current: {current}",
        details={"causes": [cause], "retryAfterSeconds": 1},
        headers={"Retry-After": "1"},
    )


def _number(asked: Asked, option: str) -> int:
    text = asked.query.get(option, "")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)
