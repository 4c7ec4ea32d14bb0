"""The reference page of the settings, in Markdown, made from their models."""

import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from callboard.settings.schema import fields_of, members, words

_INTRODUCTION: Final = """\
# Settings

<!-- Made from the models by tools/settings_reference.py: change those, then run it. -->

Callboard reads one YAML file, `callboard.yaml`, and the environment. Everything has a default: no
file is needed to start. A fault stops the start; all faults are told at once, each with its line.
`callboard doctor` checks the settings without starting anything.

- YAML is read by the core schema of version 1.2: `on`, `yes` and dates are plain text.
- Unknown keys are faults, and so is a key that is there twice.
- Durations are written with a unit: `500ms`, `30s`, `5m`, `2h`, `1d`. Sizes are `512KiB`, `10MiB`,
  `2GB` or a plain number of bytes.

## Environment

`CALLBOARD_DATABASE__URL` sets `database.url` and outranks the file: upper case, two underscores
between levels. Lists are written as YAML: `CALLBOARD_PLUGINS__DISABLE='[hello, scm_git]'`. It is a
fault when a variable that begins with `CALLBOARD_` matches no setting. Two are not settings:
`CALLBOARD_CONFIG` is the path of the file, `CALLBOARD_PLUGINS` the names of the only plugins to
load (empty for none).

## Secrets

Any text may refer to a secret instead of holding it: `${env:NAME}` takes an environment variable,
`${file:/run/secrets/name}` a file of at most 64 KiB, without its last line break. `$${` stands for
a plain `${`. What comes from a reference is never shown, logged or printed.

```yaml
database:
  url: postgresql://callboard:${file:/run/secrets/database}@db.example/callboard
```
"""


def reference_page(sections: Mapping[str, type[BaseModel]]) -> str:
    """Give the page for these sections; its text is the models' docstrings and descriptions."""
    parts = [_INTRODUCTION]
    for key, model in sections.items():
        parts.extend(_section(f"## `{key}`", model, key, set()))
    return "\n".join(parts)


def _section(heading: str, kind: type, path: str, seen: set[type]) -> Iterator[str]:
    seen.add(kind)
    yield f"{heading}\n\n{inspect.getdoc(kind)}\n"
    rows = list(_rows(kind))
    yield "| key | takes | default | what it is |\n|---|---|---|---|"
    for name, _, cells in rows:
        yield f"| `{name}` | {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""
    for name, annotation, _ in rows:
        for inner, suffix in _inner_kinds(annotation):
            if inner not in seen:
                below = f"{path}.{name}{suffix}"
                yield from _section(f"### `{below}`{_tag(inner)}", inner, below, seen)


def describe_fields(kind: type) -> list[tuple[str, str, str, str]]:
    """Give key, what it takes, default and description of each setting of a model."""
    return [(name, *cells) for name, _, cells in _rows(kind)]


def _rows(kind: type) -> Iterator[tuple[str, Any, tuple[str, str, str]]]:
    if issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            annotation = field.rebuild_annotation()
            takes = ", ".join([words(annotation), *_limits(field)])
            cells = (takes, _default(field.get_default(call_default_factory=True), annotation))
            yield field.alias or name, annotation, (*cells, field.description or "")
    else:
        defaults = {item.name: item.default for item in dataclasses.fields(cast("Any", kind))}
        for name, annotation in (fields_of(cast("Any", kind)) or {}).items():
            default = defaults[name]
            default = PydanticUndefined if default is dataclasses.MISSING else default
            yield name, annotation, (words(annotation), _default(default, annotation), "")


def _default(value: Any, annotation: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None:
        return "none"
    written = TypeAdapter(annotation).dump_python(value, mode="json")
    return f"`{written if isinstance(written, str) and written else json.dumps(written)}`"


def _limits(field: FieldInfo) -> Iterator[str]:
    counted = "entries" if get_origin(field.annotation) is list else "characters"
    for limit in field.metadata:
        match limit:
            case Ge(ge=int(least)):
                yield f"at least {least}"
            case Gt(gt=int(bound)):
                yield f"more than {bound}"
            case Le(le=int(most)):
                yield f"at most {most}"
            case Lt(lt=int(bound)):
                yield f"less than {bound}"
            case MinLen(min_length=least) if least > 1:
                yield f"at least {least} {counted}"
            case MaxLen(max_length=most):
                yield f"at most {most} {counted}"


def _inner_kinds(annotation: Any) -> Iterator[tuple[type, str]]:
    """Give the models and dataclasses an annotation holds, with `[]` for those of a list."""
    for member in members(annotation):
        if isinstance(member, type) and _is_object(member):
            yield member, ""
        for argument in get_args(member):
            for item in members(argument):
                if isinstance(item, type) and _is_object(item):
                    yield item, "[]"


def _is_object(kind: type) -> bool:
    # Texts that are translated come from plugins only: a file has plain ones.
    if kind.__module__ == "callboard.i18n":
        return False
    return issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)


def _tag(kind: type) -> str:
    field = kind.model_fields.get("type") if issubclass(kind, BaseModel) else None
    return f" with `type: {words(field.annotation)}`" if field is not None else ""
