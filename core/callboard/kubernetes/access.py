"""What the portal's account may do in a cluster, by access reviews."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from callboard.kubernetes.answer import document
from callboard.kubernetes.cluster import Question
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.patience import patiently

KEEP_SECONDS: Final = 60.0
SEVERAL: Final = 3
"""From so many questions about a namespace on, its rules are asked for in one request first."""

MOST_KEPT: Final = 10_000

_PATH: Final = "/apis/authorization.k8s.io/v1/"
Rule = Mapping[str, Any]


class AccessReviews:
    """Answers questions about one cluster, each kept for a minute. It may be shared by threads."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Question, tuple[float, bool]] = {}

    def allowed(self, questions: Sequence[Question]) -> list[bool]:
        """Answer all of them, in their order."""
        wanted = dict.fromkeys(questions)
        now = self._clock()
        with self._lock:
            answers = {
                question: self._kept[question][1]
                for question in wanted
                if question in self._kept and self._kept[question][0] > now
            }
        new = self._ask([question for question in wanted if question not in answers])
        with self._lock:
            if len(self._kept) + len(new) > MOST_KEPT:
                self._kept.clear()
            self._kept |= {key: (now + KEEP_SECONDS, value) for key, value in new.items()}
        answers |= new
        return [answers[question] for question in questions]

    def _ask(self, questions: Sequence[Question]) -> dict[Question, bool]:
        counts = Counter(question.namespace for question in questions if question.namespace)
        rules = {
            namespace: self._rules(namespace)
            for namespace, count in counts.items()
            if count >= SEVERAL
        }
        # What no rule grants may still be granted: not every authoriser can list its rules.
        return {
            question: grants(rules.get(question.namespace, ()), question) or self._review(question)
            for question in questions
        }

    def _rules(self, namespace: str) -> Sequence[Rule]:
        try:
            status = self._post("selfsubjectrulesreviews", {"namespace": namespace})
        except ClusterError as error:
            if error.state not in ("forbidden", "absent"):
                raise
            return ()
        found = status.get("resourceRules")
        return [rule for rule in found if isinstance(rule, dict)] if isinstance(found, list) else ()

    def _review(self, question: Question) -> bool:
        asked = {
            "verb": question.verb,
            "group": question.resource.group,
            "resource": question.resource.name,
            "subresource": question.subresource,
            "namespace": question.namespace,
            "name": question.name,
        }
        attributes = {key: value for key, value in asked.items() if value}
        status = self._post("selfsubjectaccessreviews", {"resourceAttributes": attributes})
        return status.get("allowed") is True

    def _post(self, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        kinds = {"selfsubjectaccessreviews": "SelfSubjectAccessReview",
                 "selfsubjectrulesreviews": "SelfSubjectRulesReview"}  # fmt: skip
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kinds[name], "spec": spec}
        # A review is a question though it is posted: it may be repeated like any read.
        with patiently(lambda: self._connection.ask("POST", _PATH + name, body=body)) as answer:
            status = document(self._connection.name, answer.read()).get("status")
        return status if isinstance(status, dict) else {}


def grants(rules: Iterable[Rule], question: Question) -> bool:
    """Say whether a rule grants what is asked (Kubernetes RBAC, "Referring to resources")."""
    resource = question.resource.name
    if question.subresource:
        names = {f"{resource}/{question.subresource}", f"*/{question.subresource}", "*"}
    else:
        names = {resource, "*"}
    return any(
        _among(rule, "verbs", {question.verb, "*"})
        and _among(rule, "apiGroups", {question.resource.group, "*"})
        and _among(rule, "resources", names)
        and (not rule.get("resourceNames") or question.name in rule["resourceNames"])
        for rule in rules
    )


def _among(rule: Rule, key: str, wanted: set[str]) -> bool:
    return not wanted.isdisjoint(rule.get(key) or ())
