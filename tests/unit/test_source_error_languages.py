"""Why a repository or a URL cannot be read is told in the reader's language."""

import re
import socket
import ssl
from pathlib import Path

import pytest

from callboard.errors import CallboardError, reason_of
from callboard.git import GitRepository
from callboard.git.address import check_hash, check_reference, parse_address
from callboard.git.failures import explain
from callboard.git.runner import GitFailedError
from callboard.http import HttpClient
from callboard.http.response import read_body
from callboard.i18n import Message, Text
from callboard_web.translations import TranslationStore

STORE = TranslationStore({})
ENGLISH = re.compile(r"\b(?:is|are|the|of|expected|not|and|its?|in)\b")


def chinese(text: Text) -> str:
    assert isinstance(text, Message), text
    return STORE.text("zh_CN", text)


@pytest.mark.parametrize(
    "url",
    [
        "", "ext::sh", "https://a b", "file://other/x", "file:///a%00", "~/x", "a@-b:c",
        "https://[::1/a", "ftp://a.example/b", "http://a.example/b", "https:///x",
        "ssh://a:b@c.example/d", "/nowhere/at/all",
    ],
)  # fmt: skip
def test_refused_addresses(url: str) -> None:
    with pytest.raises(CallboardError) as told:
        parse_address(url, allow_local=(), allow_http=False)
    found = chinese(reason_of(told.value))
    assert ENGLISH.search(found.replace(repr(url), "")) is None
    assert ENGLISH.search(str(told.value))


def test_refused_names() -> None:
    for check, name in ((check_reference, "-x"), (check_hash, "zz")):
        with pytest.raises(CallboardError) as told:
            check(name)
        assert chinese(told.value.message).startswith(repr(name))


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("fatal: Authentication failed for 'x'", "请检查该仓库的凭据"),
        ("fatal: repository not found", "私有仓库还需检查凭据"),
        ("fatal: unable to access 'x': Could not resolve host", "稍后会重试"),
        ("fatal: no space left on device", "磁盘空间"),
    ],
)
def test_what_git_says(said: str, hint: str) -> None:
    error = explain(GitFailedError(said, 128), "x")
    # Its own words stay, those around them do not.
    assert chinese(error.message) == f"未能完成：x；{said}。"
    assert hint in chinese(error.hint)
    assert str(error.message) == f"x failed: {said}."


def test_a_repository_that_is_too_large() -> None:
    stopped = Message("callboard", "it took longer than %(limit)s s", arguments=(("limit", "5"),))
    slow = explain(GitFailedError("", 0, stopped), "x")
    large = explain(GitFailedError("", 0, stopped, is_too_large=True), "x")
    assert chinese(slow.message) == "已中止：x；耗时超过 5 秒。"
    assert (slow.status, large.status) == (503, 400)


def test_a_repository_that_is_gone(tmp_path: Path) -> None:
    repository = tmp_path / "code"
    with pytest.raises(CallboardError) as told:
        GitRepository(str(repository), directory=tmp_path / "mirror", allow_local=[tmp_path]).head()
    assert chinese(told.value.message) == f"没有文件夹 {repository}。"
    assert chinese(told.value.hint) == "请修正仓库地址。"


def test_a_host_that_does_not_answer() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x"
        with (
            HttpClient(allow_private=True, retries=0) as client,
            pytest.raises(CallboardError) as told,
        ):
            client.get(url)
    assert chinese(told.value.message) == f"{url} 没有响应：连接被拒绝。"
    assert "稍后会重试" in chinese(told.value.hint)
    assert str(told.value.message) == f"{url} did not answer: Connection refused."


def test_a_host_that_is_refused() -> None:
    with HttpClient(retries=0) as client, pytest.raises(CallboardError) as told:
        client.get("http://127.0.0.1/x")
    assert chinese(told.value.message) == "主机 '127.0.0.1' 已被拒绝：地址位于私有或环回网络。"


def test_a_broken_answer() -> None:
    with pytest.raises(CallboardError) as told:
        read_body([b"no gzip"], "gzip", 100)
    assert chinese(told.value.message) == "响应已损坏：无法解压。"


def test_what_the_system_says() -> None:
    assert chinese(reason_of(OSError(13, "Permission denied", "/x"))) == "权限不足"
    assert reason_of(OSError(9999, "Something new")) == "Something new"
    assert reason_of(ValueError("x")) == "x"
    assert reason_of(ssl.SSLError(1, "certificate verify failed")) == "certificate verify failed"
