"""The event `repository.pushed`: a branch or tag of a Git repository has moved, as its host says.

A plugin that hears of a push publishes it in the transaction that ends its work; whoever keeps
something of repositories, as the catalog does, reads them again. It says where to look, not what
is there: nothing is taken from it but that it is time to look.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host

KIND: Final = "repository.pushed"
MOST_ADDRESSES: Final = 10
MOST_FILES: Final = 1000
LONGEST: Final = 1000

_TEXTS: Final = ("branch", "commit", "tag", "before", "actor", "title")
_SCP: Final = re.compile(r"(?:[\w.+-]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<path>\S+)")
_USUAL_PORTS: Final = {"http": 80, "https": 443, "ssh": 22, "git": 9418}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A branch that has moved, or a tag: one of the two is empty.

    `addresses` are all the repository is known by: to clone it over https and ssh, and its page.
    `commit` is the newest of the branch, or that of the tag; empty where it was deleted. `before`
    is where it was, empty for a new one. `is_default` says whether the branch is the default one,
    None where that is not known. `files` are the paths that changed, None where they are not known
    or not all of them are. `actor` is the name on the host of who pushed, `title` the first line
    of the newest commit's message; both are empty where nobody says. `delivery` is the number of
    the delivery in the portal's inbox that told of it, 0 where it is known in another way.
    """

    addresses: tuple[str, ...]
    branch: str = ""
    commit: str = ""
    is_default: bool | None = None
    files: tuple[str, ...] | None = None
    tag: str = ""
    before: str = ""
    actor: str = ""
    title: str = ""
    delivery: int = 0

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read the data of an event; raises `ValueError` where it is none of this kind."""
        addresses, files = data.get("addresses"), data.get("files")
        texts = {name: data.get(name, "") for name in _TEXTS}
        is_default, delivery = data.get("default"), data.get("delivery", 0)
        if (
            not are_texts(addresses)
            or not are_texts(list(texts.values()))
            or not (texts["branch"] or texts["tag"])
            or not isinstance(is_default, bool | None)
            or not isinstance(delivery, int)
            or not (files is None or are_texts(files))
        ):
            raise ValueError(f"This is no event {KIND}: {str(data)[:200]}")
        return cls(
            addresses=tuple(addresses or ()),
            is_default=is_default,
            files=None if files is None else tuple(files),
            delivery=delivery,
            **texts,
        )

    def is_of(self, address: str, branch: str = "") -> bool:
        """Say whether it tells of a repository's branch; of the default one if none is named.

        Where nobody knows which branch is the default, it may be: reading once more does no harm.
        A tag is of no branch.
        """
        wanted = comparable(address)
        if (
            not self.branch
            or not wanted
            or wanted not in {comparable(item) for item in self.addresses}
        ):
            return False
        return branch == self.branch if branch else self.is_default is not False


def publish(host: "Host", connection: "Connection", pushed: Pushed) -> None:
    """Tell of a push, in the transaction of the plugin's own work.

    Example::

        with host.write() as connection:
            publish(host, connection, Pushed(
                addresses=("https://git.example.org/shop/orders.git",), branch="main",
                commit="4f2a…", is_default=True,
            ))
    """
    files = pushed.files
    data = {
        "addresses": [item[:LONGEST] for item in pushed.addresses[:MOST_ADDRESSES]],
        "branch": pushed.branch[:LONGEST],
        "commit": pushed.commit[:64],
        "default": pushed.is_default,
        "files": None if files is None or len(files) > MOST_FILES else list(files),
        "tag": pushed.tag[:LONGEST],
        "before": pushed.before[:64],
        "actor": pushed.actor[:LONGEST],
        "title": pushed.title[:LONGEST],
        "delivery": pushed.delivery,
    }
    subject = comparable(pushed.addresses[0]) if pushed.addresses else ""
    host.publish(connection, KIND, subject[:300], data)


def comparable(address: str) -> str:
    """Give `host/path` of a repository's address, the same however the address is written.

    `https://Git.Example.org/shop/orders.git/`, `ssh://git@git.example.org:22/shop/orders` and
    `git@git.example.org:shop/orders.git` are one repository. The protocol, the user, the usual
    port and `.git` are left out, and so is the port of SSH, which differs from that of the web;
    the path keeps its case. A path of this machine stays a path. Empty for what is no address.
    """
    text = address.strip()
    if not text or len(text) > LONGEST:
        return ""
    if "://" not in text:
        match = _SCP.fullmatch(text)
        if match is not None and not text.startswith(("/", ".")):
            return _joined(match["host"].strip("[]"), None, match["path"])
        return _path(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme == "file":
        return _path(unquote(parts.path))
    if parts.scheme == "ssh" or port == _USUAL_PORTS.get(parts.scheme):
        port = None
    return _joined(parts.hostname or "", port, unquote(parts.path)) if parts.hostname else ""


def _joined(host: str, port: int | None, path: str) -> str:
    place = f"{host.lower()}:{port}" if port else host.lower()
    path = _path(path).strip("/")
    return f"{place}/{path}" if path else ""


def _path(path: str) -> str:
    plain = path.rstrip("/")
    return plain.removesuffix("/.git").removesuffix(".git")


def are_texts(value: object) -> bool:
    """Say whether something is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
