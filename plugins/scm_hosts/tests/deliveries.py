"""Deliveries as GitLab, GitHub, Gitea and Gitee send them: the fields of their documentation.

https://docs.gitlab.com/user/project/integrations/webhook_events/
https://docs.github.com/en/webhooks/webhook-events-and-payloads
https://docs.gitea.com/usage/webhooks
https://help.gitee.com/webhook/gitee-webhook-push-data-format
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

BEFORE = "95790bf891e76fee5e1747ab589903a6a1f80f22"
AFTER = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
NONE = 40 * "0"
SECRET = "a-secret-of-the-webhook-α"
SIGNING = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@dataclass(frozen=True)
class Sent:
    """What is posted: headers and body."""

    headers: Mapping[str, str]
    body: bytes
    secret: str = SECRET

    def with_headers(self, **changed: str | None) -> "Sent":
        """Change headers, underscores for hyphens; None leaves one out."""
        headers = {
            **self.headers, **{name.replace("_", "-"): value for name, value in changed.items()}
        }  # fmt: skip
        return replace(self, headers={k: v for k, v in headers.items() if v is not None})

    def named(self, name: str) -> "Sent":
        """Give another delivery of the same: its host gives it another name."""
        names = ("idempotency-key", "x-gitlab-event-uuid", "x-github-delivery",
                 "x-gitea-delivery", "x-gogs-delivery")  # fmt: skip
        headers = {key: name if key in names else value for key, value in self.headers.items()}
        return replace(self, headers=headers)


@dataclass
class Repository:
    """The repository deliveries tell of."""

    base: str = "https://git.example.org"
    path: str = "shop/orders"
    number: int = 15
    branch: str = "main"
    clone: list[str] = field(default_factory=list)

    @property
    def server(self) -> str:
        return self.base.partition("://")[2].partition(":")[0]


def commits(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{number:040x}", "message": "Change 价格", "title": "Change 价格",
            "timestamp": "2026-03-02T08:00:00+08:00", "url": f"https://git.example.org/-/{number}",
            "author": {"name": "Li Wei", "email": "li@example.org"},
            "added": [], "modified": ["catalog-info.yaml"], "removed": [],
        }
        for number in range(count)
    ]  # fmt: skip


def hmac_hex(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()


# GitLab


def gitlab_project(of: Repository) -> dict[str, Any]:
    address = f"{of.base}/{of.path}"
    ssh = f"git@{of.server}:{of.path}.git"
    return {
        "id": of.number, "name": "Orders", "description": "", "web_url": address,
        "avatar_url": None, "git_ssh_url": ssh, "git_http_url": f"{address}.git",
        "namespace": "Shop", "visibility_level": 0, "path_with_namespace": of.path,
        "default_branch": of.branch, "homepage": address, "url": ssh, "ssh_url": ssh,
        "http_url": f"{address}.git",
    }  # fmt: skip


def gitlab(
    of: Repository, *, ref: str = "refs/heads/main", after: str = AFTER, count: int = 1,
    total: int | None = None, **more: Any,
) -> Sent:  # fmt: skip
    """A push, with a secret token."""
    content = {
        "object_kind": "push", "event_name": "push", "before": BEFORE, "after": after, "ref": ref,
        "ref_protected": True, "checkout_sha": None if after == NONE else after, "user_id": 4,
        "user_name": "Li Wei", "user_username": "li", "user_email": "", "project_id": of.number,
        "project": gitlab_project(of), "commits": commits(count),
        "total_commits_count": count if total is None else total, "push_options": {},
        "repository": {"name": "Orders", "url": f"git@{of.server}:{of.path}.git",
                       "homepage": f"{of.base}/{of.path}",
                       "git_http_url": f"{of.base}/{of.path}.git", "visibility_level": 0},
        **more,
    }  # fmt: skip
    return gitlab_sent(content, "Push Hook")


def gitlab_sent(content: Mapping[str, Any], word: str, number: int = 1) -> Sent:
    headers = {
        "content-type": "application/json", "user-agent": "GitLab/18.2.0", "x-gitlab-event": word,
        "x-gitlab-webhook-uuid": "c7b5bb0e-2d8a-4b57-9a2e-1a9f7f0f9b11",
        "x-gitlab-instance": "https://git.example.org",
        "x-gitlab-event-uuid": f"13792a34-cac6-4fda-95a8-c58e00a3{number:04}",
        "idempotency-key": f"f5e57ebe-07e7-4f49-9e2a-d8a4e1a2{number:04}",
        "x-gitlab-token": SECRET,
    }  # fmt: skip
    return Sent(headers, _json(content))


def gitlab_signed(sent: Sent, now: datetime, *, secret: str = SIGNING, name: str = "msg_1") -> Sent:
    """The same delivery, with a signing token in place of the secret token."""
    stamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{stamp}.".encode() + sent.body, hashlib.sha256).digest()
    headers = {name_: value for name_, value in sent.headers.items() if name_ != "x-gitlab-token"}
    signature = "v1," + base64.b64encode(digest).decode()
    signed = {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": signature}
    return Sent({**headers, **signed}, sent.body, secret)


def gitlab_project_event(of: Repository, word: str, **more: Any) -> Sent:
    """A system hook: the fields stand at the top."""
    content = {
        "event_name": word, "created_at": "2026-03-02T08:00:00Z",
        "updated_at": "2026-03-02T08:00:00Z", "name": "Orders", "path": of.path.split("/")[-1],
        "path_with_namespace": of.path, "project_id": of.number, "project_namespace_id": 77,
        "owners": [], "project_visibility": "internal", **more,
    }  # fmt: skip
    return gitlab_sent(content, "System Hook")


# GitHub and Gitea


def github_repository(of: Repository) -> dict[str, Any]:
    owner, _, name = of.path.partition("/")
    address = f"{of.base}/{of.path}"
    return {
        "id": of.number, "node_id": "R_kgDO", "name": name, "full_name": of.path, "private": True,
        "owner": {"login": owner, "id": 9, "type": "Organization"}, "html_url": address,
        "url": f"{of.base}/api/v3/repos/{of.path}", "git_url": f"git://{of.server}/{of.path}.git",
        "ssh_url": f"git@{of.server}:{of.path}.git", "clone_url": f"{address}.git",
        "archived": False, "default_branch": of.branch, "master_branch": of.branch,
    }  # fmt: skip


def github(
    of: Repository, *, ref: str = "refs/heads/main", after: str = AFTER, count: int = 1, **more: Any
) -> Sent:
    content = {
        "ref": ref, "before": BEFORE, "after": after, "created": False, "deleted": after == NONE,
        "forced": False, "base_ref": None, "compare": "", "commits": commits(count),
        "head_commit": None if after == NONE else commits(1)[0],
        "repository": github_repository(of), "pusher": {"name": "li", "email": ""},
        "organization": {"login": "shop", "id": 9}, "sender": {"login": "li", "id": 4}, **more,
    }  # fmt: skip
    return github_sent(content, "push")


def github_sent(content: Mapping[str, Any], word: str, number: int = 1) -> Sent:
    body = _json(content)
    digest = hmac_hex(SECRET, body)
    old = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    headers = {
        "content-type": "application/json", "user-agent": "GitHub-Hookshot/044aadd",
        "x-github-event": word, "x-github-hook-id": "292430182",
        "x-github-delivery": f"72d3162e-cc78-11e3-81ab-4c9367dc{number:04}",
        "x-github-hook-installation-target-type": "organization",
        "x-hub-signature": f"sha1={old}", "x-hub-signature-256": f"sha256={digest}",
    }  # fmt: skip
    return Sent(headers, body)


def github_form(sent: Sent) -> Sent:
    """The same delivery as a form, as GitHub sends it where nobody chose JSON."""
    body = b"payload=" + quote(sent.body, safe="").encode()
    return replace(
        sent.with_headers(
            content_type="application/x-www-form-urlencoded",
            x_hub_signature_256=f"sha256={hmac_hex(SECRET, body)}",
        ),
        body=body,
    )


def gitea(
    of: Repository, *, ref: str = "refs/heads/main", after: str = AFTER, count: int = 1,
    total: int | None = None, **more: Any,
) -> Sent:  # fmt: skip
    content = {
        "ref": ref, "before": BEFORE, "after": after, "compare_url": "", "commits": commits(count),
        "total_commits": count if total is None else total, "head_commit": commits(1)[0],
        "repository": github_repository(of), "pusher": {"id": 4, "login": "li"},
        "sender": {"id": 4, "login": "li"}, **more,
    }  # fmt: skip
    return gitea_sent(content, "push")


def gitea_sent(content: Mapping[str, Any], word: str, number: int = 1) -> Sent:
    body = _json(content)
    digest, name = hmac_hex(SECRET, body), f"f6266f16-1bf3-46a5-9ea4-602e06ea{number:04}"
    headers = {
        "content-type": "application/json", "user-agent": "Go-http-client/1.1",
        "x-gitea-delivery": name, "x-gitea-event": word, "x-gitea-event-type": word,
        "x-gitea-signature": digest, "x-gogs-delivery": name, "x-gogs-event": word,
        "x-gogs-signature": digest, "x-hub-signature-256": f"sha256={digest}",
        "x-github-delivery": name, "x-github-event": word,
    }  # fmt: skip
    return Sent(headers, body)


# Gitee


def gitee_token(secret: str, stamp: str, *, quoted: bool = False) -> str:
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    token = base64.b64encode(digest).decode()
    return quote(token, safe="") if quoted else token


def gitee(
    of: Repository, now: datetime, *, ref: str = "refs/heads/main", after: str = AFTER,
    count: int = 1, quoted: bool = False, password: bool = False, **more: Any,
) -> Sent:  # fmt: skip
    stamp = str(int(now.timestamp() * 1000))
    token = SECRET if password else gitee_token(SECRET, stamp, quoted=quoted)
    project = {
        **github_repository(of), "path": of.path.split("/")[-1], "path_with_namespace": of.path,
        "git_http_url": f"{of.base}/{of.path}.git", "git_ssh_url": f"git@{of.server}:{of.path}.git",
        "git_svn_url": "", "namespace": "shop", "name_with_namespace": "Shop/Orders",
    }  # fmt: skip
    content = {
        "hook_name": "push_hooks", "password": SECRET if password else "", "hook_id": 1,
        "hook_url": "https://gitee.com/liwen/hooks/1/edit", "timestamp": stamp,
        "sign": "" if password else token, "ref": ref, "before": BEFORE, "after": after,
        "created": False, "deleted": after == NONE, "compare": "", "commits": commits(count),
        "head_commit": commits(1)[0], "total_commits_count": count,
        "commits_more_than_ten": count > 10, "repository": project, "project": project,
        "user_id": 4, "user_name": "Li Wei", "user": {"id": 4, "login": "li"},
        "pusher": {"id": 4, "login": "li"}, "sender": {"id": 4, "login": "li"},
        "enterprise": {"name": "Shop", "url": "https://gitee.com/shop"}, **more,
    }  # fmt: skip
    headers = {
        "content-type": "application/json", "user-agent": "git-oschina-hook",
        "x-git-oschina-event": "Push Hook", "x-gitee-event": "Push Hook", "x-gitee-token": token,
        "x-gitee-timestamp": stamp, "x-gitee-ping": "false",
    }  # fmt: skip
    return Sent(headers, _json(content))


# Merge requests


def merge_request(
    kind: str, of: Repository, now: datetime, *, action: str = "opened", number: int = 7,
    source: str = "feature/price", fork: bool = False, after: str = AFTER,
) -> Sent:  # fmt: skip
    """A delivery about a merge request; `action` is `opened`, `updated`, `edited` or `merged`."""
    if kind == "gitlab":
        return _gitlab_merge_request(of, action, number, source, fork, after)
    other = replace(of, path="li/orders", number=99) if fork else of
    pull = {
        "id": 501, "number": number, "state": "open", "title": "Change 价格", "body": "",
        "html_url": f"{of.base}/{of.path}/pulls/{number}", "merged": action == "merged",
        "user": {"login": "li", "id": 4},
        "head": {"label": source, "ref": source, "sha": after, "repo": _named(other)},
        "base": {"label": of.branch, "ref": of.branch, "sha": BEFORE, "repo": _named(of)},
    }  # fmt: skip
    words = {
        "github": {"opened": "opened", "updated": "synchronize", "merged": "closed"},
        "gitea": {"opened": "opened", "updated": "synchronized", "merged": "closed"},
        "gitee": {"opened": "open", "updated": "update", "edited": "update", "merged": "merge"},
    }[kind]  # fmt: skip
    content: dict[str, Any] = {
        "action": words.get(action, action), "number": number, "pull_request": pull
    }  # fmt: skip
    if kind == "gitee":
        described = {"updated": "source_branch_changed", "edited": "update_description"}
        return gitee(
            of, now, hook_name="merge_request_hooks", action_desc=described.get(action, ""),
            **content,
        ).with_headers(x_gitee_event="Merge Request Hook")  # fmt: skip
    content |= {"repository": github_repository(of), "sender": {"login": "li", "id": 4}}
    sent = {"github": github_sent, "gitea": gitea_sent}[kind]
    return sent(content, "pull_request", number=8)


def _named(of: Repository) -> dict[str, Any]:
    return {**github_repository(of), "path_with_namespace": of.path}


def _gitlab_merge_request(
    of: Repository, action: str, number: int, source: str, fork: bool, after: str
) -> Sent:
    words = {"opened": "open", "updated": "update", "edited": "update", "merged": "merge"}
    told = {
        "id": 99, "iid": number, "title": "Change 价格", "state": "opened",
        "action": words[action], "source_branch": source, "target_branch": of.branch,
        "source_project_id": 99 if fork else of.number, "target_project_id": of.number,
        "last_commit": {"id": after, "message": "Change 价格", "title": "Change 价格"},
        "url": f"{of.base}/{of.path}/-/merge_requests/{number}",
        **({"oldrev": BEFORE} if action == "updated" else {}),
    }  # fmt: skip
    content = {
        "object_kind": "merge_request", "event_type": "merge_request", "user": {"username": "li"},
        "project": gitlab_project(of), "object_attributes": told, "labels": [], "changes": {},
        "repository": {"name": "Orders", "homepage": f"{of.base}/{of.path}"},
    }  # fmt: skip
    return gitlab_sent(content, "Merge Request Hook", number=8)
