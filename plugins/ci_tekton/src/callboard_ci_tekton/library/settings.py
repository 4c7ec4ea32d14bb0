"""Where the images of the library's tasks come from."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from callboard.settings.types import SettingsModel

REGISTRY: Final = "registry.internal/tools"
"""What the files say: a name that is nobody's (`.internal` is reserved for private use)."""

IMAGES: Final[Mapping[str, str]] = {
    "buildkit": "buildkit:v0.23.2-rootless",
    "curl": "curl:8.14.1",
    "git": "git:2.47.2",
    "go": "golang:1.24",
    "golangci-lint": "golangci-lint:v2.1.6",
    "helm": "helm:3.18.4",
    "java": "maven:3.9-eclipse-temurin-21",
    "node": "node:22",
    "python": "python:3.13-slim",
    "ruff": "ruff:0.12.0-alpine",
    "trivy": "trivy:0.65.0",
    "yq": "yq:4.45.4",
}
"""The images by their tools, as the files name them: the defaults of `<tool>-image`."""

_REGISTRY: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9._-]+)*")
_IMAGE: Final = re.compile(
    r"[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


def _registry(given: str) -> str:
    if not _REGISTRY.fullmatch(given):
        raise ValueError("a registry is a host, perhaps with a port and a path, without https://")
    return given


def _images(given: dict[str, str]) -> dict[str, str]:
    for tool, image in given.items():
        if tool not in IMAGES:
            raise ValueError(f"there is no tool {tool[:40]}; there are {', '.join(IMAGES)}")
        if not _IMAGE.fullmatch(image):
            raise ValueError(
                f"the image of {tool} is a name below the registry with a tag or a digest,"
                " such as git@sha256:…"
            )
    return given


class LibrarySettings(SettingsModel):
    """What the files of the library say by default, so that they fit a site."""

    registry: Annotated[str, AfterValidator(_registry)] = Field(
        default=REGISTRY,
        description="Registry and path below which the images of the library's steps are.",
    )
    images: Annotated[dict[str, str], AfterValidator(_images)] = Field(
        default_factory=dict,
        description="Images that are called otherwise there, by their tools; best with a digest.",
    )
