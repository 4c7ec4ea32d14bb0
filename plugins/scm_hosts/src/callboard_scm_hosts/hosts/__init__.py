"""What differs from one type of host to another: addresses, and the names of what is answered."""

from typing import Final

from callboard_scm_hosts.hosts.base import HostApi
from callboard_scm_hosts.hosts.gitea import Gitea, Gitee
from callboard_scm_hosts.hosts.github import GitHub
from callboard_scm_hosts.hosts.gitlab import GitLab

APIS: Final[dict[str, HostApi]] = {
    "gitlab": GitLab(),
    "github": GitHub(),
    "gitea": Gitea(),
    "gitee": Gitee(),
}

__all__ = ["APIS", "HostApi"]
