"""The plugin's section of `callboard.yaml`: `plugins.settings.sandbox`."""

from pathlib import Path

from pydantic import Field

from callboard.settings.types import SettingsModel


class SandboxSettings(SettingsModel):
    """Whether there is a sandbox cluster, and how it behaves."""

    serve: bool = Field(
        default=False,
        description="Serve a sandbox cluster on loopback. Without it the plugin does nothing.",
    )
    port: int = Field(
        default=6480,
        ge=0,
        le=65535,
        description="The port on 127.0.0.1; 0 takes a free one. The kubeconfig names it.",
    )
    folder: Path | None = Field(
        default=None,
        description="Where its state, tokens and kubeconfig are kept; `var/plugins/sandbox`.",
    )
    speed: float = Field(
        default=1.0,
        gt=0,
        le=1000,
        description="How fast pipelines run: 10 does in a second what takes ten.",
    )
    plan: Path | None = Field(
        default=None,
        description="A JSON file with rules of what steps do: how long they take, how they end.",
    )
    seed: int = Field(
        default=0, description="What is drawn by chance; the same number draws the same."
    )
    keep_runs: int | None = Field(
        default=None,
        ge=0,
        description="How many ended runs of each pipeline stay; the others are deleted.",
    )
    history: int = Field(
        default=10_000,
        ge=100,
        description="How many changes are kept for watches that come back.",
    )
