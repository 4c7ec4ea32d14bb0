"""What is to be read of a remote, of all that it offers."""

from dataclasses import dataclass
from typing import Final

from callboard.errors import NotFoundError
from callboard.git.address import check_reference, is_hash, is_reference
from callboard.git.asking import BRANCHES, TAGS, Asker
from callboard.git.packets import PEELED
from callboard.i18n import Translator

_ = Translator("callboard")

_PINNED: Final = "refs/callboard/"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be read: its commit, and the references to fetch with their objects.

    `references` maps a name in the mirror to its object, `sources` to its name at the remote.
    """

    commit: str
    references: dict[str, str]
    sources: dict[str, str]


def ask(asker: Asker, reference: str | None, *, everything: bool) -> Target:
    """Ask for a branch, a tag, a commit hash or HEAD (None), and with it for everything.

    Raises `InputError` for what is no name, `NotFoundError` when the remote has no such thing,
    `GitFailedError` when it does not answer.
    """
    pinned = reference is not None and is_hash(reference)
    if reference is not None and not pinned:
        check_reference(reference)
    if pinned and not everything:
        return _target(reference or "", {}, reference or "", everything=False)
    names = _candidates(reference)
    offered = asker.references(names, everything=everything)
    found = offered.objects
    if pinned:
        return _target(reference or "", found, reference or "", everything=True)
    name = next((name for name in names if name in found), None)
    if name is None:
        raise _nothing(reference)
    commit = found.get(f"{name}{PEELED}", found[name])
    # The target is the server's own word, and it is used as an argument.
    target = offered.symbolic.get(name, name)
    target = target if target.startswith("refs/") and is_reference(target) else name
    return _target(commit, found, target, everything=everything)


def _candidates(reference: str | None) -> list[str]:
    if reference is None or reference == "HEAD":
        return ["HEAD"]
    if reference.startswith("refs/"):
        return [reference]
    return [f"{BRANCHES}{reference}", f"{TAGS}{reference}"]


def _target(commit: str, found: dict[str, str], name: str, *, everything: bool) -> Target:
    if is_hash(name):
        references, sources = {f"{_PINNED}{name}": name}, {f"{_PINNED}{name}": name}
    elif name.startswith((BRANCHES, TAGS)):
        references, sources = {name: found.get(name, commit)}, {name: name}
    else:
        references, sources = (
            {f"{_PINNED}{name}": found.get(name, commit)},
            {f"{_PINNED}{name}": name},
        )
    if everything:
        for other, value in found.items():
            if other.startswith((BRANCHES, TAGS)) and not other.endswith(PEELED):
                references[other], sources[other] = value, other
    return Target(commit, references, sources)


class NoReferenceError(NotFoundError):
    """The remote answered, and has no such branch or tag."""


def _nothing(reference: str | None) -> NoReferenceError:
    if reference is None or reference == "HEAD":
        return NoReferenceError(
            _("The repository has no commit on its default branch."),
            hint=_("Push a first commit, or name an existing branch."),
        )
    return NoReferenceError(
        _("The repository has no branch or tag %(name)s.", name=repr(reference)),
        hint=_("Correct the name, or leave it out to follow the default branch."),
    )
