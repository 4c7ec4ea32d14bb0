"""The rules a repository brings itself: a small YAML file, read at the commit that was pushed."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, Final

import yaml
from pydantic import Field, ValidationError, field_validator

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard.settings.types import SettingsModel
from callboard_ci_tekton.push.hosts import host_of
from callboard_ci_tekton.push.model import News
from callboard_ci_tekton.push.settings import Allowance, FileRule, check_names

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

MOST_BYTES: Final = 64 * 1024
MOST_RULES: Final = 50


class RuleFile(SettingsModel):
    """The whole file: a list of rules, each with a name of its own."""

    rules: tuple[FileRule, ...] = Field(default=(), max_length=MOST_RULES)

    _names = field_validator("rules")(check_names)


class _Loader(yaml.SafeLoader):
    """Plain YAML: no aliases, which can make a small file large, and no key twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not read here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _value in node.value]
        if len(set(map(str, keys))) < len(keys):
            raise yaml.YAMLError("a key is there twice")
        return super().construct_mapping(node, deep)


def read_rules(content: bytes, path: str) -> tuple[FileRule, ...]:
    """Read the rules of a file; raises `InputError` that says what is wrong with it."""
    if len(content) > MOST_BYTES:
        raise InputError(_("%(path)s is larger than %(limit)s bytes.", path=path, limit=MOST_BYTES))
    try:
        document = yaml.load(content, Loader=_Loader)  # noqa: S506 - a safe loader
        return RuleFile.model_validate(document or {}).rules
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(
            _("%(path)s cannot be used: %(fault)s", path=path, fault=_fault(error)),
            hint=_("Mend it and push again."),
        ) from error


def _fault(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}"[:300]
    return " ".join(str(error).split())[:300]


def rules_of(host: "Host", allowed: Allowance, news: News) -> tuple[FileRule, ...]:
    """Give the rules of a repository's file, none without the file. Remote.

    A merge request from a fork does not choose what runs for it: the file is that of the branch it
    is to be merged into. Raises `InputError` for a file that cannot be used, and for a repository
    on no host of the settings.
    """
    lacking = _("No host of the settings has %(repository)s, so its file is not read.",
                repository=news.repository)  # fmt: skip
    code_host = host_of(host, news.address, lacking)
    revision = news.branch if news.fork else news.commit
    content = code_host.read_file(code_host.path_of(news.address), revision, allowed.path)
    return read_rules(content, allowed.path) if content is not None else ()
