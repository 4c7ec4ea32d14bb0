"""The plugin's section of `callboard.yaml`: `plugins.settings.apis`."""

from typing import Annotated

from pydantic import Field, StringConstraints

from callboard.settings.types import SettingsModel

HostName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.\-]+(:[0-9]{1,5})?$")]


class ApisSettings(SettingsModel):
    """How definitions are kept, and which hosts requests may be sent to from their pages."""

    try_out: list[HostName] = Field(
        default=[],
        description=(
            "Hosts, such as api.example.com or api.example.com:8443, that people may send requests "
            "to from the page of an operation. Empty: no such form is shown. A host in a private "
            "network must be among http.allow_hosts as well."
        ),
    )
    keep_versions: int = Field(
        default=20, ge=2, le=200, description="Versions of each definition that are kept."
    )
