"""Resource quotas of namespaces: what is used, and refusals of more."""

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError, details_of
from callboard_sandbox.api.kinds import Kind
from callboard_sandbox.api.store import Store

Json = dict[str, Any]

_UNITS: Final[Mapping[str, Decimal]] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
}  # fmt: skip
_COUNTED: Final = frozenset(
    {"configmaps", "persistentvolumeclaims", "pods", "secrets", "services", "resourcequotas"}
)


def check(store: Store, kind: Kind, namespace: str, body: Json) -> None:
    """Refuse an object that a quota of its namespace has no room for. Raises `ApiError` 403."""
    for quota in store.list("resourcequotas", namespace) if namespace else ():
        hard = (quota.get("spec") or {}).get("hard") or {}
        over = []
        for name, limit in sorted(hard.items()):
            wanted = _amount(kind, body, name)
            if wanted is None:
                continue
            if wanted == 0 and kind.key == "pods" and name != "pods":
                raise _refused(kind, body, f"failed quota: {_name(quota)}: must specify {name}")
            used = _used(store, kind, namespace, name)
            if used + wanted > quantity(limit):
                over.append((name, _written(wanted), _written(used), limit))
        if over:
            requested, used_, limited = (
                ",".join(f"{row[0]}={row[index]}" for row in over) for index in (1, 2, 3)
            )
            raise _refused(
                kind,
                body,
                f"exceeded quota: {_name(quota)}, requested: {requested}, used: {used_},"
                f" limited: {limited}",
            )


def _name(body: Json) -> str:
    return str(body["metadata"]["name"])


def _refused(kind: Kind, body: Json, said: str) -> ApiError:
    name = body["metadata"].get("name") or body["metadata"].get("generateName", "")
    what = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return ApiError(
        403,
        f'{what} "{name}" is forbidden: {said}',
        details=details_of(kind.plural, name, kind.group),
    )


def _amount(kind: Kind, body: Json, name: str) -> Decimal | None:
    """Give how much of what a quota names an object takes, None for what it does not count."""
    if name == f"count/{kind.key}" or (name == kind.plural and kind.key in _COUNTED):
        return Decimal(1)
    if kind.key != "pods" or "/" in name:
        return None
    which, _, resource = name.rpartition(".")
    which = which or "requests"
    if which not in ("requests", "limits") or resource not in ("cpu", "memory"):
        return None
    return _sum_of_containers(body, which, resource)


def _sum_of_containers(pod: Json, which: str, resource: str) -> Decimal:
    containers: Iterable[Json] = (pod.get("spec") or {}).get("containers") or ()
    return sum(
        (
            quantity(((each.get("resources") or {}).get(which) or {}).get(resource, "0"))
            for each in containers
        ),
        Decimal(0),
    )


def _used(store: Store, kind: Kind, namespace: str, name: str) -> Decimal:
    found = store.list(kind.key, namespace)
    if kind.key == "pods":
        ended = ("Succeeded", "Failed")
        found = [pod for pod in found if (pod.get("status") or {}).get("phase") not in ended]
    return sum((_amount(kind, each, name) or Decimal(0) for each in found), Decimal(0))


def quantity(text: Any) -> Decimal:
    """Read a quantity such as `500m` or `1Gi`. Raises `ApiError` 400 for what is none."""
    written = str(text)
    number = written.rstrip("numkMGTi")
    try:
        return Decimal(number) * _UNITS[written[len(number) :]]
    except (InvalidOperation, KeyError) as error:
        raise ApiError(
            400,
            "quantities must match the regular expression"
            " '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ) from error


def _written(amount: Decimal) -> str:
    if amount == amount.to_integral_value():
        return str(int(amount))
    return f"{int(amount * 1000)}m"
