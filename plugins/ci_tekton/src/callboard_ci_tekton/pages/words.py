"""How states, reasons and lengths of time are said on the page of a run."""

from collections.abc import Mapping
from typing import Final

from callboard.contributions import Status
from callboard.i18n import Text, Translator
from callboard_ci_tekton.views import WORDS

_ = Translator("ci_tekton")

STATES: Final[Mapping[str, tuple[Status, Text]]] = {
    **WORDS,
    "skipped": ("skip", _("not run")),
}
"""The mark and the word of each state of a run, task or step."""

TITLES: Final[Mapping[str, Text]] = {
    "waiting": _("Waiting"),
    "held": _("Held"),
    "running": _("Running"),
    "stopping": _("Stopping"),
    "succeeded": _("Passed"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "timed_out": _("Timed out"),
    "deleted": _("Deleted in the cluster"),
    "skipped": _("Skipped"),
}
"""The state of a run as it stands beside its title."""

TO_COME: Final[tuple[Status, Text]] = ("todo", _("to come"))
WAITS_FOR_PEOPLE: Final = _("Waits for people")
NOT_RUN: Final[tuple[Status, Text]] = ("skip", _("not run"))

WORST_FIRST: Final = (
    "failed", "timed_out", "running", "stopping", "held", "waiting", "cancelled", "deleted",
    "succeeded", "skipped",
)  # fmt: skip
"""Which state stands for several: that of the first that is there."""

_SAYING_NOTHING: Final = ("Tasks Completed:", "All Steps have", "Not all Steps in the Task")
LONGEST: Final = 600
"""Characters of a message that are shown."""

_SKIPPED: Final[tuple[tuple[str, Text], ...]] = (
    ("when expressions", _("its conditions were not met")),
    ("gracefully cancelled", _("the run was cancelled")),
    ("gracefully stopped", _("the run was asked to stop")),
    ("was stopping", _("the run was stopping")),
    ("parent tasks", _("a task before it was not run")),
    ("results were missing", _("a result it needs is missing")),
    ("empty array", _("its matrix has no values")),
    ("timeout", _("the time was up")),
)
"""By what stands in Tekton's sentences, which differ between its releases."""


def why_skipped(reason: str, *, failed: bool) -> Text:
    """Say why a task was not run; a sentence that is not known stays as it is.

    A run stops when a task of it failed, or when it is asked to: Tekton says the same of both.
    """
    said = reason.lower()
    if failed and "was stopping" in said:
        return _("another task failed")
    return next((words for part, words in _SKIPPED if part in said), reason)


def took(seconds: float | None) -> Text:
    """Give a length of time to the second, such as `34 s`, `3 min 58 s` or `1 h 2 min`."""
    if seconds is None:
        return "–"
    whole = int(seconds)
    if whole < 60:
        return _("%(seconds)d s", seconds=whole)
    if whole < 3600:
        return _("%(minutes)d min %(seconds)d s", minutes=whole // 60, seconds=whole % 60)
    return _("%(hours)d h %(minutes)d min", hours=whole // 3600, minutes=whole % 3600 // 60)


def telling(message: str) -> str:
    """Give a message of the cluster, cut; nothing where it says no more than the states do."""
    plain = message.strip()
    return "" if plain.startswith(_SAYING_NOTHING) else plain[:LONGEST]
