"""When discoveries are scanned."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from callboard.contributions import JobContext
from callboard.errors import InputError, NotReadyError
from callboard.i18n import Translator
from callboard_scm_hosts import store
from callboard_scm_hosts.ledger import load_state
from callboard_scm_hosts.scan import Outcome, Scan
from callboard_scm_hosts.settings import DiscoverSettings

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

LOOK_EVERY: Final = timedelta(seconds=30)
_asked: dict[tuple[str, str], datetime] = {}
"""When this process asked for a scan last, or made one, by the portal's folder and the discovery: a
scan that finds nothing new leaves no trace in the tables."""


def run_look(context: JobContext) -> None:
    """Ask for a scan of each discovery whose time has come; forget those that are gone."""
    host = context.host
    names = {discovery.name for discovery in host.settings.discover}
    with host.read() as connection:
        known = store.discovery_names(connection)
    if known - names:
        with host.write() as connection:
            for name in store.forget_discoveries(connection, names):
                host.audit(connection, "scm_hosts.discovery.forget", name)
                host.publish(connection, "scm_hosts.discovery.forgotten", name)
    for discovery in host.settings.discover:
        if is_due(host, discovery):
            # Another process may run it, and leave no trace where nothing is new.
            _asked[_key(host, discovery)] = host.now()
            host.submit("scan", {"discovery": discovery.name}, key=discovery.name)


def is_due(host: "Host", discovery: DiscoverSettings) -> bool:
    """Whether a discovery must be scanned now, and its host may be asked."""
    now = host.now()
    waiting = load_state(host, discovery.host).waiting_until
    if waiting is not None and waiting > now:
        return False
    with host.read() as connection:
        row = store.load_discovery(connection, discovery.name)
    asked = _asked.get(_key(host, discovery))
    if row is None:
        return True
    if not (row.complete or row.failing_since):
        return True
    last = max((at for at in (row.scanned_at, asked) if at is not None), default=None)
    return last is None or bool(now - last >= discovery.every)


def run_scan(context: JobContext) -> None:
    """Scan one discovery. What hinders it is shown on its page and tried again by the next one."""
    discovery = _discovery(context)
    outcome = Scan(context.host, discovery).run(context.progress)
    _asked[_key(context.host, discovery)] = context.host.now()
    _tell(outcome)


def run_touched(context: JobContext) -> None:
    """Read what was touched of one discovery."""
    _tell(Scan(context.host, _discovery(context)).run(context.progress, touched_only=True))


def _tell(outcome: Outcome) -> None:
    if outcome.error:
        raise NotReadyError(outcome.error)


def _discovery(context: JobContext) -> DiscoverSettings:
    name = context.payload.get("discovery")
    found: DiscoverSettings | None = context.host.settings.discovery(str(name))
    if found is None:
        raise InputError(_("There is no discovery named %(name)s.", name=str(name)[:60]))
    return found


def _key(host: "Host", discovery: DiscoverSettings) -> tuple[str, str]:
    return str(host.data), discovery.name
