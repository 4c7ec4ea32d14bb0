"""The catalog's list as its address says: filters, order, page, and how it is shown."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlencode

from callboard.i18n import Text, Translator
from callboard_catalog.query import SHARED, SORTS, ListRequest
from callboard_web.preferences import CHOICES

_: Final = Translator("callboard")

FACETS: Final[Mapping[str, Text]] = {
    "type": _("Type"),
    "owner": _("Owner"),
    "lifecycle": _("Lifecycle"),
    "tag": _("Tag"),
    "system": _("System"),
    "domain": _("Domain"),
    "source": _("Source"),
}
"""The facets beside the kind, in the order of the page; each is a parameter of the address."""

NONE: Final = "-"
"""What an address says for having no value."""

NONE_WORDS: Final[Mapping[str, Text]] = {
    "type": _("No type"),
    "owner": _("No owner"),
    "lifecycle": _("No lifecycle"),
    "tag": _("No tag"),
    "system": _("No system"),
    "domain": _("No domain"),
    "source": _("No source"),
}
COLUMNS: Final[Mapping[str, Text]] = {
    "kind": _("Kind"),
    "type": _("Type"),
    "owner": _("Owner"),
    "lifecycle": _("Lifecycle"),
    "system": _("System"),
    "domain": _("Domain"),
    "tags": _("Tags"),
    "description": _("Description"),
    "source": _("Source"),
    "changed": _("Changed"),
}
"""The columns of the host, after the name; those of plugins are named `<plugin>.<name>`."""

COLUMN_SORTS: Final[Mapping[str, str]] = {
    **{name: name for name in COLUMNS if name in SORTS},
    "changed": "updated",
}
"""The order that a column's head asks for."""

