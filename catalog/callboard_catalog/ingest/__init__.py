"""From a source's files to rows: read what changed, write what differs."""

from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.ingest.parse import ParsedFile, Parser, Rejection, Report
from callboard_catalog.ingest.refresh import Refresh, RefreshResult
from callboard_catalog.ingest.write import Writer

__all__ = [
    "Candidate",
    "ParsedFile",
    "Parser",
    "Refresh",
    "RefreshResult",
    "Rejection",
    "Report",
    "Writer",
]
