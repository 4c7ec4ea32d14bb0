"""The alerts of the documentation speak of metrics that there are."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from callboard_ci_tekton.queries import STATES
from callboard_web.testing import PortalUnderTest

DOCS = Path(__file__).parents[3] / "docs/operator"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DOCS / "alerts/ci_tekton.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    return {"access": {"anonymous": "administrator"}}


def labels_of(page: str) -> dict[str, set[str]]:
    """Give the labels of each metric, as the reference lists them."""
    rows = re.findall(r"^\| `(callboard_\w+)` \| [^|]* \| ([^|]*) \|", page, re.MULTILINE)
    return {name: set(filter(None, labels.strip().split(", "))) for name, labels in rows}


def selectors(expression: promql_parser.Expr) -> Iterator[promql_parser.VectorSelector]:
    """Give the metrics an expression reads."""
    match expression:
        case promql_parser.VectorSelector():
            yield expression
        case promql_parser.MatrixSelector():
            yield expression.vector_selector
        case promql_parser.Call():
            for argument in expression.args:
                yield from selectors(argument)
        case promql_parser.BinaryExpr():
            yield from selectors(expression.lhs)
            yield from selectors(expression.rhs)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            yield from selectors(expression.expr)
        case promql_parser.NumberLiteral():
            return
        case _:
            raise AssertionError(f"{type(expression).__name__} is read by nobody here yet")


def unmatched(
    expression: promql_parser.Expr, known: Mapping[str, set[str]]
) -> Iterator[promql_parser.BinaryExpr]:
    """Give operations whose sides never meet: they have other labels, and none is named."""
    if not isinstance(expression, promql_parser.BinaryExpr):
        return
    sides = [list(selectors(side)) for side in (expression.lhs, expression.rhs)]
    if all(sides):
        labels = [known[side[0].name or ""] for side in sides]
        matching = expression.modifier.matching if expression.modifier else None
        named = set(matching.labels) if matching else None
        if labels[0] != labels[1] if named is None else not named <= labels[0] & labels[1]:
            yield expression
    for inner in (expression.lhs, expression.rhs):
        yield from unmatched(inner, known)


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_an_alert_can_fire(rule: Mapping[str, Any]) -> None:
    """Its expression is PromQL, its labels are those of its metrics, and its durations are ones."""
    known = labels_of((DOCS.parent / "reference/contributions.md").read_text("utf-8"))
    expression = promql_parser.parse(rule["expr"])
    read = list(selectors(expression))
    assert read
    for metric in read:
        assert {matcher.name for matcher in metric.matchers.matchers} <= known[metric.name or ""]
    assert [str(each) for each in unmatched(expression, known)] == []
    told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert told <= known[read[0].name or ""]
    assert promql_parser.parse_duration(rule.get("for", "1m"))
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}


@pytest.mark.parametrize(
    "wrong",
    ["callboard_ci_tekton_success_ratio < 0.5 and callboard_cluster_answering == 1",
     "callboard_cluster_watching == 0 and on (pipeline) callboard_cluster_answering == 1"],
)  # fmt: skip
def test_sides_that_never_meet_are_found(wrong: str) -> None:
    known = labels_of((DOCS.parent / "reference/contributions.md").read_text("utf-8"))
    assert list(unmatched(promql_parser.parse(wrong), known))


def test_alerts_are_about_metrics_that_are_there(portal: PortalUnderTest) -> None:
    page = portal.client.get("/metrics").text
    measured = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    for rule in RULES:
        read = {metric.name for metric in selectors(promql_parser.parse(rule["expr"]))}
        assert read <= measured, rule["alert"]


def test_alerts_name_states_that_runs_have() -> None:
    named = {
        state
        for rule in RULES
        for pattern in re.findall(r'open_\w+\{state=~?"([^"]+)"', rule["expr"])
        for state in pattern.split("|")
    }
    assert named
    assert named <= set(STATES)


def test_each_alert_says_what_to_do() -> None:
    runbook = (DOCS / "alerts.md").read_text("utf-8")
    heads = set(re.findall(r"^## (\w+)$", runbook, re.MULTILINE))
    assert heads == {rule["alert"] for rule in RULES}
    assert len(RULES) == len(heads)
    for rule in RULES:
        anchor = f"docs/operator/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook"] == anchor
        assert rule["labels"]["severity"] in ("warning", "critical")
