"""What hooks return: frozen descriptions of pages, cards, jobs and all else a plugin adds.

Every callable in a contribution is synchronous. Those that draw (cards, tabs, badges, columns,
pages) read tables only: they run while a person waits, under `plugins.time_limit`. Remote reads
belong in jobs and entity sources.
"""

from callboard.contributions.clusters import (
    ClusterRule,
    ClusterWatch,
    ObservedContext,
    ObservedObject,
)
from callboard.contributions.decisions import Decider, DecisionRequest, EntityVerdict, Verdict
from callboard.contributions.entities import (
    Badge,
    CatalogColumn,
    Cell,
    ColumnContext,
    EntityBadge,
    EntityCard,
    EntityContext,
    EntityTab,
    TabNote,
)
from callboard.contributions.events import (
    Activity,
    ActivityContext,
    ActivityItem,
    Event,
    EventContext,
    EventHandler,
)
from callboard.contributions.hosts import CodeHosts
from callboard.contributions.jobs import Job, JobContext
from callboard.contributions.operations import (
    Checks,
    Command,
    DemoContext,
    DemoPart,
    Metric,
    Sample,
)
from callboard.contributions.pages import (
    Act,
    Crumb,
    FormContext,
    Fragment,
    HomeCard,
    NavItem,
    Page,
    PageContext,
    PageNote,
    SeeOther,
    Status,
    Waiting,
    WaitingItem,
    Width,
)
from callboard.contributions.routes import Routes, open_to_everyone, requires
from callboard.contributions.search import SearchDocument, SearchSource
from callboard.contributions.sources import (
    EntityProcessor,
    EntitySource,
    FileSource,
    ProcessorContext,
    SourceContext,
    SourceDocument,
    SourceFile,
    Sources,
    SourceTrouble,
)
from callboard.contributions.webhooks import (
    DeliveryContext,
    DeliveryFollow,
    DeliveryFollows,
    Webhook,
    WebhookAddress,
    WebhookOutcome,
    WebhookRequest,
)
from callboard.identity import Permission
from callboard.kinds import EntityField, Kind

__all__ = [
    "Act", "Activity", "ActivityContext", "ActivityItem", "Badge", "CatalogColumn", "Cell",
    "Checks", "ClusterRule", "ClusterWatch", "CodeHosts", "ColumnContext", "Command", "Crumb",
    "Decider", "DecisionRequest", "DeliveryContext", "DeliveryFollow", "DeliveryFollows",
    "DemoContext", "DemoPart", "EntityBadge", "EntityCard", "EntityContext",
    "EntityField", "EntityProcessor", "EntitySource", "EntityTab", "EntityVerdict", "Event",
    "EventContext", "EventHandler", "FileSource", "FormContext", "Fragment", "HomeCard", "Job",
    "JobContext", "Kind", "Metric", "NavItem", "ObservedContext", "ObservedObject", "Page",
    "PageContext", "PageNote", "Permission", "ProcessorContext", "Routes", "Sample",
    "SearchDocument", "SearchSource", "SeeOther", "SourceContext", "SourceDocument", "SourceFile",
    "SourceTrouble", "Sources", "Status", "TabNote", "Verdict", "Waiting", "WaitingItem", "Webhook",
    "WebhookAddress", "WebhookOutcome", "WebhookRequest", "Width", "open_to_everyone", "requires",
]  # fmt: skip
