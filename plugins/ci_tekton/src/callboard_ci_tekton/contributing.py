"""The domains of the plugin, imported when the host asks for the first of what they add."""

from typing import Final

from callboard_ci_tekton.acts import parts as acts
from callboard_ci_tekton.gitlab import parts as gitlab
from callboard_ci_tekton.library import parts as library
from callboard_ci_tekton.logs import parts as logs
from callboard_ci_tekton.matching import parts as matching
from callboard_ci_tekton.pages import parts as pages
from callboard_ci_tekton.parts import Part
from callboard_ci_tekton.push import parts as push
from callboard_ci_tekton.runs import parts as runs

PARTS: Final[tuple[Part, ...]] = (
    runs.PART,
    pages.PART,
    matching.PART,
    acts.PART,
    library.PART,
    logs.PART,
    gitlab.PART,
    push.PART,
)
