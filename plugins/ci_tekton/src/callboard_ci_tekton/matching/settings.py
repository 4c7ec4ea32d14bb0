"""Which runs may say themselves to which entity they belong."""

from typing import Annotated

from pydantic import AfterValidator, Field

from callboard.settings.types import SettingsModel


def _place(given: str) -> str:
    parts = [part.strip() for part in given.split("/")]
    if len(parts) != 2 or not all(parts) or any("*" in part and part != "*" for part in parts):
        raise ValueError(
            f"{given!r} is not cluster/namespace; either may be * for all, such as build/shop-ci."
        )
    return "/".join(parts)


class MatchingSettings(SettingsModel):
    """How runs find their entities."""

    trusted: list[Annotated[str, AfterValidator(_place)]] = Field(
        default_factory=list,
        description="Namespaces (`cluster/namespace`, `*` for all) whose runs may name their "
        "entity by the annotation `callboard.io/tekton-entity`, whatever the entity says.",
    )
