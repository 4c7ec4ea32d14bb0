"""The rules for `metadata`: Backstage catalog model, "Envelope and metadata"."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.faults import (
    Fault,
    Path,
    is_but_expected,
    shown,
    type_name,
)

_ = Translator("callboard")

NAME: Final = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]")
NAMESPACE: Final = re.compile(r"(?=.{1,63}\Z)[a-z0-9]+(?:-+[a-z0-9]+)*")
KIND: Final = re.compile(r"[a-zA-Z][a-z0-9A-Z]{0,62}")
API_VERSION: Final = re.compile(r"[a-z0-9A-Z]{1,63}")
_TAG: Final = re.compile(r"(?=.{1,63}\Z)[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*")
_URL: Final = re.compile(r"([A-Za-z][-A-Za-z0-9+.]*):(.*)", re.DOTALL)
_SCHEMES_WITH_HOST: Final = frozenset({"http", "https", "ftp", "ws", "wss"})
_BAD_HOST: Final = re.compile(r"[\x00-\x20<>^|%]")
_MAXIMUM_LENGTH: Final = 63
_MAXIMUM_PREFIX: Final = 253

NAME_RULE: Final = _(
    "expected 1 to 63 of A-Z a-z 0-9 - _ . that begin and end with a letter or digit"
)
_NAMESPACE_RULE: Final = _("expected 1 to 63 of a-z 0-9 and single words joined by -")
_TAG_RULE: Final = _("expected 1 to 63 of a-z 0-9 : + # in words joined by single -")


@lru_cache(maxsize=8192)
def is_key(key: str) -> bool:
    """Tell whether this may be the key of a label or an annotation."""
    prefix, slash, name = key.rpartition("/")
    return NAME.fullmatch(name) is not None and (not slash or is_subdomain(prefix))


def is_subdomain(text: str) -> bool:
    """Tell whether this is a DNS subdomain of at most 253 characters in lower case."""
    return len(text) <= _MAXIMUM_PREFIX and all(map(NAMESPACE.fullmatch, text.split(".")))


def metadata_faults(metadata: dict[str, Any]) -> list[Fault]:
    """Give every fault of `metadata`."""
    faults: list[Fault] = []
    for field, check in _CHECKS.items():
        if field in metadata:
            value = metadata[field]
            found = check(value)
            if found:
                faults.extend(found)
    if metadata.get("name") is None:
        message = _("metadata.name is missing; %(rule)s", rule=NAME_RULE)
        faults.append(Fault("missing-name", ("metadata",), message))
    return faults


def _check_name(value: Any) -> list[Fault]:
    if value is None:
        return []
    return _pattern(value, NAME, "name", NAME_RULE, suggest_name)


def _check_namespace(value: Any) -> list[Fault]:
    return _pattern(value, NAMESPACE, "namespace", _NAMESPACE_RULE, _suggest_words)


def _pattern(
    value: Any, pattern: re.Pattern[str], field: str, rule: Text, suggest: Callable[[str], str]
) -> list[Fault]:
    if isinstance(value, str) and pattern.fullmatch(value):
        return []
    place = f"metadata.{field}"
    message: Text
    if not isinstance(value, str):
        message = _(
            "%(path)s is %(type)s, not a string; %(rule)s",
            path=place,
            type=type_name(value),
            rule=rule,
        )
    elif len(value) > _MAXIMUM_LENGTH:
        message = _(
            "%(path)s has %(number)s characters; at most %(limit)s",
            path=place,
            number=len(value),
            limit=_MAXIMUM_LENGTH,
        )
    else:
        message = _("%(path)s %(value)s: %(rule)s", path=place, value=shown(value), rule=rule)
        message = _with_nearest(message, suggest(value))
    return [Fault(f"bad-{field}", ("metadata", field), message)]


def _check_title(value: Any) -> list[Fault]:
    if isinstance(value, str) and value:
        return []
    message = is_but_expected("metadata.title", _empty_or(value), _("a text"))
    return [Fault("bad-title", ("metadata", "title"), message)]


def _check_description(value: Any) -> list[Fault]:
    if isinstance(value, str):
        return []
    message = is_but_expected("metadata.description", type_name(value), _("a text"))
    return [Fault("bad-description", ("metadata", "description"), message)]


def _check_labels(value: Any) -> list[Fault]:
    if not isinstance(value, dict):
        return [_wrong_type("labels", _("an object of texts"), value)]
    faults = _key_faults("labels", value)
    for key, text in value.items():
        if text == "" or (isinstance(text, str) and NAME.fullmatch(text)):
            continue
        if isinstance(text, str):
            wrong = _(
                "the label %(key)s is %(value)s; %(rule)s, or empty",
                key=shown(key),
                value=shown(text),
                rule=NAME_RULE,
            )
            message = _with_nearest(wrong, suggest_name(text))
        else:
            message = _(
                "the label %(key)s is %(type)s; put quotes around its value",
                key=shown(key),
                type=type_name(text),
            )
        faults.append(Fault("bad-labels-value", ("metadata", "labels", key), message))
    return faults


def _check_annotations(value: Any) -> list[Fault]:
    if not isinstance(value, dict):
        return [_wrong_type("annotations", _("an object of texts"), value)]
    faults = _key_faults("annotations", value)
    for key, text in value.items():
        if not isinstance(text, str):
            message = _(
                "the annotation %(key)s is %(type)s; put quotes around its value",
                key=shown(key),
                type=type_name(text),
            )
            faults.append(Fault("bad-annotations-value", ("metadata", "annotations", key), message))
    return faults


def _key_faults(field: str, value: dict[str, Any]) -> list[Fault]:
    faults = []
    for key in value:
        if not is_key(key):
            message = _(
                "the key %(key)s of %(path)s: expected [prefix/]name such as example.com/tier",
                key=shown(key),
                path=f"metadata.{field}",
            )
            faults.append(Fault(f"bad-{field}-key", ("metadata", field, key), message))
    if len({key.lower() for key in value}) == len(value):
        return faults
    seen: dict[str, str] = {}
    for key in value:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            message = _(
                "the keys %(first)s and %(second)s differ only in case; keep one",
                first=shown(first),
                second=shown(key),
            )
            faults.append(Fault(f"bad-{field}-key", ("metadata", field, key), message))
    return faults


def _check_tags(value: Any) -> list[Fault]:
    if not isinstance(value, list):
        return [_wrong_type("tags", _("a list of texts"), value)]
    faults = []
    for position, tag in enumerate(value):
        if isinstance(tag, str) and _TAG.fullmatch(tag):
            continue
        nearest = _suggest_words(tag, keep=":+#") if isinstance(tag, str) else ""
        wrong = _("the tag %(tag)s: %(rule)s", tag=shown(tag), rule=_TAG_RULE)
        message = _with_nearest(wrong, nearest)
        faults.append(Fault("bad-tag", ("metadata", "tags", position), message))
    return faults


def _check_links(value: Any) -> list[Fault]:
    if not isinstance(value, list):
        return [_wrong_type("links", _("a list of objects with url"), value)]
    faults = []
    for position, link in enumerate(value):
        path: Path = ("metadata", "links", position)
        if not isinstance(link, dict):
            message = _("the link is %(type)s; expected an object with url", type=type_name(link))
            faults.append(Fault("bad-link", path, message))
            continue
        if not is_absolute_url(link.get("url")):
            message = _(
                "url is %(value)s; expected such as https://example.com",
                value=_empty_or(link.get("url")),
            )
            faults.append(Fault("bad-link", (*path, "url"), message))
        for field in ("title", "icon", "type"):
            text = link.get(field, "x")
            if not isinstance(text, str) or not text.strip():
                message = _(
                    "%(field)s of the link is %(value)s; expected a text, or leave it",
                    field=field,
                    value=_empty_or(text),
                )
                faults.append(Fault("bad-link", (*path, field), message))
    return faults


def is_absolute_url(value: object) -> bool:
    """Tell whether a browser takes this as an absolute URL (WHATWG URL standard, roughly)."""
    if not isinstance(value, str):
        return False
    match = _URL.fullmatch(value.strip())
    if match is None:
        return False
    scheme, rest = match[1].lower(), match[2]
    if scheme not in _SCHEMES_WITH_HOST:
        return bool(rest)
    host = re.split(r"[/\\?#]", rest.lstrip("/\\"), maxsplit=1)[0].rpartition("@")[2]
    return bool(host) and _BAD_HOST.search(host) is None


_CHECKS: Final[dict[str, Callable[[Any], list[Fault]]]] = {
    "name": _check_name,
    "namespace": _check_namespace,
    "title": _check_title,
    "description": _check_description,
    "labels": _check_labels,
    "annotations": _check_annotations,
    "tags": _check_tags,
    "links": _check_links,
}


def suggest_name(text: str) -> str:
    """Give a valid name most like this text, or an empty text."""
    found = re.sub(r"[^-A-Za-z0-9_.]+", "-", text).strip("-_.")[:_MAXIMUM_LENGTH].rstrip("-_.")
    return found if "{" not in text else ""


def _suggest_words(text: str, keep: str = "") -> str:
    found = re.sub(rf"[^a-z0-9{keep}]+", "-", text.lower()).strip("-")[:_MAXIMUM_LENGTH]
    return found.rstrip("-") if "{" not in text else ""


def _with_nearest(problem: Text, nearest: str) -> Text:
    if not nearest:
        return problem
    return _("%(problem)s; such as %(example)s", problem=problem, example=repr(nearest))


def _empty_or(value: object) -> Text:
    if value is None:
        return _.context("value", "missing")
    if isinstance(value, str):
        return shown(value) if value.strip() else _.context("value", "empty")
    return type_name(value)


def _wrong_type(field: str, expected: Text, value: object) -> Fault:
    message = is_but_expected(f"metadata.{field}", type_name(value), expected)
    return Fault(f"bad-{field}", ("metadata", field), message)
