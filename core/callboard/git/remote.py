"""What a remote offers, asked with one `ls-remote` and no disk."""

from dataclasses import dataclass
from typing import Final

from callboard.errors import NotFoundError
from callboard.git.address import check_reference, is_hash
from callboard.git.runner import GitRunner
from callboard.i18n import Translator

_ = Translator("callboard")

BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
_PINNED: Final = "refs/callboard/"
_PEELED: Final = "^{}"


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be read: its commit, and the references to fetch with their objects.

    `references` maps a name in the mirror to its object, `sources` to its name at the remote.
    """

    commit: str
    references: dict[str, str]
    sources: dict[str, str]


def ask(
    runner: GitRunner,
    url: str,
    options: tuple[str, ...],
    reference: str | None,
    *,
    everything: bool,
) -> Target:
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
    patterns = [*names, *(f"{name}{_PEELED}" for name in names if name != "HEAD")]
    if everything:
        patterns += [f"{BRANCHES}*", f"{TAGS}*"]
    output = runner.run("ls-remote", "--symref", *options, "--", url, *patterns)
    found, symbolic = _parse(output.decode("utf-8", "replace"))
    if pinned:
        return _target(reference or "", found, reference or "", everything=True)
    name = next((name for name in names if name in found), None)
    if name is None:
        raise _nothing(reference)
    commit = found.get(f"{name}{_PEELED}", found[name])
    return _target(commit, found, symbolic.get(name, name), everything=everything)


def _candidates(reference: str | None) -> list[str]:
    if reference is None or reference == "HEAD":
        return ["HEAD"]
    if reference.startswith("refs/"):
        return [reference]
    return [f"{BRANCHES}{reference}", f"{TAGS}{reference}"]


def _parse(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Give objects by reference, and targets of symbolic references; odd lines are left out."""
    found, symbolic = {}, {}
    for line in text.splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            symbolic[name] = value.removeprefix("ref: ")
        elif is_hash(value) and name:
            found[name] = value
    return found, symbolic


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
            if other.startswith((BRANCHES, TAGS)) and not other.endswith(_PEELED):
                references[other], sources[other] = value, other
    return Target(commit, references, sources)


def _nothing(reference: str | None) -> NotFoundError:
    if reference is None or reference == "HEAD":
        return NotFoundError(
            _("The repository has no commit on its default branch."),
            hint=_("Push a first commit, or name an existing branch."),
        )
    return NotFoundError(
        _("The repository has no branch or tag %(name)s.", name=repr(reference)),
        hint=_("Correct the name, or leave it out to follow the default branch."),
    )