LIMITS: Final = (25, 50, 100, 200)
DENSITIES: Final = CHOICES["density"]
DEFAULT_LIMIT: Final = 50
DEFAULT_KINDS: Final = ("component",)
ALL_KINDS: Final = "all"
MOST_VALUES: Final = 20
MOST_COLUMNS: Final = 30
MOST_CHARACTERS: Final = 300
_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """What a person asks the catalog for. Unknown or excessive values are passed over.

    `grouped` puts a head over each group of rows that the order makes. No `kinds` are all kinds; no
    `columns` are the usual ones. `view` is the saved view one came from; `more` is a facet that is
    shown with all its values, or those with `find` in them.
    """

    kinds: tuple[str, ...] = DEFAULT_KINDS
    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mine: bool = False
    starred: bool = False
    sort: str = "name"
    descending: bool = False
    grouped: bool = False
    limit: int = DEFAULT_LIMIT
    columns: tuple[str, ...] = ()
    density: str = ""
    view: int = 0
    more: str = ""
    find: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, items: Iterable[tuple[str, str]]) -> "CatalogQuery":
        """Read the parameters of an address."""
        values: dict[str, list[str]] = {}
        for name, value in items:
            stripped = value.replace("\0", "").strip()[:MOST_CHARACTERS].strip()
            if stripped and stripped not in values.setdefault(name, []):
                values[name].append(stripped)
        one = {name: found[0] for name, found in values.items() if found}
        sort, more = one.get("sort", "name"), one.get("more", "")
        return cls(
            kinds=_kinds(values.get("kind", [])),
            text=one.get("q", ""),
            chosen={name: tuple(values[name][:MOST_VALUES]) for name in FACETS if values.get(name)},
            mine=one.get("mine") == "1",
            starred=one.get("starred") == "1",
            sort=sort if sort in SORTS else "name",
            descending=one.get("order") == "desc",
            grouped=one.get("group") == "1" and sort in SHARED,
            limit=_one_of(one.get("limit", ""), LIMITS, DEFAULT_LIMIT),
            columns=columns_of(values.get("columns", [])),
            density=one["density"] if one.get("density") in DENSITIES else "",
            view=_number(one.get("view", "")),
            more=more if more in FACETS or more == "kind" else "",
            find=one.get("find", "") if more in FACETS else "",
            cursor=one.get("cursor", ""),
        )

    @classmethod
    def read(cls, query: str) -> "CatalogQuery":
        """Read what follows `/catalog?`."""
        return cls.of(parse_qsl(query[:20_000], max_num_fields=1_000) if query else ())

    @property
    def kind(self) -> str:
        """The one kind that is listed, or `all` for several."""
        return self.kinds[0] if len(self.kinds) == 1 else ALL_KINDS

    def request(
        self, *, mine: Iterable[object] = (), starred: Iterable[object] = ()
    ) -> ListRequest:
        """Give the same as the catalog service takes it; `mine` and `starred` are the reader's."""
        values = {
            f"{name}s": tuple("" if value == NONE else value for value in chosen)
            for name, chosen in self.chosen.items()
        }
        return ListRequest(
            kinds=self.kinds,
            text=self.text,
            owned_by=tuple(map(str, mine)) if self.mine else None,
            refs=tuple(map(str, starred)) if self.starred else None,
            sort=self.sort,
            descending=self.descending,
            limit=self.limit,
            cursor=self.cursor,
            **values,
        )

    # Addresses

    def pairs(self) -> list[tuple[str, str]]:
        """Give the fewest parameters that mean the same."""
        kinds = [] if self.kinds == DEFAULT_KINDS else list(self.kinds or (ALL_KINDS,))
        pairs = [("kind", kind) for kind in kinds]
        if self.text:
            pairs.append(("q", self.text))
        pairs += list(self.filters())
        flags = {"mine": self.mine, "starred": self.starred}
        pairs += [(name, "1") for name, on in flags.items() if on]
        return pairs + self.shown()

    def shown(self) -> list[tuple[str, str]]:
        """Give the parameters that say how the list is shown, and no filter."""
        values = {
            "sort": self.sort if self.sort != "name" else "",
            "order": "desc" if self.descending else "",
            "group": "1" if self.grouped else "",
            "limit": str(self.limit) if self.limit != DEFAULT_LIMIT else "",
            "columns": ",".join(self.columns),
            "density": self.density,
            "view": str(self.view or ""),
            "more": self.more,
            "find": self.find,
            "cursor": self.cursor,
        }
        return [(name, value) for name, value in values.items() if value]

    def url(self, path: str = "/catalog") -> str:
        """Give the shortest address that means the same."""
        pairs = self.pairs()
        return f"{path}?{urlencode(pairs)}" if pairs else path

    @property
    def string(self) -> str:
        """What follows the question mark."""
        return urlencode(self.pairs())

    def saved(self) -> str:
        """Give what a saved view keeps of it."""
        return replace(self, view=0, more="", find="", cursor="").string

    def filters(self) -> Iterator[tuple[str, str]]:
        """Give the chosen values of the facets, in the order of the page."""
        for name in FACETS:
            for value in self.chosen.get(name, ()):
                yield name, value

    # Other lists from here

    def without(self, name: str, value: str) -> "CatalogQuery":
        """Leave out one value of a facet or kind, the text (`q`), `mine` or `starred`."""
        if name == "kind":
            return replace(self, kinds=tuple(k for k in self.kinds if k != value), cursor="")
        if name in ("q", "mine", "starred"):
            changed = {"text": ""} if name == "q" else {name: False}
            return replace(self, cursor="", **changed)
        kept = tuple(item for item in self.chosen.get(name, ()) if item != value)
        chosen = {**self.chosen, name: kept}
        return replace(self, chosen={key: found for key, found in chosen.items() if found},
                       cursor="")  # fmt: skip

    def cleared(self) -> "CatalogQuery":
        """Leave out every filter but the kind."""
        return replace(self, text="", chosen={}, mine=False, starred=False, cursor="")

    def sorted_by(self, sort: str) -> "CatalogQuery":
        """Order by a column, or the other way round where it is the order already."""
        first = sort == "updated"  # the newest change is what one looks for
        descending = not self.descending if sort == self.sort else first
        grouped = self.grouped and sort in SHARED
        return replace(self, sort=sort, descending=descending, grouped=grouped, cursor="")

    @property
    def can_group(self) -> bool:
        """Whether the order puts rows into groups."""
        return self.sort in SHARED

    def regrouped(self) -> "CatalogQuery":
        """Give the groups heads, or take them away."""
        return replace(self, grouped=not self.grouped)

    def at(self, cursor: str) -> "CatalogQuery":
        """Turn to another page."""
        return replace(self, cursor=cursor)

    def expanded(self, facet: str) -> "CatalogQuery":
        """Show all values of a facet; none closes it."""
        return replace(self, more=facet, find="", cursor=self.cursor)

    def sized(self, limit: int) -> "CatalogQuery":
        """Show another number of rows, from the first page on."""
        return replace(self, limit=limit, cursor="")

    def viewed(self, view: int) -> "CatalogQuery":
        """Note the saved view this is."""
        return replace(self, view=view)


def _kinds(values: list[str]) -> tuple[str, ...]:
    if not values:
        return DEFAULT_KINDS
    kinds = dict.fromkeys(value.lower() for value in values[:MOST_VALUES])
    kinds.pop(ALL_KINDS, None)
    return tuple(kinds)


def columns_of(values: Iterable[str]) -> tuple[str, ...]:
    """Read the names of columns, given apart or with commas; what cannot be one is left out."""
    names = [name.strip() for value in values for name in value.split(",")]
    named = [name for name in names if name in COLUMNS or name == "name" or _COLUMN.fullmatch(name)]
    return tuple(dict.fromkeys(named))[:MOST_COLUMNS]


def _one_of(text: str, allowed: tuple[int, ...], default: int) -> int:
    return int(text) if text in map(str, allowed) else default


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
