"""The rules for `metadata`: Backstage catalog model, "Envelope and metadata"."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from callboard_catalog.descriptors.faults import Fault, Path, shown, type_name

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

NAME_RULE: Final = "expected 1 to 63 of A-Z a-z 0-9 - _ . that begin and end with a letter or digit"
_NAMESPACE_RULE: Final = "expected 1 to 63 of a-z 0-9 and single words joined by -"
_TAG_RULE: Final = "expected 1 to 63 of a-z 0-9 : + # in words joined by single -"
_KEY_RULE: Final = "expected [prefix/]name such as example.com/tier"


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
        message = f"metadata.name is missing; {NAME_RULE}"
        faults.append(Fault("missing-name", ("metadata",), message))
    return faults


def _check_name(value: Any) -> list[Fault]:
    if value is None:
        return []
    return _pattern(value, NAME, "name", NAME_RULE, suggest_name)


def _check_namespace(value: Any) -> list[Fault]:
    return _pattern(value, NAMESPACE, "namespace", _NAMESPACE_RULE, _suggest_words)


def _pattern(
    value: Any, pattern: re.Pattern[str], field: str, rule: str, suggest: Callable[[str], str]
) -> list[Fault]:
    if isinstance(value, str) and pattern.fullmatch(value):
        return []
    path: Path = ("metadata", field)
    if not isinstance(value, str):
        message = f"metadata.{field} is {type_name(value)}, not a string; {rule}"
    elif len(value) > _MAXIMUM_LENGTH:
        message = f"metadata.{field} has {len(value)} characters; at most {_MAXIMUM_LENGTH}"
    else:
        message = _with_nearest(f"metadata.{field} {shown(value)}: {rule}", suggest(value))
    return [Fault(f"bad-{field}", path, message)]


def _check_title(value: Any) -> list[Fault]:
    if isinstance(value, str) and value:
        return []
    message = f"metadata.title is {_empty_or(value)}; expected a text"
    return [Fault("bad-title", ("metadata", "title"), message)]


def _check_description(value: Any) -> list[Fault]:
    if isinstance(value, str):
        return []
    message = f"metadata.description is {type_name(value)}; expected a text"
    return [Fault("bad-description", ("metadata", "description"), message)]


def _check_labels(value: Any) -> list[Fault]:
    if not isinstance(value, dict):
        return [_wrong_type("labels", "an object of texts", value)]
    faults = _key_faults("labels", value)
    for key, text in value.items():
        if text == "" or (isinstance(text, str) and NAME.fullmatch(text)):
            continue
        if isinstance(text, str):
            message = _with_nearest(
                f"the label {shown(key)} is {shown(text)}; {NAME_RULE}, or empty",
                suggest_name(text),
            )
        else:
            message = f"the label {shown(key)} is {type_name(text)}; put quotes around its value"
        faults.append(Fault("bad-labels-value", ("metadata", "labels", key), message))
    return faults


def _check_annotations(value: Any) -> list[Fault]:
    if not isinstance(value, dict):
        return [_wrong_type("annotations", "an object of texts", value)]
    faults = _key_faults("annotations", value)
    for key, text in value.items():
        if not isinstance(text, str):
            what = f"the annotation {shown(key)} is {type_name(text)}"
            message = f"{what}; put quotes around its value"
            faults.append(Fault("bad-annotations-value", ("metadata", "annotations", key), message))
    return faults


def _key_faults(field: str, value: dict[str, Any]) -> list[Fault]:
    faults = []
    for key in value:
        if not is_key(key):
            message = f"the key {shown(key)} of metadata.{field}: {_KEY_RULE}"
            faults.append(Fault(f"bad-{field}-key", ("metadata", field, key), message))
    if len({key.lower() for key in value}) == len(value):
        return faults
    seen: dict[str, str] = {}
    for key in value:
        first = seen.setdefault(key.lower(), key)
        if first != key:
            message = f"the keys {shown(first)} and {shown(key)} differ only in case; keep one"
            faults.append(Fault(f"bad-{field}-key", ("metadata", field, key), message))
    return faults


def _check_tags(value: Any) -> list[Fault]:
    if not isinstance(value, list):
        return [_wrong_type("tags", "a list of texts", value)]
    faults = []
    for position, tag in enumerate(value):
        if isinstance(tag, str) and _TAG.fullmatch(tag):
            continue
        nearest = _suggest_words(tag, keep=":+#") if isinstance(tag, str) else ""
        message = _with_nearest(f"the tag {shown(tag)}: {_TAG_RULE}", nearest)
        faults.append(Fault("bad-tag", ("metadata", "tags", position), message))
    return faults


def _check_links(value: Any) -> list[Fault]:
    if not isinstance(value, list):
        return [_wrong_type("links", "a list of objects with url", value)]
    faults = []
    for position, link in enumerate(value):
        path: Path = ("metadata", "links", position)
        if not isinstance(link, dict):
            message = f"the link is {type_name(link)}; expected an object with url"
            faults.append(Fault("bad-link", path, message))
            continue
        if not is_absolute_url(link.get("url")):
            message = f"url is {_empty_or(link.get('url'))}; expected such as https://example.com"
            faults.append(Fault("bad-link", (*path, "url"), message))
        for field in ("title", "icon", "type"):
            text = link.get(field, "x")
            if not isinstance(text, str) or not text.strip():
                message = f"{field} of the link is {_empty_or(text)}; expected a text, or leave it"
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


def _with_nearest(message: str, nearest: str) -> str:
    return f"{message}; such as {nearest!r}" if nearest else message


def _empty_or(value: object) -> str:
    if value is None:
        return "missing"
    if isinstance(value, str):
        return shown(value) if value.strip() else "empty"
    return type_name(value)


def _wrong_type(field: str, expected: str, value: object) -> Fault:
    message = f"metadata.{field} is {type_name(value)}; expected {expected}"
    return Fault(f"bad-{field}", ("metadata", field), message)
