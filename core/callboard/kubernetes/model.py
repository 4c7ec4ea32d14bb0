"""Values of the Kubernetes API that plugins and the core exchange."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

Verb = Literal["get", "list", "watch", "create", "patch", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects as the API serves it; `name` is the plural in its paths.

    The core group is the empty string.
    """

    group: str
    version: str
    name: str
    kind: str
    namespaced: bool = True

    @property
    def key(self) -> str:
        """What it is known by, whatever the version: `pipelineruns.tekton.dev`, `pods`."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def api_version(self) -> str:
        """What objects carry as `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Give the path of all its objects, of those in a namespace, or of one of them."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.name)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Written:
    """An object as it is after a write, and what the server warned of, word for word."""

    object: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `next` is what asks for the next one, empty on the last."""

    items: tuple[Mapping[str, Any], ...]
    resource_version: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch. Of a bookmark the object has a resource version and little else."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Mapping[str, Any]

    @property
    def resource_version(self) -> str:
        """The version to go on from after this event."""
        metadata = self.object.get("metadata")
        found = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
        return found if isinstance(found, str) else ""
