"""Replace `$(…)` in specifications by values, as Tekton does.

A table of replacements maps what stands between the parentheses to a string, an array or an
object: `params.image`, `tasks.clone.results.commit`, `context.pipelineRun.name`. What the table
does not know is left as it is.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

Json = dict[str, Any]
Values = Mapping[str, Any]

_REFERENCE: Final = re.compile(r"\$\(([^()\s]+)\)")
_RESULT: Final = re.compile(r"^tasks\.([^.\[\]]+)\.results\.(.+)$")
_QUOTED: Final = re.compile(r"""\[["']([^"']+)["']\]""")
_INDEX: Final = re.compile(r"^(.*)\[(\d+)\]$")


def params_table(params: Mapping[str, Any]) -> dict[str, Any]:
    """Give the table for parameters by name."""
    return {f"params.{name}": value for name, value in params.items()}


def replaced(template: Any, values: Values) -> Any:
    """Give a copy of a specification with every known reference replaced."""
    if isinstance(template, str):
        return _text(template, values)
    if isinstance(template, list):
        return [new for item in template for new in _items(item, values)]
    if isinstance(template, dict):
        return {key: replaced(value, values) for key, value in template.items()}
    return template


def references(template: Any) -> Iterable[str]:
    """Give what stands between the parentheses of each reference."""
    if isinstance(template, str):
        yield from (_plain(match) for match in _REFERENCE.findall(template))
    elif isinstance(template, list):
        for item in template:
            yield from references(item)
    elif isinstance(template, dict):
        for item in template.values():
            yield from references(item)


def result_references(template: Any) -> list[tuple[str, str]]:
    """Give (task, result) of every result a specification refers to."""
    found = (_RESULT.match(reference) for reference in references(template))
    return [(match[1], _result_name(match[2])) for match in found if match]


def _result_name(text: str) -> str:
    return text.partition("[")[0].partition(".")[0]


def _plain(reference: str) -> str:
    """Write `params["name"]` as `params.name`, which means the same."""
    return _QUOTED.sub(r".\1", reference)


def _items(item: Any, values: Values) -> list[Any]:
    """A string that is one whole array becomes its items."""
    if isinstance(item, str) and (match := _REFERENCE.fullmatch(item)):
        name = _plain(match[1])
        if name.endswith("[*]") and isinstance(array := _looked_up(name, values), list):
            return array
    return [replaced(item, values)]


def _text(template: str, values: Values) -> Any:
    if match := _REFERENCE.fullmatch(template):
        name = _plain(match[1])
        value = _looked_up(name, values)
        if isinstance(value, (list, dict)) and name.endswith("[*]"):
            return value

    def one(match: re.Match[str]) -> str:
        value = _looked_up(_plain(match[1]), values)
        if isinstance(value, list):
            return " ".join(map(str, value))
        return match[0] if value is None or isinstance(value, dict) else str(value)

    return _REFERENCE.sub(one, template)


def _looked_up(name: str, values: Values) -> Any:
    if name in values:
        return values[name]
    if name.endswith("[*]"):
        return values.get(name[:-3])
    if match := _INDEX.match(name):
        array = values.get(match[1])
        index = int(match[2])
        return array[index] if isinstance(array, list) and index < len(array) else None
    owner, _, key = name.rpartition(".")
    value = values.get(owner)
    return value.get(key) if isinstance(value, dict) else None
