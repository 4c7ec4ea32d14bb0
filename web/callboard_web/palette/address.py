"""The results page as its address says: what is searched for, narrowed, ordered, and which page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from callboard.i18n import Text, Translator
from callboard_catalog.search import Filter
from callboard_catalog.search.candidates import Sort

_: Final = Translator("callboard")

FACETS: Final[Mapping[str, Text]] = {
    "kind": _("Kind"),
    "owner": _("Owner"),
    "type": _("Type"),
    "lifecycle": _("Lifecycle"),
    "tag": _("Tag"),
}
"""The facets beside the results; each is a parameter of the address."""

SORTS: Final[Mapping[Sort, Text]] = {
    "relevance": _("Best first"),
    "name": _("By name"),
    "changed": _("Last changed first"),
}
PER_PAGE: Final = 25
MOST_CHARACTERS: Final = 200
MOST_VALUES: Final = 20


@dataclass(frozen=True, slots=True)
class Address:
    """What a person searches for. Unknown or excessive values are passed over."""

    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: Sort = "relevance"
    page: int = 1

    @classmethod
    def of(cls, items: Iterable[tuple[str, str]]) -> "Address":
        """Read the parameters of an address."""
        values: dict[str, dict[str, None]] = {}
        for name, value in items:
            stripped = value.replace("\0", "").strip()[:MOST_CHARACTERS]
            if stripped:
                values.setdefault(name, {})[stripped] = None
        one = {name: next(iter(found)) for name, found in values.items()}
        page = one.get("page", "")
        sort: Sort = "relevance"
        for known in SORTS:
            sort = known if known == one.get("sort") else sort
        return cls(
            text=one.get("q", ""),
            chosen={name: tuple(values[name])[:MOST_VALUES] for name in FACETS if name in values},
            sort=sort,
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 4 else 1,
        )

    def filters(self) -> tuple[Filter, ...]:
        """Give what is chosen as search takes it."""
        return tuple(Filter(name, values) for name, values in self.chosen.items())

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Give the chosen values of the facets."""
        for name, values in self.chosen.items():
            for value in values:
                yield name, value

    def url(self) -> str:
        """Give the shortest address that means the same."""
        pairs = [("q", self.text)] if self.text else []
        pairs += list(self.pairs())
        if self.sort != "relevance":
            pairs.append(("sort", self.sort))
        if self.page > 1:
            pairs.append(("page", str(self.page)))
        return f"/search?{urlencode(pairs)}" if pairs else "/search"

    def without(self, name: str, value: str) -> "Address":
        """Leave out one value of a facet."""
        kept = {
            facet: left
            for facet, values in self.chosen.items()
            if (left := tuple(item for item in values if (facet, item) != (name, value)))
        }
        return replace(self, chosen=kept, page=1)

    def asking(self, text: str) -> "Address":
        """Give the same with another text."""
        return replace(self, text=text, page=1)

    def cleared(self) -> "Address":
        """Leave out all that is chosen beside the results."""
        return replace(self, chosen={}, page=1)

    def at(self, page: int) -> "Address":
        """Turn to another page."""
        return replace(self, page=page)
