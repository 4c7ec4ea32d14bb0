"""Names and identifiers that the controllers give; the same input gives the same name."""

import hashlib
from typing import Final

# Kubernetes keeps a label within 63 characters, and names of children become labels.
_LONGEST: Final = 63
_DIGEST: Final = 32
_HEAD: Final = _LONGEST - _DIGEST


def child_name(parent: str, suffix: str) -> str:
    """Give `<parent><suffix>`, shortened with an MD5 sum as Knative's `kmeta.ChildName` does."""
    if len(parent) <= _LONGEST - len(suffix):
        return parent + suffix
    if _HEAD - len(suffix) <= 0:
        name = parent[:_HEAD] + _md5(parent + suffix)
        return (name + suffix[: max(0, _LONGEST - len(name))]).rstrip("-.")
    return parent[: _HEAD - len(suffix)] + _md5(parent) + suffix


def digest(*parts: object, length: int = 64) -> str:
    """Give hexadecimal digits drawn from the parts, at most 64."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def fraction(*parts: object) -> float:
    """Give a number from 0 up to 1 drawn from the parts."""
    return int(digest(*parts, length=12), 16) / 16**12


def image_id(image: str) -> str:
    """Give `<repository>@sha256:…` for an image with a tag or a digest."""
    if "@" in image:
        return image
    head, separator, tail = image.rpartition(":")
    repository = head if separator and "/" not in tail else image
    return f"{repository}@sha256:{digest(image)}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
