"""Which of the repositories that a host lists are read, and why others are not."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Final

from callboard.git.patterns import compile_pattern
from callboard.i18n import Text, Translator
from callboard_scm_hosts.settings import DiscoverSettings
from callboard_scm_hosts.values import Found, Wanted

_ = Translator("scm_hosts")

LAG: Final = timedelta(hours=1, minutes=5)
"""How late a listing may tell of a push, where it does (`HostApi.lags`)."""
_FIRST_RETRY: Final = timedelta(minutes=2)
_LAST_RETRY: Final = timedelta(hours=6)


def why_skipped(discovery: DiscoverSettings, found: Found) -> Text:
    """Say why a repository is left out, nothing where it is not."""
    if found.archived and not discovery.archived:
        return _("It is archived.")
    if found.fork and not discovery.forks:
        return _("It is a fork.")
    if discovery.include and not _matches(discovery.include, found.path):
        return _("Its name matches no pattern of include.")
    if _matches(discovery.exclude, found.path):
        return _("Its name matches a pattern of exclude.")
    topics = {topic.lower() for topic in found.topics}
    if discovery.topics and topics.isdisjoint(topic.lower() for topic in discovery.topics):
        return _("It has none of the topics.")
    return ""


def wanted_of(discovery: DiscoverSettings) -> Wanted:
    """Give which files are of interest."""
    return Wanted(discovery.paths, discovery.files, discovery.branch)


def digest_of(discovery: DiscoverSettings, address: str) -> str:
    """Name the settings that decide what is read of a repository, and on which host."""
    text = "\0".join([address, discovery.branch, *discovery.paths, "", *discovery.files])
    return hashlib.sha256(text.encode()).hexdigest()


def must_be_read(row: Any, found: Found, digest: str, *, lags: bool, now: datetime) -> bool:
    """Whether a repository may have changed since it was read."""
    if row.touched or row.read_at is None or row.read_by != digest:
        return True
    if row.state == "failed":
        pause = min(_FIRST_RETRY * 2 ** min(row.attempts, 12), _LAST_RETRY)
        return row.read_moved != found.moved or bool(now - row.read_at >= pause)
    return row.read_moved != found.moved or (lags and may_lag(row, found))


def may_lag(row: Any, found: Found) -> bool:
    """Whether something may have been pushed since the repository was read, without a sign."""
    try:
        moved = datetime.fromisoformat(found.moved)
        return bool(row.read_at < moved + LAG)
    except (ValueError, TypeError):
        return False


def _matches(patterns: tuple[str, ...], path: str) -> bool:
    lowered = path.lower()
    return any(compile_pattern(pattern.lower())(lowered) for pattern in patterns)
