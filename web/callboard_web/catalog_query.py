"""The catalog's list as its address says: filters, order, page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urlencode

from callboard.i18n import Text, Translator
from callboard_catalog.query import SORTS, ListRequest

_: Final = Translator("callboard")

FACETS: Final[Mapping[str, Text]] = {
    "type": _("Type"),
    "owner": _("Owner"),
    "lifecycle": _("Lifecycle"),
    "system": _("System"),
    "tag": _("Tag"),
    "source": _("Source"),
}
"""The facets beside the kind, in the order of the page; each is a parameter of the address."""

LIMITS: Final = (25, 50, 100, 200)
DEFAULT_LIMIT: Final = 50
DEFAULT_KIND: Final = "component"
ALL_KINDS: Final = "all"
MOST_VALUES: Final = 20
MOST_CHARACTERS: Final = 300


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """What a person asks the catalog for. Unknown or excessive values are passed over."""

    kind: str = DEFAULT_KIND
    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sort: str = "name"
    descending: bool = False
    limit: int = DEFAULT_LIMIT
    cursor: str = ""

    @classmethod
    def of(cls, items: Iterable[tuple[str, str]]) -> "CatalogQuery":
        """Read the parameters of an address."""
        values: dict[str, list[str]] = {}
        for name, value in items:
            stripped = value.strip()[:MOST_CHARACTERS]
            if stripped and stripped not in values.setdefault(name, []):
                values[name].append(stripped)
        one = {name: found[0] for name, found in values.items() if found}
        limit = one.get("limit", "")
        sort = one.get("sort", "name")
        return cls(
            kind=one.get("kind", DEFAULT_KIND).lower(),
            text=one.get("q", ""),
            chosen={name: tuple(values[name][:MOST_VALUES]) for name in FACETS if values.get(name)},
            sort=sort if sort in SORTS else "name",
            descending=one.get("order") == "desc",
            limit=int(limit) if limit in map(str, LIMITS) else DEFAULT_LIMIT,
            cursor=one.get("cursor", ""),
        )

    def request(self) -> ListRequest:
        """Give the same as the catalog service takes it."""
        values = {f"{name}s": chosen for name, chosen in self.chosen.items()}
        return ListRequest(
            kinds=() if self.kind == ALL_KINDS else (self.kind,),
            text=self.text,
            sort=self.sort,
            descending=self.descending,
            limit=self.limit,
            cursor=self.cursor,
            **values,
        )

    def url(self) -> str:
        """Give the shortest address that means the same."""
        pairs = [("kind", self.kind)] if self.kind != DEFAULT_KIND else []
        if self.text:
            pairs.append(("q", self.text))
        pairs += list(self.filters())
        if self.sort != "name":
            pairs.append(("sort", self.sort))
        if self.descending:
            pairs.append(("order", "desc"))
        if self.limit != DEFAULT_LIMIT:
            pairs.append(("limit", str(self.limit)))
        if self.cursor:
            pairs.append(("cursor", self.cursor))
        return f"/catalog?{urlencode(pairs)}" if pairs else "/catalog"

    def filters(self) -> Iterator[tuple[str, str]]:
        """Give the chosen values of the facets."""
        for name, values in self.chosen.items():
            for value in values:
                yield name, value

    def without(self, name: str, value: str) -> "CatalogQuery":
        """Leave out one value of a facet, or the text (`q`)."""
        if name == "q":
            return replace(self, text="", cursor="")
        kept = tuple(item for item in self.chosen.get(name, ()) if item != value)
        chosen = {**self.chosen, name: kept}
        return replace(self, chosen={key: found for key, found in chosen.items() if found},
                       cursor="")  # fmt: skip

    def cleared(self) -> "CatalogQuery":
        """Leave out every filter but the kind."""
        return replace(self, text="", chosen={}, cursor="")

    def sorted_by(self, sort: str) -> "CatalogQuery":
        """Order by a column, or the other way round where it is the order already."""
        first = sort == "updated"  # the newest change is what one looks for
        descending = not self.descending if sort == self.sort else first
        return replace(self, sort=sort, descending=descending, cursor="")

    def at(self, cursor: str) -> "CatalogQuery":
        """Turn to another page."""
        return replace(self, cursor=cursor)
