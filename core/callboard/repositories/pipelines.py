"""The event `repository.pipeline`: a pipeline of a code host's own CI has changed, as it says.

It says where to look, not what is there: whoever keeps pipelines reads them again by the API.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from callboard.repositories.pushed import LONGEST, MOST_ADDRESSES, comparable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host

KIND: Final = "repository.pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A pipeline, or one of its jobs, that changed.

    `addresses` are all the repository is known by, as in `callboard.repositories.pushed`.
    `pipeline` is the host's own number of it.
    """

    addresses: tuple[str, ...]
    pipeline: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of an event; raises `ValueError` where it is none of this kind."""
        addresses, pipeline = data.get("addresses"), data.get("pipeline")
        if (
            not isinstance(addresses, list)
            or not all(isinstance(item, str) for item in addresses)
            or not isinstance(pipeline, int)
            or not 0 < pipeline < 2**63
        ):
            raise ValueError(f"This is no event {KIND}: {str(data)[:200]}")
        return cls(addresses=tuple(addresses), pipeline=pipeline)


def publish(host: "Host", connection: "Connection", told: Told) -> None:
    """Tell of a pipeline, in the transaction of the plugin's own work.

    Example::

        with host.write() as connection:
            addresses = ("https://git.example.org/shop/orders.git",)
            publish(host, connection, Told(addresses=addresses, pipeline=4711))
    """
    data = {
        "addresses": [item[:LONGEST] for item in told.addresses[:MOST_ADDRESSES]],
        "pipeline": told.pipeline,
    }
    subject = comparable(told.addresses[0]) if told.addresses else ""
    host.publish(connection, KIND, subject[:300], data)
