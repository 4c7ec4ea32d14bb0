"""The event `ci.build.finished`: a run of some CI system has built something.

Whoever runs pipelines publishes it, once for each run that succeeded, in the transaction that
notes the end of the run; who promotes, scans or counts what is built listens to it. No listener
needs to know the CI system. What is signed is often known later: `ci.build.signed` has the same
data with what is known of its provenance by then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host

KIND: Final = "ci.build.finished"
SIGNED: Final = "ci.build.signed"
MOST_IMAGES: Final = 100


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image as it was pushed: its address, which may have a tag, and its digest `sha256:…`."""

    address: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFinished:
    """What a run built, from what, and for whom.

    `run` is its address in the portal. `entities` are references as text; `results` are the run's
    texts by name. `provenance` says what of the build is signed, as the CI system tells it, such
    as `{"signed": "true"}`; it is empty where nothing is known. `imported` is history: the run had
    ended more than an hour before this was told, as at the first look at a CI system. Who counts
    takes it as it is; who acts on what is new leaves it alone.
    """

    run: str
    pipeline: str
    entities: Sequence[str] = ()
    repository: str = ""
    branch: str = ""
    commit: str = ""
    images: Sequence[BuiltImage] = ()
    results: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    finished_at: datetime | None = None
    imported: bool = False

    def to_data(self) -> dict[str, Any]:
        """Give it as the data of an event."""
        return {
            "run": self.run,
            "pipeline": self.pipeline,
            "entities": list(self.entities),
            "repository": self.repository,
            "branch": self.branch,
            "commit": self.commit,
            "images": [[item.address, item.digest] for item in self.images[:MOST_IMAGES]],
            "results": dict(self.results),
            "provenance": dict(self.provenance),
            "finished_at": self.finished_at.isoformat() if self.finished_at else "",
            "imported": self.imported,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of an event. Raises `KeyError` or `ValueError` for any other."""
        at = data["finished_at"]
        return cls(
            run=data["run"],
            pipeline=data["pipeline"],
            entities=tuple(data["entities"]),
            repository=data["repository"],
            branch=data["branch"],
            commit=data["commit"],
            images=tuple(BuiltImage(address, digest) for address, digest in data["images"]),
            results=data["results"],
            provenance=data["provenance"],
            finished_at=datetime.fromisoformat(at) if at else None,
            imported=data.get("imported", False),
        )


def publish(
    host: "Host", connection: "Connection", build: BuildFinished, *, signed: bool = False
) -> None:
    """Tell of a build, in the transaction that notes the end of its run, or what is `signed`."""
    kind = SIGNED if signed else KIND
    host.publish(connection, kind, build.run, build.to_data())
