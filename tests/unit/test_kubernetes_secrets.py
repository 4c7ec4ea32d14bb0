"""Values named like secrets are not kept, wherever controllers copied them to."""

from typing import Any

import orjson
import pytest

from callboard.kubernetes import named_secrets, without_secrets

SECRET = "hunter2-hunter2"


def a_run(**spec: Any) -> dict[str, Any]:
    return {"kind": "PipelineRun", "metadata": {"name": "one"}, "spec": spec}


@pytest.mark.parametrize(
    "name", ["api-token", "DB_PASSWORD", "passwd", "client-secret", "aws_access_key", "apiKey"]
)
def test_values_are_hidden_by_their_names(name: str) -> None:
    body = a_run(params=[{"name": name, "value": SECRET}, {"name": "stage", "value": "prod"}])
    assert without_secrets(body)["spec"]["params"] == [
        {"name": name, "value": "***"}, {"name": "stage", "value": "prod"},
    ]  # fmt: skip
    assert named_secrets(body) == {SECRET}


@pytest.mark.parametrize("name", ["TOKEN_FILE", "secret-name", "credentials-path", "tokenUrl"])
def test_what_says_where_a_secret_is_stays(name: str) -> None:
    body = a_run(params=[{"name": name, "value": "/workspace/it"}])
    assert without_secrets(body) == body
    assert named_secrets(body) == set()


def test_copies_are_hidden_too() -> None:
    body = a_run(
        params=[{"name": "token", "value": [SECRET, "b"]}, {"name": "o-secret", "value": {"k": 1}}],
        taskSpec={
            "params": [{"name": "token", "default": "another-secret"}],
            "steps": [
                {"env": [{"name": "TOKEN", "value": "$(params.token)"}], "script": f"say {SECRET}!"}
            ],
        },
    )
    found = without_secrets(body)
    text = orjson.dumps(found).decode()
    assert SECRET not in text
    assert "another-secret" not in text
    [step] = found["spec"]["taskSpec"]["steps"]
    assert step == {"env": [{"name": "TOKEN", "value": "$(params.token)"}], "script": "say ***!"}
    assert found["spec"]["params"][0]["value"] == ["***", "***"]
    assert found["spec"]["params"][1]["value"] == {"k": 1}


def test_a_short_value_is_hidden_where_it_is_named_alone() -> None:
    body = a_run(params=[{"name": "token", "value": "true"}], other={"ready": "true"})
    found = without_secrets(body)["spec"]
    assert found["params"][0]["value"] == "***"
    assert found["other"] == {"ready": "true"}


def test_users_in_addresses_are_hidden() -> None:
    body = a_run(params=[{"name": "url", "value": f"https://me:{SECRET}@git.example.test/a.git"},
                         {"name": "ssh", "value": "ssh://git@git.example.test/a.git"}])  # fmt: skip
    [url, ssh] = without_secrets(body)["spec"]["params"]
    assert url["value"] == "https://***@git.example.test/a.git"
    assert ssh["value"] == "ssh://git@git.example.test/a.git"


def test_an_object_without_secrets_is_given_as_it_is() -> None:
    body = a_run(params=[{"name": "url", "value": "https://git.example.test/a.git"}])
    assert without_secrets(body) is body
