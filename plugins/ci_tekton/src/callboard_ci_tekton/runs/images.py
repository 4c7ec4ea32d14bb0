"""What a run built: images by the type hints of Tekton Chains, and what Chains says of them.

Chains takes results `*IMAGE_URL` with `*IMAGE_DIGEST`, `IMAGES`, and objects with `uri` and
`digest` (Tekton Chains: "Type hinting").
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from callboard.builds import BuiltImage

_CHAINS: Final = "chains.tekton.dev/"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_URL: Final = re.compile(r"(.*)(?:IMAGE_URL|ARTIFACT_URI)", re.IGNORECASE)


def images_of(results: Iterable[Mapping[str, Any]]) -> list[BuiltImage]:
    """Give the images among results, each once; one without a digest is left out."""
    given = list(results)
    named = {item["name"]: item["value"] for item in given if isinstance(item["value"], str)}
    found: list[tuple[Any, Any]] = [*_pairs(named), *_listed(named.get("IMAGES", ""))]
    for item in given:
        value = item["value"]
        if isinstance(value, Mapping):
            found.append((value.get("uri"), value.get("digest")))
    return list(
        dict.fromkeys(
            BuiltImage(address.strip()[:500], digest.strip())
            for address, digest in found
            if isinstance(address, str)
            and isinstance(digest, str)
            and address.strip()
            and _DIGEST.fullmatch(digest.strip())
        )
    )


def _pairs(named: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for name, value in named.items():
        match = _URL.fullmatch(name)
        if match is None:
            continue
        for suffix in ("IMAGE_DIGEST", "ARTIFACT_DIGEST"):
            if digest := named.get(f"{match[1]}{suffix}"):
                yield value, digest


def _listed(images: str) -> Iterable[tuple[str, str]]:
    for item in re.split(r"[\s,]+", images):
        address, mark, digest = item.partition("@")
        if mark:
            yield address, digest


def provenance_of(annotations: Mapping[str, Any]) -> dict[str, str]:
    """Give what Chains noted on an object, by the names of its annotations without the prefix.

    Signatures and payloads themselves are left out. `signed` is `true`, or `failed`.
    """
    wanted = ("signed", "transparency")
    return {
        name: str(value)[:1000] for name in wanted if (value := annotations.get(f"{_CHAINS}{name}"))
    }
