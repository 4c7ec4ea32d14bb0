"""What the pages about tokens say is so: samples load, lists are whole, the pattern is the one."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from callboard_web.runtime import Runtime
from callboard_web.tokens import middleware, scopes, secret
from callboard_web.tokens.settings import TokensSettings

PAGE = (Path(__file__).parents[2] / "docs/operator/machines.md").read_text("utf-8")
SAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SETTINGS = [text for text in SAMPLES if text.startswith(("tokens:", "access:"))]


@pytest.mark.parametrize("text", SETTINGS)
def test_the_sample_settings_are_valid(text: str, tmp_path: Path) -> None:
    file = tmp_path / "callboard.yaml"
    file.write_text(text, "utf-8")
    Runtime.open(file, {"CALLBOARD_PLUGINS": ""}).stop()


def test_the_three_systems_have_settings_and_a_job() -> None:
    settings: list[dict[str, Any]] = [yaml.safe_load(text) for text in SETTINGS]
    rules = [rule for item in settings for rule in item.get("tokens", {}).get("workloads", ())]
    assert len(rules) == 3
    jobs = [text for text in SAMPLES if text not in SETTINGS]
    assert len(jobs) == 3
    for rule, job in zip(rules, jobs, strict=True):
        yaml.safe_load(job)
        assert rule["audience"] in job, rule["name"]


def test_the_defaults_are_those_of_the_settings() -> None:
    said: dict[str, Any] = {}
    for text in SETTINGS:
        said |= yaml.safe_load(text).get("tokens", {})
    said.pop("workloads")
    assert TokensSettings.model_validate(said) == TokensSettings()
    assert set(said) >= {"default_age", "maximum_age", "unseen", "rate", "burst", "failures"}


def test_the_pattern_for_scanners_finds_tokens() -> None:
    patterns = re.findall(r"^(?:regex = ''')?(\\bcbd_.*?\\b)", PAGE, re.MULTILINE)
    assert patterns == [secret.PATTERN] * 2
    text = secret.written(7, secret.new_secret())
    assert re.search(patterns[0], f'token = "{text}";')


def test_what_tokens_never_do_is_listed() -> None:
    for name in (*scopes.FOR_PEOPLE, *middleware.FOR_PEOPLE):
        if name in ("portal.access.*", "/sign-in", "/sign-ins", "/sign-out"):
            continue
        assert f"`{name}`" in PAGE, name
