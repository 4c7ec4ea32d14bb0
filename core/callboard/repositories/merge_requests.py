"""The event `repository.merge_request`: something became of a merge request, as its host says.

GitHub, Gitea and Gitee call it a pull request. It says where to look, as `repository.pushed` does.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from callboard.repositories.pushed import LONGEST, MOST_ADDRESSES, are_texts, comparable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host

KIND: Final = "repository.merge_request"

Action = Literal["opened", "updated", "edited", "merged", "closed", "other"]

_TEXTS: Final = ("source", "target", "commit", "title", "actor", "link")


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """What became of a merge request.

    `addresses` are those of the repository it is to be merged into. `action` is `opened` (or
    opened again), `updated` (it has other commits), `edited` (its words or labels changed),
    `merged`, `closed` or `other`. `number` is what people call it by; `source` and `target` are
    branches, `commit` the newest of the source. `fork` says whether the source is of another
    repository. `actor` is the name on the host of who did it. `delivery` is as in `Pushed`.
    """

    addresses: tuple[str, ...]
    action: Action
    number: int
    source: str
    target: str
    commit: str = ""
    fork: bool = False
    title: str = ""
    actor: str = ""
    link: str = ""
    delivery: int = 0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of an event; raises `ValueError` where it is none of this kind."""
        addresses, action = data.get("addresses"), data.get("action", "")
        texts = {name: data.get(name, "") for name in _TEXTS}
        number, delivery, fork = data.get("number"), data.get("delivery", 0), data.get("fork")
        if (
            not are_texts(addresses)
            or action not in get_args(Action)
            or not are_texts(list(texts.values()))
            or not isinstance(number, int)
            or not isinstance(delivery, int)
            or not isinstance(fork, bool)
        ):
            raise ValueError(f"This is no event {KIND}: {str(data)[:200]}")
        return cls(
            addresses=tuple(addresses or ()), action=action, number=number, fork=fork,
            delivery=delivery, **texts,
        )  # fmt: skip


def publish(host: "Host", connection: "Connection", told: MergeRequest) -> None:
    """Tell of a merge request, in the transaction of the plugin's own work."""
    given = asdict(told)
    data = {name: value[:LONGEST] if isinstance(value, str) else value
            for name, value in given.items()}  # fmt: skip
    data["addresses"] = [item[:LONGEST] for item in told.addresses[:MOST_ADDRESSES]]
    data["commit"] = told.commit[:64]
    subject = comparable(told.addresses[0]) if told.addresses else ""
    host.publish(connection, KIND, subject[:300], data)
