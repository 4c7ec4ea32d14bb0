"""Which rights plugins ask for in clusters, by the settings at hand."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from callboard.contributions import ClusterRule
from callboard.plugins import Contributed

if TYPE_CHECKING:
    from callboard.host import Host


def asked_rules(
    rules: Iterable[Contributed[ClusterRule]], host: Callable[[str], "Host"]
) -> Iterator[Contributed[ClusterRule]]:
    """Give the rules that are asked for, each with the names it is about; see `ClusterRule`."""
    for item in rules:
        if item.value.named is None:
            yield item
        elif names := tuple(item.value.named(host(item.plugin))):
            yield replace(item, value=replace(item.value, names=names))
