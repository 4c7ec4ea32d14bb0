"""The settings of clusters."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from callboard.settings.models import ProxyUrl
from callboard.settings.types import SettingsModel, matching

ClusterName = Annotated[
    str, matching(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a name such as build-2")
]
Namespace = Annotated[
    str, matching(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a namespace such as shop")
]


class ClusterSettings(SettingsModel):
    """One cluster: `kubeconfig`, or `in_cluster`, or `server` say how it is reached."""

    name: ClusterName = Field(description="Its name in this portal; it stays when it moves.")
    title: str = Field(default="", max_length=100, description="What people call it.")
    kubeconfig: Path | None = Field(default=None, description="A kubeconfig file.")
    context: str = Field(
        default="", description="The context of the kubeconfig; without it the current one."
    )
    in_cluster: bool = Field(
        default=False, description="The cluster this portal runs in, by its own service account."
    )
    server: str = Field(
        default="", description="The address of the API server, such as `https://10.0.0.1:6443`."
    )
    token: SecretStr | None = Field(default=None, description="A bearer token, as a reference.")
    token_file: Path | None = Field(
        default=None, description="A file with the bearer token; it is read again every minute."
    )
    ca_file: Path | None = Field(
        default=None, description="PEM file of the authority of the API server."
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="URL of the proxy to it; without it that of the kubeconfig, or of the "
        "environment (`HTTPS_PROXY`, `NO_PROXY`).",
    )
    namespaces: list[Namespace] = Field(
        default=[],
        max_length=200,
        description="Namespaces to look at, each by requests of its own; without it all at once.",
    )
    connections: int = Field(
        default=16, ge=1, le=256, description="Connections kept open for the next request."
    )

    @model_validator(mode="after")
    def _is_reached_in_one_way(self) -> Self:
        ways = [self.kubeconfig is not None, self.in_cluster, bool(self.server)]
        if sum(ways) != 1:
            raise ValueError("give one of kubeconfig, in_cluster and server")
        if self.context and self.kubeconfig is None:
            raise ValueError("context belongs to kubeconfig")
        own = (self.token, self.token_file, self.ca_file)
        if not self.server and any(given is not None for given in own):
            raise ValueError("token, token_file and ca_file belong to server")
        if self.token is not None and self.token_file is not None:
            raise ValueError("give token or token_file, not both")
        if self.server and not self.server.startswith(("https://", "http://127.0.0.1")):
            raise ValueError("server must begin with https://")
        return self


class KubernetesSettings(SettingsModel):
    """Clusters that plugins look at and act in. Without any, nothing is watched."""

    clusters: list[ClusterSettings] = Field(
        default=[], max_length=200, description="The clusters, each with a name of its own."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [cluster.name for cluster in self.clusters]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"the name {name} is used twice")
        return self
