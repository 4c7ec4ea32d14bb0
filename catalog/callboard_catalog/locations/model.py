"""A registered location, and what may be registered."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_catalog.descriptors.finishing import runs_script

_ = Translator("callboard")

TYPE: Final = "url"
"""The only type that may be registered; others are configured by those who run the portal."""

LONGEST_TARGET: Final = 2_000
"""In bytes, as of every path of a source."""

_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Location:
    """An address somebody registered. `ref` is the entity that stands for it."""

    id: str
    type: str
    target: str
    ref: str
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, kind: str, target: str, at: datetime) -> Self:
        """Give one that is not registered, to try what it leads to."""
        return cls("new", kind, target, location_ref(f"{kind}:{target}"), "", at, at)

    @property
    def text(self) -> str:
        """The location as one text, `type:target`."""
        return f"{self.type}:{self.target}"

    def to_data(self) -> dict[str, str]:
        """Give it as the API does."""
        return {
            "id": self.id,
            "type": self.type,
            "target": self.target,
            "entityRef": self.ref,
        }

    def document(self) -> dict[str, Any]:
        """Give the Location entity that leads to the address."""
        return {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Location",
            "metadata": {"name": self.ref.partition("/")[2]},
            "spec": {"type": self.type, "target": self.target},
        }


def location_ref(text: str) -> str:
    """Give the reference of the entity of a location `type:target` (Backstage: its SHA-1)."""
    digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return f"location:default/generated-{digest}"


def check_location(kind: object, target: object) -> tuple[str, str]:
    """Give type and target as they are kept; raises `InputError` for what cannot be registered."""
    if not isinstance(kind, str) or not isinstance(target, str):
        raise InputError(_("A location has a type and a target, both of them text."))
    kind, target = kind.strip(), target.strip()
    if kind != TYPE:
        better = f"url:{kind}:{target}" if kind in ("http", "https") else ""
        raise InputError(
            _("Locations of the type %(type)s cannot be registered.", type=repr(kind[:40])),
            hint=_("The type is url, and the target the whole address: %(better)s.", better=better)
            if better
            else _("The type is url. Folders and repositories are given in catalog.sources."),
        )
    return kind, check_target(target)


def check_target(target: str) -> str:
    """Give an address that may be registered; raises `InputError` for others."""
    if runs_script(target):
        raise InputError(_("%(target)s is a script, not an address.", target=repr(target[:80])))
    hint = _("Expected the whole address of a file, such as https://host/path/catalog-info.yaml.")
    if not target.lower().startswith(("https://", "http://")) or _CONTROL.search(target):
        raise InputError(_("%(target)s is not an address.", target=repr(target[:80])), hint=hint)
    if len(target.encode(errors="replace")) > LONGEST_TARGET:
        limit = LONGEST_TARGET
        raise InputError(_("The address is longer than %(limit)s bytes.", limit=limit), hint=hint)
    try:
        parts = urlsplit(target)
        known = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise InputError(_("%(target)s is not an address.", target=repr(target[:80])), hint=hint)
    if parts.username or parts.password:
        raise InputError(
            _("The address holds a user name or password."),
            hint=_("Give credentials for the host in the settings instead: git.credentials."),
        )
    return target


def of_row(row: Any) -> Location:
    """Make it from a row of the table."""
    values: Mapping[str, Any] = row._mapping
    return Location(**{name: values[name] for name in Location.__dataclass_fields__})
