"""What GitLab tells of its CI: the Pipeline Hook and the Job Hook.

Only the number of the pipeline is taken (GitLab: "Webhook events"): whoever keeps pipelines reads
it again.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from callboard.contributions import WebhookOutcome
from callboard.i18n import Translator
from callboard.repositories.pipelines import Told, publish

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

PIPELINE_WORDS: Final = ("pipeline", "build", "job")
"""`object_kind` of the two hooks; `job` as the header has it."""


def without_variables(content: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the values of variables: people start pipelines with passwords, too."""
    attributes = content.get("object_attributes")
    if not isinstance(attributes, Mapping) or not attributes.get("variables"):
        return dict(content)
    return {**content, "object_attributes": {**attributes, "variables": "***"}}


def pipeline_told(
    host: "Host", content: Mapping[str, Any], addresses: Sequence[str]
) -> WebhookOutcome:
    """Tell that a pipeline of a repository changed, which is known by `addresses`."""
    attributes = content.get("object_attributes")
    given = attributes.get("id") if isinstance(attributes, Mapping) else content.get("pipeline_id")
    if not isinstance(given, int) or not 0 < given < 2**63 or not addresses:
        return WebhookOutcome(text=_("It does not say which pipeline changed."))
    with host.write() as connection:
        publish(host, connection, Told(addresses=tuple(addresses), pipeline=given))
    text = _("Pipeline %(number)s changed: it is read again where it is kept.", number=str(given))
    return WebhookOutcome(text=text, repository=addresses[0])
