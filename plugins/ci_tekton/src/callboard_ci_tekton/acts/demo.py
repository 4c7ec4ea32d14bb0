"""The plugin's part of the demo: people answer approvals in their own names.

Pipelines of the library are offered for every component, once somebody installs them.
"""

from collections.abc import Mapping
from typing import Any

from callboard.contributions import DemoContext


def prepare(context: DemoContext) -> Mapping[str, Any]:
    """Give settings; nothing is written."""
    offers = [{"pipelines": ["*/*/callboard-*"]}]
    own = {"acts": {"approvals": {"impersonate": True}, "offers": offers}}
    return {"plugins": {"settings": {"ci_tekton": own}}}
