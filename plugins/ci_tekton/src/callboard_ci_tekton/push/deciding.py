"""Has rules answer what was pushed: those of the settings, and those of the repository itself."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from callboard.contributions import JobContext
from callboard.errors import CallboardError, InputError, NotReadyError
from callboard.i18n import Text, Translator
from callboard_ci_tekton.push.files import rules_of
from callboard_ci_tekton.push.model import News, Verdict
from callboard_ci_tekton.push.rules import fits, verdict, verdict_of_file
from callboard_ci_tekton.push.settings import PushSettings
from callboard_ci_tekton.push.store import load_push, news_of, set_push, write_verdicts

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

START: Final = "start_push"


def run_decide(context: JobContext) -> None:
    """The job for one push. Waits with patience where the host does not answer."""
    host, number = context.host, int(context.payload["push"])
    with host.read() as connection:
        row = load_push(connection, number)
    if row is None:
        return
    news = news_of(row)
    try:
        verdicts = _verdicts(host, news)
    except CallboardError as error:
        with host.write() as connection:
            set_push(connection, number, state="failed", reason=error.message)
        if isinstance(error, NotReadyError):
            raise
        return
    with host.write() as connection:
        waiting = write_verdicts(connection, number, verdicts)
        set_push(connection, number, state="decided", reason="")
        for item in waiting:
            host.submit(START, {"delivery": item}, key=str(item), connection=connection)
        host.publish(connection, "ci_tekton.push.decided", str(number), {"runs": len(waiting)})


def _verdicts(host: "Host", news: News) -> list[Verdict]:
    """Ask all rules that are for the repository. Remote."""
    settings: PushSettings = host.settings.push
    answers = (verdict(rule, news) for rule in settings.rules)
    found = [answer for answer in answers if answer is not None]
    found += _of_file(host, settings, news)
    if any(one.plan for one in found):
        refusal = _unconfirmed(host, news)
        if refusal:
            return [replace(one, plan=None, reason=refusal, failed=True) if one.plan else one
                    for one in found]  # fmt: skip
    return found


def _of_file(host: "Host", settings: PushSettings, news: News) -> list[Verdict]:
    allowed = next((one for one in settings.files if fits(one.repositories, news.repository)), None)
    if allowed is None:
        return []
    try:
        rules = rules_of(host, allowed, news)
    except InputError as error:
        return [Verdict(rule=allowed.path, reason=error.message, failed=True)]
    if not rules:
        return [Verdict(rule=allowed.path, reason=_("The repository has no such file."))]
    return [verdict_of_file(rule, allowed, news) for rule in rules]


def _unconfirmed(host: "Host", news: News) -> Text | None:
    """Say why news are not believed; None where they are. Remote for Gitee only.

    Gitee signs the time of a delivery and not its body: what it tells is asked for once more.
    """
    code_host = host.code_host(news.address)
    if code_host is None or code_host.kind != "gitee":
        return None
    head = code_host.head_of(
        code_host.path_of(news.address),
        branch=news.branch if news.kind == "push" else "",
        tag=news.tag,
        merge_request=news.number,
    )
    if head == news.commit:
        return None
    return _("The host says that it is at another commit by now: %(commit)s.",
             commit=(head or "–")[:12])  # fmt: skip
