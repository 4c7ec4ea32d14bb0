"""Manifests that grant the portal's account what plugins ask for, and no more (Kubernetes RBAC)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any, Final

from callboard.contributions import ClusterRule
from callboard.plugins import Contributed

_RBAC: Final = "rbac.authorization.k8s.io"
_WIDTH: Final = 96


class Manifests:
    """Writes the manifests for one account.

    `account` and `home` are the name of the ServiceAccount and its namespace. With `namespaces`
    rights are given in those alone, by a Role in each; kinds of the whole cluster, and everything
    where none is named, take a ClusterRole.
    """

    def __init__(self, account: str, home: str, namespaces: Sequence[str] = ()) -> None:
        self.account = account
        self.home = home
        self.namespaces = namespaces

    def write(self, rules: Iterable[Contributed[ClusterRule]]) -> str:
        """Give the manifests as YAML, with what each right is for."""
        documents = [_account(self.account, self.home)]
        ordered = sorted(rules, key=lambda rule: (rule.plugin, rule.value.name))
        for plugin, group in groupby(ordered, key=lambda rule: rule.plugin):
            documents += self._roles(plugin, [rule.value for rule in group])
        return "---\n".join(documents)

    def _roles(self, plugin: str, rules: Sequence[ClusterRule]) -> Iterator[str]:
        name = f"{self.account}-{plugin.replace('_', '-')}"
        inside = [rule for rule in rules if rule.namespaced]
        outside = [rule for rule in rules if not rule.namespaced]
        if not self.namespaces:
            inside, outside = [], [*inside, *outside]
        if outside:
            yield _role(name, "", plugin, outside)
            yield self._binding(name, "")
        for namespace in self.namespaces if inside else ():
            yield _role(name, namespace, plugin, inside)
            yield self._binding(name, namespace)

    def _binding(self, name: str, namespace: str) -> str:
        kind = "Role" if namespace else "ClusterRole"
        return "".join(
            (
                _head(f"{_RBAC}/v1", f"{kind}Binding", name, namespace),
                "roleRef:\n",
                _mapping({"apiGroup": _RBAC, "kind": kind, "name": name}, "  "),
                "subjects:\n",
                _item({"kind": "ServiceAccount", "name": self.account, "namespace": self.home}),
            )
        )


def _account(name: str, namespace: str) -> str:
    return _head("v1", "ServiceAccount", name, namespace)


def _role(name: str, namespace: str, plugin: str, rules: Sequence[ClusterRule]) -> str:
    text = _head(f"{_RBAC}/v1", "Role" if namespace else "ClusterRole", name, namespace)
    text += "rules:\n"
    for rule in rules:
        ending = " Optional." if rule.optional else ""
        text += _comment(f"{plugin}, {rule.name}: {rule.why}{ending}")
        text += _item(
            {
                "apiGroups": [rule.group],
                "resources": list(rule.resources),
                "verbs": list(rule.verbs),
                **({"resourceNames": list(rule.names)} if rule.names else {}),
            }
        )
    return text


def _head(version: str, kind: str, name: str, namespace: str) -> str:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    labels = _mapping({"app.kubernetes.io/part-of": "callboard"}, "    ")
    return (
        _mapping({"apiVersion": version, "kind": kind}, "")
        + f"metadata:\n{_mapping(metadata, '  ')}  labels:\n{labels}"
    )


def _item(values: Mapping[str, Any]) -> str:
    return "  - " + _mapping(values, "    ").removeprefix("    ")


def _mapping(values: Mapping[str, Any], indent: str) -> str:
    # JSON is YAML: what stands after the colon needs no rules of its own for what to quote.
    return "".join(f"{indent}{key}: {json.dumps(value)}\n" for key, value in values.items())


def _comment(text: str) -> str:
    return "".join(f"  # {line}\n" for line in wrap(" ".join(text.split()), _WIDTH))
